// Comfort only: every page works without it.
"use strict";

// A click on a digest copies all of it (without script: selecting it selects all of it).
document.addEventListener("click", async (event) => {
  const digest = event.target.closest("[data-copy]");
  if (!digest || !navigator.clipboard) return;
  await navigator.clipboard.writeText(digest.dataset.copy);
  digest.classList.add("is-copied");
  setTimeout(() => digest.classList.remove("is-copied"), 1500);
});

// Exact times in the reader's own zone.
for (const time of document.querySelectorAll("time[datetime]")) {
  const at = new Date(time.dateTime);
  time.title = at.toLocaleString(undefined, { dateStyle: "full", timeStyle: "long" });
}

// A link into a folded part unfolds it.
const unfold = () => {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  if (target instanceof HTMLDetailsElement) target.open = true;
};
addEventListener("hashchange", unfold);
unfold();

// A form that was sent is not sent a second time by a second click.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "1";
});
addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent));

// A list of suggestions goes on behind a comma, where a field takes several words.
for (const field of document.querySelectorAll("input[data-several][list]")) {
  const options = [...field.list.options];
  const words = options.map((option) => option.value);
  field.addEventListener("input", () => {
    const typed = field.value.slice(0, field.value.lastIndexOf(",") + 1);
    const before = typed && `${typed} `;
    options.forEach((option, at) => { option.value = before + words[at]; });
  });
}

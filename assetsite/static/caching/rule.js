// Speed only: the form does the same by its buttons.
"use strict";

const form = document.getElementById("rule-form");
const outcome = document.getElementById("outcome");
let waiting;
let asked;

// A reader of the screen is told in a line what comes of it, and only where that is another than before.
const said = document.getElementById("outcome-said");
const say = (line) => { if (said.textContent !== line) said.textContent = line; };
const stale = document.getElementById("outcome-stale");
const show = (html) => {
  stale.hidden = true;
  outcome.innerHTML = html;
  say(outcome.querySelector(".outcome-said").textContent.trim());
};
// What was shown before stays, and is not taken for what comes of the form now.
const tell = (why) => {
  stale.querySelector("span").textContent = `${why} What stands here is of before.`;
  stale.hidden = false;
  say(stale.textContent.trim());
};

// What was typed is not left behind unasked.
let isTyped = "typed" in form.dataset;
form.addEventListener("input", () => { isTyped = true; });
form.addEventListener("submit", () => { isTyped = false; });
addEventListener("beforeunload", (event) => { if (isTyped) event.preventDefault(); });

// What comes of the form, a moment after the last key: the newest question counts.
const ask = async () => {
  asked?.abort();
  asked = new AbortController();
  let answer, text;
  try {
    answer = await fetch(form.dataset.outcome, {
      method: "POST", body: new FormData(form), signal: asked.signal,
    });
    text = await answer.text();
  } catch (fault) {
    if (fault.name !== "AbortError") tell("The site does not answer.");
    return;
  }
  const isInWords = answer.headers.get("content-type")?.startsWith("text/plain");
  if (answer.redirected) tell("You are not logged in any more.");
  else if (answer.ok) show(text);
  else tell(isInWords ? text : `The site answers with an error (${answer.status}).`);
};
form.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(ask, 350);
});

// Another row without asking the server.
for (const button of form.querySelectorAll("[data-add]")) {
  const rows = form.querySelector(`.rule-rows[data-prefix="${button.dataset.add}"]`);
  const total = form.elements[`${button.dataset.add}-TOTAL_FORMS`];
  button.addEventListener("click", (event) => {
    event.preventDefault();
    const place = total.value;
    const made = document.createElement("template");
    made.innerHTML = rows.querySelector("template").innerHTML.replaceAll("__prefix__", place);
    rows.append(made.content);
    total.value = Number(place) + 1;
    rows.lastElementChild.querySelector("input, select").focus();
  });
}

// A new rule's short name follows its name until somebody writes another one.
const slug = form.elements.slug;
const slugOf = (name) => name.normalize("NFKD").toLowerCase().replace(/[\u0300-\u036f]/g, "").replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "").slice(0, 60);
let isFollowing = slug?.value === "";
slug?.addEventListener("input", () => { isFollowing = false; });
form.elements.name.addEventListener("input", (event) => { if (isFollowing) slug.value = slugOf(event.target.value); });

// What is in use becomes a line of its field by a click. Of each field's words one is a stop of the Tab key;
// the arrow keys go from word to word.
for (const words of form.querySelectorAll(".known-values")) {
  const field = document.getElementById(words.dataset.for);
  const label = field.labels[0].textContent;
  words.setAttribute("role", "toolbar");
  words.setAttribute("aria-label", `In use: ${label}`);
  const buttons = [...words.querySelectorAll("code")].map((word, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.tabIndex = place ? -1 : 0;
    button.textContent = word.textContent;
    button.setAttribute("aria-label", `Add ${word.textContent} to ${label}`);
    button.addEventListener("click", () => {
      const lines = field.value.split("\n").filter((line) => line.trim());
      if (!lines.includes(button.textContent)) lines.push(button.textContent);
      field.value = lines.join("\n");
      field.dispatchEvent(new Event("input", { bubbles: true }));
    });
    if (word.nextSibling) word.nextSibling.textContent = " ";
    word.replaceWith(button);
    return button;
  });
  words.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const next = step && buttons.at((buttons.indexOf(event.target) + step) % buttons.length);
    if (!next) return;
    event.preventDefault();
    buttons.forEach((button) => { button.tabIndex = button === next ? 0 : -1; });
    next.focus();
  });
}

// A fault's link leads to its field, also in a folded part.
outcome.addEventListener("click", (event) => {
  const link = event.target.closest('a[href^="#"]');
  const field = link && document.getElementById(link.hash.slice(1));
  if (!field) return;
  const folded = field.closest("details");
  if (folded) folded.open = true;
  field.focus();
});

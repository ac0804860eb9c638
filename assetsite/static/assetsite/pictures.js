// Two pictures in one place: wiped over each other, or their difference. Without script they stand side by side.
"use strict";

for (const pictures of document.querySelectorAll(".pictures[data-compare]:not([data-mode])")) {
  const modes = [["side", "Side by side"], ["swipe", "Swipe"], ["difference", "Difference"]];
  const name = `mode-${Math.random().toString(36).slice(2)}`;
  const [before, after] = pictures.querySelectorAll("img");

  const overlay = document.createElement("div");
  overlay.className = "overlay";
  overlay.append(before.cloneNode(), after.cloneNode());
  for (const image of overlay.children) image.removeAttribute("loading");

  const slider = document.createElement("input");
  slider.type = "range";
  slider.value = "50";
  slider.setAttribute("aria-label", `How much of the old ${pictures.dataset.path} is shown, from the left`);
  const wipe = () => overlay.style.setProperty("--at", `${slider.value}%`);
  slider.addEventListener("input", wipe);
  wipe();

  const caption = document.createElement("p");
  caption.className = "quiet";
  const captions = [...pictures.querySelectorAll("figcaption")].map((each) => each.textContent.trim());

  const frame = document.createElement("div");
  frame.className = "overlay-frame";
  frame.append(overlay, slider, caption);

  const show = (mode) => {
    pictures.dataset.mode = mode;
    slider.hidden = mode !== "swipe";
    caption.textContent = mode === "difference"
      ? "Where both are the same it is black; what shines differs."
      : `Left: ${captions[0]}. Right: ${captions[1]}.`;
  };

  const choice = document.createElement("fieldset");
  choice.className = "picture-modes";
  const legend = document.createElement("legend");
  legend.className = "visually-hidden";
  legend.textContent = `How to compare ${pictures.dataset.path}`;
  choice.append(legend);
  for (const [mode, words] of modes) {
    const label = document.createElement("label");
    const radio = document.createElement("input");
    Object.assign(radio, { type: "radio", name, value: mode, checked: mode === "side" });
    radio.addEventListener("change", () => show(mode));
    label.append(radio, ` ${words}`);
    choice.append(label);
  }
  pictures.before(choice);
  pictures.append(frame);
  show("side");
}

// Speed only: dragging a row sends what its buttons send.
"use strict";

const list = document.getElementById("result_list");
let dragged;

for (const row of list?.tBodies[0]?.rows ?? []) {
  if (row.querySelector("[data-rule]")) row.draggable = true;
}

const rowOf = (event) => event.target.closest("#result_list tbody tr");
const slugOf = (row) => row?.querySelector("[data-rule]")?.dataset.rule ?? "";

list?.addEventListener("dragstart", (event) => {
  dragged = rowOf(event);
  event.dataTransfer.effectAllowed = "move";
  event.dataTransfer.setData("text/plain", slugOf(dragged));
});

list?.addEventListener("dragover", (event) => {
  const row = rowOf(event);
  if (!dragged || !row) return;
  event.preventDefault();
  list.querySelectorAll(".is-target").forEach((other) => other.classList.remove("is-target"));
  row.classList.add("is-target");
});

list?.addEventListener("drop", (event) => {
  const row = rowOf(event);
  const button = dragged?.querySelector("button.rule-move");
  if (!row || !button || row === dragged) return;
  event.preventDefault();
  // Below the middle of a row is behind it; behind the last row of a page that is not the last, before it.
  const isBelow = event.clientY > row.getBoundingClientRect().top + row.offsetHeight / 2;
  const following = isBelow ? row.nextElementSibling : row;
  const hasMore = document.querySelector(".paginator a");
  if (!following && hasMore) return;
  button.value = `${slugOf(dragged)}:${slugOf(following)}`;
  button.click();
});

list?.addEventListener("dragend", () => {
  dragged = undefined;
  list.querySelectorAll(".is-target").forEach((row) => row.classList.remove("is-target"));
});

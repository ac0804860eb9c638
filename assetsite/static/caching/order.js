// Speed only: dragging a row sends what its buttons send.
"use strict";

const list = document.getElementById("result_list");
let dragged;

for (const row of list?.tBodies[0]?.rows ?? []) {
  if (row.querySelector("[data-rule]")) row.draggable = true;
}

const rowOf = (event) => event.target.closest("#result_list tbody tr");
const ruleOf = (row) => row?.querySelector("[data-rule]")?.dataset;

// Below the middle of a row is right behind its rule, also where the one that follows is not shown: on the
// next page, or not among those that were searched for.
const isBelow = (event, row) => {
  const { top, height } = row.getBoundingClientRect();
  return event.clientY > top + height / 2;
};
const unmark = () => list.querySelectorAll(".is-above, .is-below").forEach((row) => row.classList.remove("is-above", "is-below"));

list?.addEventListener("dragstart", (event) => {
  dragged = rowOf(event);
  event.dataTransfer.effectAllowed = "move";
  event.dataTransfer.setData("text/plain", ruleOf(dragged)?.rule ?? "");
});

list?.addEventListener("dragover", (event) => {
  const row = rowOf(event);
  if (!dragged || !row) return;
  event.preventDefault();
  unmark();
  row.classList.add(isBelow(event, row) ? "is-below" : "is-above");
});

list?.addEventListener("drop", (event) => {
  const row = rowOf(event);
  const button = dragged?.querySelector("button.rule-move");
  if (!row || !button || row === dragged) return;
  event.preventDefault();
  const { rule } = ruleOf(dragged);
  const before = isBelow(event, row) ? ruleOf(row).behind : ruleOf(row).rule;
  if (before === rule) return;
  button.value = `${rule}:${before}`;
  button.click();
});

list?.addEventListener("dragend", () => {
  dragged = undefined;
  unmark();
});

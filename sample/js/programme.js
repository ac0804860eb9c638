// Shows the events of one day. Without this script all of them are there, and no buttons.
const buttons = document.querySelector("[data-days]");
const events = document.querySelectorAll("[data-day]");
const status = document.querySelector("[data-status]");

function show(day) {
  let count = 0;
  for (const event of events) {
    event.hidden = day !== "all" && event.dataset.day !== day;
    if (!event.hidden) count += 1;
  }
  for (const button of buttons.children) {
    button.setAttribute("aria-pressed", String(button.value === day));
  }
  status.textContent = `${count} events`;
}

buttons.hidden = false;
buttons.addEventListener("click", ({ target }) => target.value && show(target.value));
show("all");

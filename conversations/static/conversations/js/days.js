// Where a day begins among the messages, in the reader's own zone.

import { element } from "./dom.js";
import { text } from "./strings.js";

const language = document.documentElement.lang;
const full = new Intl.DateTimeFormat(language, { dateStyle: "full" });
const short = new Intl.DateTimeFormat(language, { weekday: "long", month: "long", day: "numeric" });

function named(day) {
  const now = new Date();
  const [today, yesterday] = [0, 1].map((back) => new Date(now.getFullYear(), now.getMonth(), now.getDate() - back).toDateString());
  if (day.toDateString() === today) return text("today");
  if (day.toDateString() === yesterday) return text("yesterday");
  return (day.getFullYear() === now.getFullYear() ? short : full).format(day);
}

/** Brings the marks in line with the messages; a conversation of today alone needs none. */
function mark(list) {
  let before = new Date().toDateString();
  for (const item of list.querySelectorAll(":scope > .message")) {
    const sent = new Date(item.querySelector("time").dateTime || Date.now());
    const day = sent.toDateString();
    let line = item.querySelector(":scope > .day");
    if (day === before) line?.remove();
    else {
      if (!line) item.prepend((line = element("p", "day")));
      if (line.dataset.day !== day) {
        line.dataset.day = day;
        line.textContent = named(sent);
      }
    }
    before = day;
  }
}

/** From now on, whatever comes and goes. */
export function keepDays(list) {
  mark(list);
  new MutationObserver(() => mark(list)).observe(list, { childList: true });
}

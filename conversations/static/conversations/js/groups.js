// The headings of the list: pinned, today, yesterday … by the reader's own clock.

import { element } from "./dom.js";
import { text } from "./strings.js";

const DAY = 86_400_000;
const HEADINGS = [
  [0, "group_today"],
  [1, "group_yesterday"],
  [7, "group_week"],
  [30, "group_month"],
];

/** Midnights are counted, not hours: 23:59 was yesterday two minutes later. Rounded, for a day may have 23 hours. */
export function headingOf({ pinned, asked }, now = new Date()) {
  if (pinned !== undefined) return "group_pinned";
  const then = new Date(asked);
  const days = Math.round((midnight(now) - midnight(then)) / DAY);
  return HEADINGS.find(([most]) => days <= most)?.[1] ?? "group_older";
}

const midnight = (date) => new Date(date).setHours(0, 0, 0, 0);

/** Puts each heading before the first item that stands below it, and takes away the others. */
export function regroup(list) {
  const known = new Map();
  for (const heading of list.querySelectorAll(".conversations-group")) {
    if (heading.dataset.key && !known.has(heading.dataset.key)) known.set(heading.dataset.key, heading);
    else heading.remove();
  }
  let last = null;
  for (const item of list.querySelectorAll(".conversation")) {
    const key = headingOf(item.dataset);
    if (key !== last) {
      const heading = known.get(key) ?? made(key);
      known.delete(key);
      if (item.previousElementSibling !== heading) item.before(heading);
    }
    last = key;
  }
  for (const unused of known.values()) unused.remove();
}

function made(key) {
  const heading = element("li", "conversations-group");
  heading.dataset.key = key;
  heading.append(element("h2", "", text(key)));
  return heading;
}

// What the person may still spend: a meter in the account menu, and a word by the composer when nothing is left.

import { byId } from "./dom.js";
import { text } from "./strings.js";

export const LONGEST_TIMER = 2 ** 31 - 1;
const language = document.documentElement.lang || undefined;
const HOUR = { hour: "2-digit", minute: "2-digit" };
const clock = new Intl.DateTimeFormat(language, HOUR);
const moment = new Intl.DateTimeFormat(language, { month: "short", day: "numeric", ...HOUR });

/** Credits as people read them; the price of one question may be far below a hundredth. */
function shown(amount) {
  const fine = amount > 0 && amount < 0.01;
  const digits = fine ? { maximumSignificantDigits: 2 } : { maximumFractionDigits: 2 };
  return new Intl.NumberFormat(language, digits).format(amount);
}

/** A moment in the reader's language and zone; of today the hour is enough. */
export function timeOf(moments, now = new Date()) {
  const when = new Date(moments);
  return (when.toDateString() === now.toDateString() ? clock : moment).format(when);
}

/** "fine", "low" from 80 % on, "out" at 100 %; after its end a period that nobody has told us of is a new one. */
export function levelOf({ used, limit, resets_at: resetsAt }, now = Date.now()) {
  if (resetsAt && Date.parse(resetsAt) <= now) return "fine";
  if (Number(used) >= Number(limit)) return "out";
  return Number(used) >= 0.8 * Number(limit) ? "low" : "fine";
}

/** Why a question was refused, with the reader's own time; undefined where the server's words have to do. */
export function refusalText({ resets_at: resetsAt }, quota) {
  if (!resetsAt || !quota) return undefined;
  if (Number(quota.left) > 0) return text("quota_short", { time: timeOf(resetsAt) });
  return usedUpText({ ...quota, resets_at: resetsAt });
}

function usedUpText({ period, resets_at: resetsAt }) {
  if (!resetsAt) return text("quota_ever");
  return text(period === "day" ? "quota_day" : "quota_used", { time: timeOf(resetsAt) });
}

export class Quota {
  #charged;
  #quota = null;
  #timer = null;

  /** `charged`: questions here are paid for, so that an empty allowance is something to say. */
  constructor({ quota, charged }) {
    this.#charged = charged;
    this.take({ quota });
  }

  /** The frame `usage.updated`. */
  take({ quota }) {
    this.#quota = quota;
    this.#show();
  }

  /** A refusal that was told its time tells it in the reader's zone. */
  explain(frame) {
    return frame.code === "quota" ? (refusalText(frame, this.#quota) ?? frame.message) : frame.message;
  }

  #show() {
    const quota = this.#quota;
    const level = quota ? levelOf(quota) : "fine";
    const isNew = quota?.resets_at && Date.parse(quota.resets_at) <= Date.now();
    byId("quota").hidden = !quota;
    byId("account-button").toggleAttribute("data-quota-out", Boolean(quota) && level === "out");
    this.#note(level);
    clearTimeout(this.#timer);
    if (!quota) return;
    this.#draw(isNew ? { ...quota, used: 0, resets_at: null } : quota, level);
    if (!quota.resets_at || isNew) return;
    const wait = Date.parse(quota.resets_at) - Date.now();
    this.#timer = setTimeout(() => this.#show(), Math.min(wait + 500, LONGEST_TIMER));
  }

  #draw({ used, limit, resets_at: resetsAt }, level) {
    const [spent, most] = [Number(used), Number(limit)];
    byId("quota").dataset.level = level;
    const meter = byId("quota-meter");
    // A limit of zero would be a meter without a scale.
    meter.max = most || 1;
    meter.value = most ? Math.min(spent, most) : 1;
    const words = text("quota_numbers", { used: shown(spent), limit: shown(most) });
    byId("quota-numbers").textContent = words;
    meter.textContent = words;
    byId("quota-level").textContent = level === "fine" ? "" : text(`quota_level_${level}`);
    byId("quota-reset").hidden = !resetsAt;
    if (resetsAt) byId("quota-reset").textContent = text("quota_reset", { time: timeOf(resetsAt) });
  }

  #note(level) {
    const note = byId("quota-note");
    note.hidden = !(this.#charged && level === "out");
    const words = note.hidden ? "" : usedUpText(this.#quota);
    if (byId("quota-note-text").textContent !== words) byId("quota-note-text").textContent = words;
  }
}

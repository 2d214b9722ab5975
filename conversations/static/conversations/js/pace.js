// When the person may ask again: a countdown on the send button, a word above the message box, the meter of today.

import { byId } from "./dom.js";
import { LONGEST_TIMER, timeOf } from "./quota.js";
import { text } from "./strings.js";

export class Pace {
  #composer;
  #turns = null;
  #until = 0;
  #timer = null;

  /** `turns`: today's questions, as the page and `usage.updated` tell them; null where days have no limit. */
  constructor({ turns, composer }) {
    this.#composer = composer;
    this.take({ turns });
  }

  /** The frame `usage.updated`. */
  take({ turns }) {
    if (turns !== undefined) this.#turns = turns;
    this.#show();
  }

  /** An `error` of the server's: of a limit it says when the next question may go. */
  refused({ limit, retry_after: after, resets_at: resetsAt }) {
    if (limit === "minute") this.#until = Date.now() + after * 1_000;
    // Whoever asks in another process may have used the last one up.
    if (limit === "day" && this.#turns) this.#turns = { ...this.#turns, left: 0, used: this.#turns.limit, resets_at: resetsAt };
    this.#show();
  }

  /** A refusal in the reader's own time. */
  explain(frame) {
    return frame.limit === "day" ? text("turns_out", { time: timeOf(frame.resets_at) }) : frame.message;
  }

  #show() {
    const turns = this.#current();
    const seconds = Math.ceil((this.#until - Date.now()) / 1_000);
    const out = turns?.left === 0;
    if (out) this.#say(text("turns_out", { time: timeOf(turns.resets_at) }), "out");
    else this.#say(seconds > 0 ? text("limited", { n: seconds }) : "", "fast");
    this.#composer.setWait(out ? Infinity : Math.max(seconds, 0));
    this.#draw(turns);
    clearTimeout(this.#timer);
    if (seconds > 0) this.#timer = setTimeout(() => this.#show(), (this.#until - Date.now()) % 1_000 || 1_000);
    else if (turns) this.#timer = setTimeout(() => this.#show(), Math.min(Date.parse(turns.resets_at) - Date.now() + 500, LONGEST_TIMER));
  }

  /** After midnight a day that nobody has told us of is a new one. */
  #current() {
    const turns = this.#turns;
    if (!turns || Date.parse(turns.resets_at) > Date.now()) return turns;
    this.#turns = null;
    return { ...turns, used: 0, left: turns.limit, resets_at: null };
  }

  #say(words, level) {
    const note = byId("pace-note");
    note.hidden = !words;
    note.dataset.level = level;
    byId("pace-note-text").textContent = words;
  }

  #draw(turns) {
    byId("turns").hidden = !turns;
    byId("account-button").toggleAttribute("data-turns-out", turns?.left === 0);
    if (!turns) return;
    const level = turns.left === 0 ? "out" : turns.used >= 0.8 * turns.limit ? "low" : "fine";
    byId("turns").dataset.level = level;
    const meter = byId("turns-meter");
    meter.max = turns.limit;
    meter.value = Math.min(turns.used, turns.limit);
    byId("turns-numbers").textContent = meter.textContent = text("turns_numbers", turns);
    byId("turns-level").textContent = level === "fine" ? "" : text(`quota_level_${level}`);
    byId("turns-reset").hidden = !turns.resets_at;
    if (turns.resets_at) byId("turns-reset").textContent = text("quota_reset", { time: timeOf(turns.resets_at) });
  }
}

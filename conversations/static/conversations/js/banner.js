// One quiet line about the connection: nothing in the first two seconds, then what happens and when.

import { byId, element, icon } from "./dom.js";
import { text } from "./strings.js";

const QUIET_FOR = 2_000;
const QUIET_AFTER_WAKE = 8_000;
const GOOD_NEWS_FOR = 2_500;

export class Banner {
  #box = byId("banner");
  #onRetry;
  #waiting;
  #lostAt = null;
  #wokeAt = 0;
  #state = { name: "connecting" };
  #clock = null;
  #shown = false;

  /** `waiting()` counts the questions that are sent when the line is back. */
  constructor({ onRetry, waiting }) {
    this.#onRetry = onRetry;
    this.#waiting = waiting;
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.#wokeAt = Date.now();
    });
  }

  /** Takes a state of the socket. */
  show(state) {
    this.#state = state;
    if (state.name === "online") this.#online();
    else if (state.name === "refused") this.#refused();
    else if (["asleep", "signed_out", "other_user"].includes(state.name)) this.#stop();
    else {
      this.#lostAt ??= Date.now();
      this.#clock ??= setInterval(() => this.#tick(), 250);
      if (this.#shown) this.#tick();
    }
  }

  #stop() {
    clearInterval(this.#clock);
    this.#clock = null;
    this.#lostAt = null;
  }

  #online() {
    this.#stop();
    if (!this.#shown) return;
    this.#shown = false;
    this.#say("check", text("online"), "good");
    setTimeout(() => {
      if (!this.#shown) this.#box.hidden = true;
    }, GOOD_NEWS_FOR);
  }

  #refused() {
    this.#stop();
    this.#say("alert", text("refused"), "warn", ["reload", () => location.reload()]);
  }

  #tick() {
    const now = Date.now();
    const quiet = now - this.#wokeAt < QUIET_AFTER_WAKE ? QUIET_AFTER_WAKE : QUIET_FOR;
    if (!this.#shown && now - this.#lostAt < quiet) return;
    this.#shown = true;
    if (!navigator.onLine) this.#say("alert", this.#offline(), "warn");
    else if (this.#state.name === "connecting") this.#say("retry", text("connecting"), "warn");
    else {
      const seconds = Math.max(0, Math.ceil((this.#state.retryAt - now) / 1000));
      this.#say("alert", text("lost", { n: seconds }), "warn", ["retry_now", this.#onRetry]);
    }
  }

  #offline() {
    const n = this.#waiting();
    return n ? text(n === 1 ? "offline_one" : "offline_some", { n }) : text("offline");
  }

  /** Changes only the words where the rest is the same, so that a button keeps its focus. */
  #say(sign, sentence, tone, action) {
    const key = `${sign}${action?.[0] ?? ""}`;
    this.#box.hidden = false;
    this.#box.dataset.tone = tone;
    if (this.#box.dataset.key !== key) {
      this.#box.dataset.key = key;
      this.#box.replaceChildren(icon(sign), element("span"));
      if (action) {
        const button = element("button", "link-button", text(action[0]));
        button.type = "button";
        button.addEventListener("click", action[1]);
        this.#box.append(button);
      }
    }
    const words = this.#box.querySelector("span");
    if (words.textContent !== sentence) words.textContent = sentence;
  }
}

// Brings the outbox to the server: one tab at a time says an entry, and each lane in order.

import { startFrame } from "./outbox.js";
import { backoff } from "./socket.js";

const DOUBT_AFTER = 4_000;
const ANSWER_WITHIN = 20_000;
const TEMPORARY = new Set(["rate_limited", "busy"]);

/** When a refused question is to be said again by itself: never (undefined), or at a time. */
export function retryTime({ code, retry_after: after }, { tries = 0, now = Date.now(), random = Math.random } = {}) {
  if (!TEMPORARY.has(code)) return undefined;
  return now + (after === undefined ? backoff(tries, random) : after * 1_000);
}

/**
 * Runs `act` while no other tab holds the name. Where there are no Web Locks, or a frame without cookies may not use
 * them, the server's unique client_id is the guard.
 */
async function alone(name, signal, act) {
  let begun = false;
  const hold = () => {
    begun = true;
    return act();
  };
  try {
    return await (navigator.locks ? navigator.locks.request(name, { signal }, hold) : act());
  } catch (error) {
    if (begun || error.name !== "SecurityError") throw error;
    return act();
  }
}

export class Sender {
  #outbox;
  #say;
  #ready;
  #doubt;
  #prepare;
  #waiting = new Map();
  #busy = new Set();
  #line = new AbortController();
  #timer = null;

  /** `say(frame)` is false where there is no line; `ready()` tells beforehand; `doubt()` asks whether it lives; `prepare(entry)` brings what goes with it, null if that did not work. */
  constructor({ outbox, say, ready, doubt, prepare }) {
    this.#prepare = prepare;
    this.#doubt = doubt;
    this.#outbox = outbox;
    this.#say = say;
    this.#ready = ready;
  }

  /** Is the answer about this question still to come? */
  sending(clientId) {
    return this.#waiting.has(clientId);
  }

  /** Sends what may go out now. */
  pump() {
    if (!this.#ready() || !this.#outbox.ready) return;
    const now = Date.now();
    const heads = this.#outbox.heads();
    for (const { clientId, retryAt } of heads) if (!(retryAt > now)) this.#send(clientId);
    clearTimeout(this.#timer);
    const next = Math.min(...heads.map(({ retryAt }) => retryAt).filter((at) => at > now));
    if (Number.isFinite(next)) this.#timer = setTimeout(() => this.pump(), next - now + 20);
  }

  /** The server has spoken about this question, and what it said is stored. */
  settled(clientId) {
    this.#waiting.get(clientId)?.();
    this.pump();
  }

  /** The line is gone: whoever has one may try. */
  lost() {
    this.#line.abort();
    this.#line = new AbortController();
    for (const settle of [...this.#waiting.values()]) settle();
  }

  async #send(clientId) {
    if (this.#busy.has(clientId)) return;
    this.#busy.add(clientId);
    const { signal } = this.#line;
    try {
      await alone(`cozechat:question:${clientId}`, signal, () => this.#sendAlone(clientId, signal));
    } catch (error) {
      if (error.name !== "AbortError") throw error;
    } finally {
      this.#busy.delete(clientId);
    }
    this.pump();
  }

  async #sendAlone(clientId, signal) {
    const entry = await this.#outbox.claim(clientId);
    if (!entry || signal.aborted) return;
    await new Promise((resolve) => {
      const settle = () => {
        timers.forEach(clearTimeout);
        resolve();
      };
      const timers = [setTimeout(this.#doubt, DOUBT_AFTER), setTimeout(settle, ANSWER_WITHIN)];
      this.#waiting.set(clientId, settle);
      this.#prepare(entry).then((whole) => whole && !signal.aborted && this.#say(startFrame(whole)) || settle());
    });
    this.#waiting.delete(clientId);
  }
}

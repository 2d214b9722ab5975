// One WebSocket a tab: connects, notices a dead line, and comes back with full jitter.

const PING_EVERY = 20_000;
const PONG_WITHIN = 10_000;
const WAKE_PONG_WITHIN = 2_500;
const CONNECT_WITHIN = 15_000;
const SIGNED_OUT = 4401;
const OTHER_USER = 4403;
/** Codes after which connecting again would help nobody. */
const FINAL = { [SIGNED_OUT]: "signed_out", [OTHER_USER]: "other_user", 4022: "refused", 4030: "refused" };

/** Milliseconds to wait before the given attempt (0, 1, 2 …): anywhere between 0.5 s and a doubling limit of 30 s. */
export function backoff(attempt, random = Math.random) {
  const limit = Math.min(30_000, 1_000 * 2 ** Math.min(attempt, 10));
  return 500 + random() * (limit - 500);
}

export class Socket {
  #path;
  #user;
  #pass;
  #onFrame;
  #onState;
  #socket = null;
  #attempt = 0;
  #timers = new Map();
  #retryAfter = 0;
  #final = false;
  #greeted = false;

  /**
   * `user` is whose page this is: a socket of somebody else closes before it says or hears anything. `pass` is a
   * visitor's, who has no cookie; a handshake can carry it as a subprotocol only.
   * `onState` hears {name, retryAt?}: "connecting", "online", "lost", "asleep", "signed_out", "other_user" or
   * "refused".
   */
  constructor({ path, user, pass, onFrame, onState }) {
    this.#path = path;
    this.#user = user;
    this.#pass = pass;
    this.#onFrame = onFrame;
    this.#onState = onState;
    document.addEventListener("visibilitychange", () => document.hidden || this.check());
    addEventListener("pagehide", () => this.#sleep());
    addEventListener("pageshow", (event) => event.persisted && this.connect());
    addEventListener("online", () => this.check());
    addEventListener("offline", () => this.check());
  }

  /** Connected, and greeted by the server: before that nothing is said but the greeting. */
  get online() {
    return this.#greeted && this.#open;
  }

  get #open() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  connect() {
    this.#clear();
    this.#final = false;
    this.#greeted = false;
    this.#onState({ name: "connecting" });
    this.#socket?.close();
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const protocols = this.#pass ? ["cozechat.visit", this.#pass] : [];
    const socket = new WebSocket(`${scheme}://${location.host}${this.#path}`, protocols);
    this.#socket = socket;
    // A socket that was replaced has nothing more to say.
    const mine = (act) => (event) => socket === this.#socket && act(event);
    socket.addEventListener("open", mine(() => this.#opened()));
    socket.addEventListener("message", mine((event) => this.#received(event.data)));
    socket.addEventListener("close", mine((event) => this.#closed(event.code)));
    this.#after("connect", CONNECT_WITHIN, () => this.#drop());
  }

  /** True if the frame went out; false means: say it again when online. */
  send(frame) {
    if (!this.online) return false;
    this.#socket.send(JSON.stringify(frame));
    return true;
  }

  /** After sleep or a change of network: is the line alive? If there is none, try at once. */
  check() {
    if (this.#final) return;
    if (this.#open) this.#ping(WAKE_PONG_WITHIN);
    else if (this.#socket?.readyState !== WebSocket.CONNECTING) this.connect();
  }

  #opened() {
    this.#clear();
    this.#ping(PONG_WITHIN);
  }

  /** The page is left, perhaps for good: a page in the browser's cache has no line and holds up nobody. */
  #sleep() {
    if (this.#final) return;
    this.#clear();
    const left = this.#socket;
    this.#socket = null;
    left?.close();
    this.#onState({ name: "asleep" });
  }

  /** What comes before the greeting may be meant for somebody else, and the state that is asked for then has all of it. */
  #received(data) {
    this.#cancel("pong");
    let frame;
    try {
      frame = JSON.parse(data);
    } catch {
      return;
    }
    this.#attempt = 0;
    if (frame.type === "pong") this.#pong();
    else if (frame.type === "bye") this.#retryAfter = frame.retry_after_ms ?? 0;
    else if (this.#greeted) this.#onFrame(frame);
  }

  #pong() {
    if (this.#greeted) return;
    this.#greeted = true;
    this.#onState({ name: "online" });
  }

  #closed(code) {
    this.#clear();
    this.#socket = null;
    this.#greeted = false;
    const final = FINAL[code];
    if (final) {
      this.#final = true;
      this.#onState({ name: final });
      return;
    }
    const wait = Math.max(backoff(this.#attempt++), this.#retryAfter);
    this.#retryAfter = 0;
    this.#after("retry", wait, () => this.connect());
    this.#onState({ name: "lost", retryAt: Date.now() + wait });
  }

  /** A line that no longer answers may take minutes to close by itself, so it is given up. */
  #drop() {
    const dead = this.#socket;
    this.#closed(1006);
    dead?.close();
  }

  #schedulePing() {
    this.#after("ping", PING_EVERY, () => this.#ping(PONG_WITHIN));
  }

  #ping(within) {
    if (this.#open) this.#socket.send(JSON.stringify({ type: "ping", user: this.#user }));
    this.#after("pong", within, () => this.#drop());
    this.#schedulePing();
  }

  #after(name, delay, act) {
    this.#cancel(name);
    this.#timers.set(name, setTimeout(act, delay));
  }

  #cancel(name) {
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }

  #clear() {
    for (const name of [...this.#timers.keys()]) this.#cancel(name);
  }
}

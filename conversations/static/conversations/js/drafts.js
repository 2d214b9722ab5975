// What is typed but not sent, kept in this browser per user and conversation.

const NEW = "new";
const SAVE_AFTER = 250;
const LEFT_WITHIN = 30_000;

export class Drafts {
  #store;
  #channel;
  #leaving;
  #kept = new Map();
  #timer = null;
  #pending = null;

  constructor({ user, store }) {
    this.#store = store;
    this.#channel = new BroadcastChannel(`cozechat:drafts:${user}`);
    // The store may be too slow for a page that is being left; what a reload brings back is written at once as well.
    this.#leaving = `cozechat:leaving:${user}`;
    addEventListener("pagehide", () => this.#leave());
    addEventListener("pageshow", ({ persisted }) => persisted && this.#takeLeft());
    document.addEventListener("visibilitychange", () => document.hidden && this.flush());
    const left = this.#takeLeft();
    if (left) {
      this.#kept.set(left.name, left.content);
      store.keepDraft({ name: left.name, content: left.content });
    }
    this.opened = store.drafts().then((drafts) => {
      for (const { name, content } of drafts) if (!this.#kept.has(name)) this.#kept.set(name, content);
    });
  }

  /** The name under which a conversation's draft is kept. */
  nameOf(conversation) {
    return conversation ?? NEW;
  }

  get(conversation) {
    return this.#kept.get(this.nameOf(conversation)) ?? "";
  }

  /** Is anything typed here that was not sent? */
  any() {
    this.flush();
    return [...this.#kept.values()].some(Boolean);
  }

  /** Saves soon; typing is never held up by it. */
  set(conversation, content) {
    if (this.#pending && this.#pending.conversation !== conversation) this.flush();
    this.#pending = { conversation, content };
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.flush(), SAVE_AFTER);
  }

  /** Gone from the box; what is stored stays until its question is safe. */
  forget(conversation) {
    if (this.#pending?.conversation === conversation) this.#pending = null;
    this.#tell(conversation, "");
  }

  flush() {
    if (!this.#pending) return;
    const { conversation, content } = this.#pending;
    this.#pending = null;
    this.#tell(conversation, content);
    this.#store.keepDraft({ name: this.nameOf(conversation), content });
  }

  #leave() {
    const pending = this.#pending;
    this.flush();
    if (!pending) return;
    const left = { name: this.nameOf(pending.conversation), content: pending.content, at: Date.now() };
    try {
      sessionStorage.setItem(this.#leaving, JSON.stringify(left));
    } catch {
      // Full or forbidden: then the store has to be quick enough.
    }
  }

  #takeLeft() {
    try {
      const left = JSON.parse(sessionStorage.getItem(this.#leaving));
      sessionStorage.removeItem(this.#leaving);
      return left && Date.now() - left.at < LEFT_WITHIN ? left : null;
    } catch {
      return null;
    }
  }

  #tell(conversation, now) {
    const name = this.nameOf(conversation);
    const before = this.#kept.get(name) ?? "";
    this.#kept.set(name, now);
    this.#channel.postMessage({ name, before, now });
  }

  /** `heard(conversation, before, now)` when another tab changes a draft. */
  listen(heard) {
    this.#channel.onmessage = ({ data: { name, before, now } }) => {
      this.#kept.set(name, now);
      heard(name === NEW ? null : name, before, now);
    };
  }
}

// Questions the server has not accepted yet, shared by all tabs of a person in this browser.

/** A UUID also where the page is not served over HTTPS. */
export function newClientId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** Entries with the same lane go out one after another: a conversation, or a chat that has no name yet. */
export const laneOf = ({ conversation, chat }) => conversation ?? chat;

const inOrder = (one, other) => one.order - other.order || (one.clientId < other.clientId ? -1 : 1);

export const startFrame = ({ clientId, conversation, content, assistant, about, parameters, answers, lookUp, attachments }) => ({
  ...about,
  type: "turn.start",
  client_id: clientId,
  conversation,
  content,
  assistant: assistant ?? null,
  queue: true,
  ...(parameters && { parameters }),
  ...(answers && { answers }),
  ...(lookUp && { look_up: lookUp }),
  ...(attachments?.length && { attachments: attachments.map(({ id }) => id) }),
});

/**
 * An entry is {clientId, conversation, chat, assistant?, content, about?, parameters?, answers?, lookUp?, attachments?, createdAt, order, attempted, error?, retryAt?, tries?}.
 * `about` names the turn that it edits, regenerates or continues.
 * `attachments` are {id?, file?, name, size, image}: without an id they are still to be brought.
 * `attempted`: the server may have it. With `error` and no `retryAt` it is refused: it stays until its
 * author decides, and holds up nobody. With `retryAt` it is said again by itself, and what follows waits.
 */
export class Outbox {
  #store;
  #onChange;
  #channel;
  #stored = [];
  #fresh = new Map();
  #gone = new Set();
  #names = new Map();
  #ready = false;

  /** `onChange()` hears that entries came, went or changed; `onAccepted(frame, {chat, content})` that another tab's was accepted. */
  constructor({ user, store, onChange, onAccepted }) {
    this.#store = store;
    this.#onChange = onChange;
    this.#channel = new BroadcastChannel(`cozechat:outbox:${user}`);
    this.#channel.onmessage = ({ data }) => {
      if (data.accepted) {
        this.#gone.add(data.accepted.client_id);
        if (data.chat) this.#names.set(data.chat, data.accepted.conversation);
        onAccepted(data.accepted, data);
      }
      this.#change(() => ({}), { silent: true });
    };
    this.opened = this.#change(() => ({}), { silent: true }).then(() => (this.#ready = true));
  }

  /** Is what an earlier page left known yet? Before that, nothing may overtake it. */
  get ready() {
    return this.#ready;
  }

  all() {
    const known = new Map(this.#stored.map((entry) => [entry.clientId, entry]));
    for (const [clientId, entry] of this.#fresh) known.set(clientId, entry);
    const left = [...known.values()].filter(({ clientId }) => !this.#gone.has(clientId));
    return left.map((entry) => this.#named(entry)).sort(inOrder);
  }

  /** A chat may have been named since the entry was kept. */
  #named(entry) {
    const conversation = entry.conversation ?? this.#names.get(entry.chat) ?? null;
    return conversation === entry.conversation ? entry : { ...entry, conversation };
  }

  /** The entries of a lane, oldest first. */
  of(lane) {
    return this.all().filter((entry) => laneOf(entry) === lane);
  }

  get(clientId) {
    return this.all().find((entry) => entry.clientId === clientId);
  }

  /** What may go out now or soon: the first entry of each lane that is not refused. */
  heads() {
    const lanes = new Map();
    for (const entry of this.all()) {
      if (entry.error && !entry.retryAt) continue;
      if (!lanes.has(laneOf(entry))) lanes.set(laneOf(entry), entry);
    }
    return [...lanes.values()];
  }

  /** The conversation that a chat became, if one of its questions was accepted. */
  conversationOf(chat) {
    return this.#names.get(chat) ?? null;
  }

  /** Keeps a question and, in the same step, clears the draft it was. Returns [entry, when it is safe]. */
  add({ draft, ...question }) {
    const { content } = question;
    const order = Math.max(0, ...this.all().map((entry) => entry.order)) + 1;
    const clientId = newClientId();
    const createdAt = new Date().toISOString();
    const entry = { ...question, clientId, createdAt, order };
    this.#fresh.set(clientId, entry);
    const saved = this.#change(({ questions, drafts }) => {
      const last = Math.max(0, ...questions.map((known) => known.order));
      const kept = drafts.find(({ name }) => name === draft?.name);
      // What another tab has typed since under the same name is not this question's draft.
      const same = kept && (kept.content.trim() === content || (!kept.content.trim() && question.attachments));
      return { put: [{ ...entry, order: Math.max(order, last + 1) }], draft: same ? { ...draft, content: "" } : undefined };
    }).then(() => this.#fresh.delete(clientId));
    return [entry, saved];
  }

  /** The right to send an entry, if it is still there and still the first of its lane; else null. */
  async claim(clientId) {
    let claimed = null;
    await this.#change(
      ({ questions, chats }) => {
        claimed = null;
        const found = questions.find((entry) => entry.clientId === clientId);
        if (!found || this.#gone.has(clientId) || (found.error && !found.retryAt)) return {};
        const name = found.conversation ?? chats.find(({ chat }) => chat === found.chat)?.conversation ?? null;
        const before = questions.some(
          (entry) =>
            inOrder(entry, found) < 0 && !(entry.error && !entry.retryAt) && laneOf(entry) === laneOf(found),
        );
        if (before || found.retryAt > Date.now()) return {};
        claimed = { ...found, conversation: name, attempted: true };
        return found.attempted && name === found.conversation ? {} : { put: [claimed] };
      },
      { silent: true },
    );
    return claimed;
  }

  /** The server has it: it leaves, and what waits behind it learns the conversation. Tells the other tabs. */
  accept(frame) {
    const { client_id: clientId, conversation } = frame;
    const { chat, content } = this.get(clientId) ?? {};
    this.#gone.add(clientId);
    if (chat) this.#names.set(chat, conversation);
    this.#channel.postMessage({ accepted: frame, chat, content });
    return this.#change(({ questions }) => ({
      drop: [clientId],
      put: questions
        .filter((entry) => chat && entry.chat === chat && !entry.conversation && entry.clientId !== clientId)
        .map((entry) => ({ ...entry, conversation })),
      named: chat ? { chat, conversation } : undefined,
    }));
  }

  /** The server refused it, for good or (with `retryAt`) for now. */
  refuse(clientId, { error, retryAt }) {
    return this.#update(clientId, (entry) => ({ ...entry, error, retryAt, attempted: false, tries: (entry.tries ?? 0) + 1 }));
  }

  /** Once more, as it is; in a chat of its own if its conversation is gone. */
  retry(clientId, { chat } = {}) {
    const elsewhere = chat ? { chat, conversation: null, about: undefined } : {};
    // A file that the server does not have any more is brought anew, if it is still here.
    const anew = ({ id, ...each }) => (each.file ? each : { id, ...each });
    return this.#update(clientId, ({ error, retryAt, ...entry }) => ({
      ...entry,
      ...elsewhere,
      ...(error?.code === "attachment" && { attachments: entry.attachments?.map(anew) }),
    }));
  }

  /** Its conversation is gone: it waits, refused, in a chat of its own. */
  orphan(clientId, { chat, error }) {
    const fields = { chat, conversation: null, about: undefined, error, retryAt: undefined, attempted: false };
    return this.#update(clientId, (entry) => ({ ...entry, ...fields }));
  }

  /** Other words for a question that the server cannot have yet. */
  change(clientId, content) {
    return this.#update(clientId, (entry) => (entry.attempted ? entry : { ...entry, content }));
  }

  remove(clientId) {
    this.#gone.add(clientId);
    return this.#change(() => ({ drop: [clientId] }));
  }

  /** Nothing of this person stays in this browser. */
  clear() {
    for (const { clientId } of this.all()) this.#gone.add(clientId);
    return this.#change(() => ({ clear: true }));
  }

  #update(clientId, changed) {
    return this.#change(({ questions }) => ({
      put: questions.filter((entry) => entry.clientId === clientId).map(changed),
    }));
  }

  async #change(decide, { silent = false } = {}) {
    let before;
    let after;
    await this.#store.change(
      (kept) => {
        const decided = decide(kept);
        before = kept;
        after = decided.clear ? [] : this.#after(kept.questions, decided);
        return decided;
      },
      { rescue: () => this.all() },
    );
    this.#stored = after;
    for (const { chat, conversation } of before.chats) this.#names.set(chat, conversation);
    if (!silent) this.#channel.postMessage({ changed: true });
    this.#onChange();
  }

  #after(questions, { put = [], drop = [] }) {
    const left = new Map(questions.map((entry) => [entry.clientId, entry]));
    for (const entry of put) left.set(entry.clientId, entry);
    for (const clientId of drop) left.delete(clientId);
    return [...left.values()];
  }
}

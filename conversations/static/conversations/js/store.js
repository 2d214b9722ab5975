// What this browser keeps for one person: questions on their way, drafts, and what new chats were named.

const DATABASE = "cozechat";
const VERSION = 1;
const OPEN_WITHIN = 3_000;
const CHATS_FOR = 7 * 24 * 3_600_000;

/** What a name in this browser's storages begins with. */
const keyOf = (user, kind) => `cozechat:${kind}:${user}`;

function result(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function completed(transaction) {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? new Error("aborted"));
  });
}

function upgrade(database) {
  database.createObjectStore("questions", { keyPath: "clientId" }).createIndex("user", "user");
  database.createObjectStore("chats", { keyPath: "chat" }).createIndex("user", "user");
  database.createObjectStore("drafts", { keyPath: ["user", "name"] }).createIndex("user", "user");
}

/** A database that never answers must not hold up a question: then the tab's own storage serves. */
async function openDatabase() {
  const request = indexedDB.open(DATABASE, VERSION);
  request.onupgradeneeded = () => upgrade(request.result);
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("late")), OPEN_WITHIN);
  });
  try {
    return await Promise.race([result(request), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** IndexedDB: shared by all tabs, and still there after a crash. */
class DatabaseStore {
  #user;
  #database;

  constructor(user, database) {
    this.#user = user;
    this.#database = database;
    // Another tab with a newer page must not be kept from upgrading.
    database.onversionchange = () => database.close();
  }

  drafts() {
    const drafts = this.#database.transaction("drafts").objectStore("drafts");
    return result(drafts.index("user").getAll(this.#user));
  }

  /** Reads nothing first: what is asked for while the page is being left is still done. */
  keepDraft(draft) {
    const transaction = this.#database.transaction("drafts", "readwrite");
    const ended = completed(transaction);
    this.#draft(transaction.objectStore("drafts"), draft);
    transaction.commit?.();
    return ended;
  }

  /** One transaction: shows `decide` what is stored, and stores what it says. */
  async change(decide) {
    const transaction = this.#database.transaction(["questions", "chats", "drafts"], "readwrite");
    const stores = Object.fromEntries([...transaction.objectStoreNames].map((name) => [name, transaction.objectStore(name)]));
    const ended = completed(transaction);
    const [questions, chats, drafts] = await Promise.all(
      ["questions", "chats", "drafts"].map((name) => result(stores[name].index("user").getAll(this.#user))),
    );
    const { put = [], drop = [], named, draft, clear } = decide({ questions, chats, drafts });
    if (clear) this.#clear(stores, { questions, chats, drafts });
    for (const question of put) stores.questions.put({ ...question, user: this.#user });
    for (const clientId of drop) stores.questions.delete(clientId);
    if (named) stores.chats.put({ ...named, user: this.#user, at: Date.now() });
    for (const { chat, at } of chats) if (at < Date.now() - CHATS_FOR) stores.chats.delete(chat);
    this.#draft(stores.drafts, draft);
    await ended;
  }

  #draft(drafts, draft) {
    if (draft?.content) drafts.put({ ...draft, user: this.#user });
    else if (draft) drafts.delete([this.#user, draft.name]);
  }

  #clear(stores, { questions, chats, drafts }) {
    for (const { clientId } of questions) stores.questions.delete(clientId);
    for (const { chat } of chats) stores.chats.delete(chat);
    for (const { name } of drafts) stores.drafts.delete([this.#user, name]);
  }
}

/** Where there is no IndexedDB: this page, and the tab's session storage as far as it is allowed. */
class TabStore {
  #key;
  #kept;

  constructor(user) {
    this.#key = keyOf(user, "kept");
    try {
      this.#kept = JSON.parse(sessionStorage.getItem(this.#key));
    } catch {
      // Forbidden or damaged: begin with nothing.
    }
    this.#kept ??= { questions: [], chats: [], drafts: [] };
  }

  drafts() {
    return this.#kept.drafts;
  }

  keepDraft(draft) {
    this.change(() => ({ draft }));
  }

  change(decide) {
    const { put = [], drop = [], named, draft, clear } = decide(structuredClone(this.#kept));
    if (clear) this.#kept = { questions: [], chats: [], drafts: [] };
    const gone = new Set([...drop, ...put.map(({ clientId }) => clientId)]);
    this.#kept.questions = [...this.#kept.questions.filter(({ clientId }) => !gone.has(clientId)), ...put];
    if (named) this.#kept.chats = [...this.#kept.chats.filter(({ chat }) => chat !== named.chat), named];
    if (draft) {
      this.#kept.drafts = this.#kept.drafts.filter(({ name }) => name !== draft.name);
      if (draft.content) this.#kept.drafts.push(draft);
    }
    try {
      sessionStorage.setItem(this.#key, JSON.stringify(this.#kept));
    } catch {
      // Full or forbidden: it still lives in this page.
    }
  }
}

/** One of the two, chosen when the page opens; a database that fails later gives way to the tab. */
export class Store {
  #user;
  #chosen;

  /** What must not outlive its tab is kept by the tab alone (`inTab`). */
  constructor(user, { inTab = false } = {}) {
    this.#user = user;
    this.#chosen = inTab ? Promise.resolve(new TabStore(user)) : this.#open();
  }

  async #open() {
    try {
      return new DatabaseStore(this.#user, await openDatabase());
    } catch {
      return new TabStore(this.#user);
    }
  }

  /** Drafts {name, content} of this person. */
  async drafts() {
    const store = await this.#chosen;
    try {
      return await store.drafts();
    } catch {
      if (store === (await this.#chosen)) this.#chosen = Promise.resolve(new TabStore(this.#user));
      return (await this.#chosen).drafts();
    }
  }

  /** Keeps a draft {name, content}; one without content is forgotten. */
  async keepDraft(draft) {
    const store = await this.#chosen;
    try {
      await store.keepDraft(draft);
    } catch {
      await this.change(() => ({ draft }));
    }
  }

  /**
   * `decide({questions, chats, drafts})` says what to store: `put` (questions), `drop` (client ids), `named`
   * ({chat, conversation}), `draft` ({name, content}), `clear`. Nobody else changes anything in between.
   * `decide` may be called once more, so it must not remember. Resolves when it is stored.
   */
  async change(decide, { rescue = () => [] } = {}) {
    const store = await this.#chosen;
    try {
      await store.change(decide);
    } catch {
      if (store === (await this.#chosen)) this.#chosen = Promise.resolve(this.#rescued(rescue()));
      (await this.#chosen).change(decide);
    }
  }

  #rescued(put) {
    const tab = new TabStore(this.#user);
    tab.change(() => ({ put }));
    return tab;
  }
}

// JSON over HTTP: with the login cookie and the CSRF header, or with a visitor's pass and no cookie at all.

const token = document.querySelector('meta[name="csrf-token"]')?.content;
let pass = null;

/** From now on a visitor's pass is shown. */
export const show = (shown) => (pass = shown);

const identity = () => (token === undefined ? pass && { Authorization: `Visit ${pass}` } : { "X-CSRFToken": token });

/** The parsed answer (null for 204). Throws an Error with `status`, and `words` to show if it has any, for anything but success. */
async function request(path, { method = "GET", body } = {}) {
  const response = await fetch(path, {
    method,
    headers: { Accept: "application/json", "Content-Type": "application/json", ...identity() },
    body: body === undefined ? undefined : JSON.stringify(body),
    credentials: token === undefined ? "omit" : "same-origin",
    signal: AbortSignal.timeout(20_000),
  });
  if (!response.ok) {
    const words = (await response.json().catch(() => null))?.error?.message;
    throw Object.assign(new Error(`HTTP ${response.status}`), { status: response.status, words });
  }
  return response.status === 204 ? null : response.json();
}

const one = (id) => `/api/conversations/${encodeURIComponent(id)}`;

export const renameConversation = (id, title) => request(`${one(id)}/`, { method: "PATCH", body: { title } });
export const findConversations = (query) => request(`/api/search?q=${encodeURIComponent(query)}`);

/** A page of the list, or of the place (URLSearchParams) that is shown instead. */
export const listConversations = (after, place = "") =>
  request(`/api/conversations/?${new URLSearchParams([...new URLSearchParams(place), ["after", after]])}`);

const post = (path, body) => request(path, { method: "POST", body });

export const arrangeConversations = (ids, wish) => post("/api/arrange", { ids, ...wish });
export const discardConversations = (ids) => post("/api/discard", { ids });
export const restoreConversations = (ids) => post("/api/restore", { ids });

export const listFolders = () => request("/api/folders/");
export const makeFolder = (name) => post("/api/folders/", { name });
export const changeFolder = (id, name) => request(`/api/folders/${id}/`, { method: "PATCH", body: { name } });
export const deleteFolder = (id) => request(`/api/folders/${id}/`, { method: "DELETE" });

export const chooseVersion = (id, turn) => request(`${one(id)}/`, { method: "PATCH", body: { turn } });
export const deleteTurn = (id, turn) => request(`${one(id)}/turns/${turn}`, { method: "DELETE" });
export const restoreTurn = (id, turn) => request(`${one(id)}/turns/${turn}/restore`, { method: "POST" });
export const clearContext = (id) => request(`${one(id)}/cuts`, { method: "POST" });
export const restoreContext = (id, cut) => request(`${one(id)}/cuts/${cut}`, { method: "DELETE" });

/** One page of messages, the newest if `before` is not given; chronological. */
export function listMessages(id, { before, limit = 50 } = {}) {
  const query = new URLSearchParams({ limit });
  if (before) query.set("before", before);
  return request(`${one(id)}/messages?${query}`);
}

/** What the reader thinks of an answer; null takes it back. */
export const judge = (id, turn, feedback) =>
  request(`${one(id)}/turns/${turn}/feedback`, feedback ? { method: "PUT", body: feedback } : { method: "DELETE" });

/** One choice and its value, as `{name: value}`. */
export const saveSettings = (changed) => request("/api/me/settings", { method: "PATCH", body: changed });

/** Is the person known by a pass that each request shows, and not by a cookie? */
export const isPass = () => token === undefined;
export const fileAt = (id) => `/api/uploads/${encodeURIComponent(id)}/`;

/** A file of one's own, as a blob. */
export async function fetchFile(id) {
  const response = await fetch(fileAt(id), { headers: identity(), credentials: isPass() ? "omit" : "same-origin" });
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  return response.blob();
}

/** Brings a file to the server; `progress(0…1)`. `ended` is what the server says of it, or an Error as above: without `status` there is no line. */
export function startUpload(file, name, progress = () => {}) {
  // What fetch cannot tell: how much has gone out.
  const sending = new XMLHttpRequest();
  const ended = new Promise((resolve, reject) => {
    const fail = (fields) => reject(Object.assign(new Error("upload"), fields));
    sending.open("POST", "/api/uploads/");
    sending.responseType = "json";
    for (const [header, value] of Object.entries(identity() || {})) sending.setRequestHeader(header, value);
    sending.upload.onprogress = ({ loaded, total }) => progress(total ? loaded / total : 0);
    sending.onload = () => {
      const { status, response } = sending;
      if (status === 201) resolve(response);
      else fail({ status, words: response?.error?.message });
    };
    sending.onerror = () => fail({});
    sending.onabort = () => fail({ status: 499 });
    const form = new FormData();
    form.append("file", file, name);
    sending.send(form);
  });
  return { ended, abort: () => sending.abort() };
}

export const upload = (file, name) => startUpload(file, name).ended;

export const beginVisit = (language) => request("/api/visit", { method: "POST", body: { language } });
export const lookAtVisit = () => request("/api/visit");
export const endVisit = () => request("/api/visit", { method: "DELETE" });
export const claimVisit = (shown) => request("/api/visit/claim", { method: "POST", body: { pass: shown } });

/** Said while the page goes: nobody waits for an answer. */
export function leaveVisit() {
  fetch("/api/visit/leave", { method: "POST", headers: identity(), credentials: "omit", keepalive: true }).catch(() => {});
}

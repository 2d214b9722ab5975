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
export const deleteConversation = (id) => request(`${one(id)}/`, { method: "DELETE" });
export const listConversations = (after) => request(`/api/conversations/?after=${encodeURIComponent(after)}`);

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

export const beginVisit = (language) => request("/api/visit", { method: "POST", body: { language } });
export const lookAtVisit = () => request("/api/visit");
export const endVisit = () => request("/api/visit", { method: "DELETE" });
export const claimVisit = (shown) => request("/api/visit/claim", { method: "POST", body: { pass: shown } });

/** Said while the page goes: nobody waits for an answer. */
export function leaveVisit() {
  fetch("/api/visit/leave", { method: "POST", headers: identity(), credentials: "omit", keepalive: true }).catch(() => {});
}

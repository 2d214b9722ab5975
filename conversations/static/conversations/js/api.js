// JSON over HTTP with the login cookie and the CSRF header.

const token = document.querySelector('meta[name="csrf-token"]').content;

/** The parsed answer (null for 204). Throws an Error with `status` for anything but success. */
async function request(path, { method = "GET", body } = {}) {
  const response = await fetch(path, {
    method,
    headers: { Accept: "application/json", "Content-Type": "application/json", "X-CSRFToken": token },
    body: body === undefined ? undefined : JSON.stringify(body),
    credentials: "same-origin",
    signal: AbortSignal.timeout(20_000),
  });
  if (!response.ok) throw Object.assign(new Error(`HTTP ${response.status}`), { status: response.status });
  return response.status === 204 ? null : response.json();
}

const one = (id) => `/api/conversations/${encodeURIComponent(id)}`;

export const renameConversation = (id, title) => request(`${one(id)}/`, { method: "PATCH", body: { title } });
export const deleteConversation = (id) => request(`${one(id)}/`, { method: "DELETE" });
export const listConversations = (after) => request(`/api/conversations/?after=${encodeURIComponent(after)}`);

/** One page of messages, the newest if `before` is not given; chronological. */
export function listMessages(id, { before, limit = 50 } = {}) {
  const query = new URLSearchParams({ limit });
  if (before) query.set("before", before);
  return request(`${one(id)}/messages?${query}`);
}

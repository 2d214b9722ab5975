// A tab without an account: the pass that it alone keeps, whether another tab has a copy of it, and its end.

import { beginVisit, claimVisit, endVisit, leaveVisit, lookAtVisit, show } from "./api.js";
import { byId } from "./dom.js";
import { KEEP, PASS, read, write } from "./tab.js";

const FREE_WITHIN = 1_500;
const A_PASS = /^[\w.-]{32,200}$/;

/**
 * Is this tab the only one with the pass? Duplicating a tab copies its storage; the copy finds the lock held. A page
 * that is loaded anew may meet the lock of the one before for a moment. Without Web Locks nobody can tell.
 */
function mine(pass) {
  if (!navigator.locks) return true;
  return new Promise((resolve) => {
    const hold = () => {
      resolve(true);
      // Until the page ends.
      return new Promise(() => {});
    };
    const options = { signal: AbortSignal.timeout(FREE_WITHIN) };
    navigator.locks.request(`cozechat:visit:${pass}`, options, hold).catch(({ name }) => resolve(name !== "TimeoutError"));
  });
}

/** The visit that this tab has already; null when there is none, it is over, or another tab has it. */
async function known() {
  const pass = read(PASS);
  if (!A_PASS.test(pass ?? "") || !(await mine(pass))) return null;
  show(pass);
  try {
    return { pass, ...(await lookAtVisit()) };
  } catch (error) {
    if (error.status !== 404) throw error;
    return null;
  }
}

async function begun() {
  const visit = await beginVisit(document.documentElement.lang);
  write(PASS, visit.pass);
  show(visit.pass);
  await mine(visit.pass);
  return visit;
}

/** The page's configuration, a visitor's with the key and the pass in it. Never resolves where nobody may visit. */
export async function identified(config) {
  if (!config.visiting) return config;
  try {
    const visit = (await known()) ?? (await begun());
    write(KEEP, null);
    addEventListener("pagehide", leaveVisit);
    return { ...config, ...visit };
  } catch (error) {
    refuse(error);
    return new Promise(() => {});
  }
}

function refuse({ words }) {
  const note = byId("visit-refused");
  if (words) note.querySelector("p").textContent = words;
  note.hidden = false;
  byId("composer-input").disabled = true;
}

/** The ways out: to an account, which keeps the chats, or to the end. `open()` is the conversation in sight. */
export function setUpLeaving({ home }, open) {
  for (const link of document.querySelectorAll("[data-keep]")) {
    link.addEventListener("click", () => write(KEEP, open() ?? "new"));
  }
  byId("visit-end")?.addEventListener("click", async () => {
    await endVisit().catch(() => {});
    forget();
    location.replace(home);
  });
}

/** The pass opens nothing any more. */
export const forget = () => write(PASS, null);

/** A visitor of this tab has become a member: the chats follow. Returns what was in sight, or null for nothing. */
export async function claimKept() {
  const [pass, open] = [read(PASS), read(KEEP)];
  if (!pass || !open) return null;
  try {
    await claimVisit(pass);
  } catch (error) {
    // Who signed up has them already.
    if (!error.status) return null;
  }
  forget();
  write(KEEP, null);
  return open;
}

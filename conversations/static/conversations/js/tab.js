// What a tab keeps for itself: its storage, or where that is forbidden (a frame without cookies) this page's memory.

const memory = new Map();

export function read(name) {
  try {
    return sessionStorage.getItem(name) ?? null;
  } catch {
    return memory.get(name) ?? null;
  }
}

/** Keeps a text; null forgets it. */
export function write(name, value) {
  try {
    if (value === null) sessionStorage.removeItem(name);
    else sessionStorage.setItem(name, value);
  } catch {
    memory.set(name, value);
  }
}

/** A visitor's pass, and the conversation that a visitor wants to keep ("new" for none in particular). */
export const PASS = "cozechat:visit";
export const KEEP = "cozechat:keep";

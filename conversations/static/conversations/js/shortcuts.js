// Keyboard shortcuts: one table and one listener decide, so that no chord is handled twice; the list can bind them otherwise.

import { bindShortcut } from "./api.js";
import { byId } from "./dom.js";
import { setting, tell } from "./look.js";
import { text } from "./strings.js";

const MAC = /Mac|iPhone|iPad/.test(navigator.platform);
// By place where the layout or a modifier says something else ("Alt+R" is ® on a Mac, "Shift+;" is ":").
const PLACES = { Semicolon: ";", Quote: "'", Slash: "/", Comma: ",", Period: "." };
const SIGNS = MAC ? { Mod: "⌘", Alt: "⌥", Shift: "⇧" } : { Mod: "Ctrl" };
const NAMES = { Escape: "Esc", Backspace: "⌫", ArrowUp: "↑", ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→" };

function keyOf({ key, code }) {
  if (/^[a-z]$/i.test(key)) return key.toUpperCase();
  return PLACES[code] ?? code.match(/^(?:Key|Digit)(.)$/)?.[1] ?? key;
}

/** "Mod+Shift+O" for what was pressed; "" for a modifier alone. */
export function chordOf(event) {
  if (["Control", "Meta", "Alt", "Shift"].includes(event.key)) return "";
  const held = [(event.ctrlKey || event.metaKey) && "Mod", event.altKey && "Alt", event.shiftKey && "Shift"];
  return [...held, keyOf(event)].filter(Boolean).join("+");
}

const shown = (keys) => keys.split("+").map((part) => SIGNS[part] ?? NAMES[part] ?? part);

export class Shortcuts {
  #dialog = byId("shortcuts-dialog");
  #acts;
  #bound = {};
  #learning = null;

  /** `acts` answer false where there is nothing to do; then the chord is the browser's. */
  constructor(acts) {
    this.#acts = { ...acts, shortcuts: () => this.open() };
    const rows = this.#dialog?.querySelectorAll("[data-shortcut]") ?? [];
    this.#take(Object.fromEntries([...rows].map(({ dataset }) => [dataset.shortcut, dataset.keys])));
    document.addEventListener("keydown", (event) => this.#pressed(event));
    addEventListener("look", ({ detail }) => detail.shortcuts && this.#take(detail.shortcuts));
    this.#dialog?.addEventListener("click", (event) => this.#clicked(event));
    this.#dialog?.addEventListener("close", () => this.#learn(null));
  }

  open() {
    this.#dialog?.showModal();
  }

  #pressed(event) {
    // In the middle of a composition keys belong to the input method.
    if (event.defaultPrevented || event.isComposing || event.keyCode === 229) return;
    if (this.#learning) return this.#learned(event);
    if (event.repeat || setting("use_shortcuts") === "off") return;
    const chord = chordOf(event);
    const act = chord && Object.keys(this.#bound).find((name) => this.#bound[name] === chord);
    // What lies on top has the keys; it closes by Esc.
    if (!act || document.querySelector("dialog[open], :popover-open")) return;
    if (this.#acts[act]?.() !== false) event.preventDefault();
  }

  #clicked(event) {
    const button = event.target.closest("button[data-bind]");
    if (button) this.#learn(button.closest("[data-shortcut]"));
    else if (event.target === this.#dialog) this.#dialog.close();
  }

  #learn(row) {
    this.#learning?.removeAttribute("data-learning");
    this.#learning = row;
    row?.setAttribute("data-learning", "");
    this.#draw();
    this.#say(row ? text("shortcut_press") : "");
  }

  /** The next chord is the new one; Esc leaves all as it is, Backspace takes the shortcut away. */
  async #learned(event) {
    if (event.key === "Tab") return this.#learn(null);
    event.preventDefault();
    const chord = chordOf(event);
    if (!chord || event.repeat) return;
    const { shortcut: act } = this.#learning.dataset;
    this.#learn(null);
    if (chord === "Escape") return;
    try {
      tell({ shortcuts: await bindShortcut(act, chord === "Backspace" ? "" : chord) });
      this.#say(text("shortcut_bound"));
    } catch {
      this.#say(text("shortcut_refused"));
    }
  }

  #take(bound) {
    this.#bound = bound;
    this.#draw();
  }

  #say(words) {
    if (this.#dialog) byId("shortcuts-said").textContent = words;
  }

  #draw() {
    for (const row of this.#dialog?.querySelectorAll("[data-shortcut]") ?? []) {
      const keys = this.#bound[row.dataset.shortcut];
      const place = row.querySelector("[data-keys-of]");
      const parts = row === this.#learning ? ["…"] : keys ? shown(keys) : ["–"];
      place.replaceChildren(...parts.map((part) => Object.assign(document.createElement("kbd"), { textContent: part })));
    }
  }
}

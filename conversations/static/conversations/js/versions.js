// What a message's place in the tree shows: the versions beside it, the cut of the context below it.

import { text } from "./strings.js";

/** `versions` is {at, count, previous, next}, `cleared` {id}; both may be missing. */
export function markPlace(item, { versions, cleared }) {
  const box = item.querySelector(".versions");
  box.hidden = !versions;
  const { at = "", count = "" } = versions ?? {};
  const words = box.querySelector(".versions-at");
  words.textContent = `${at}/${count}`;
  box.setAttribute("aria-label", text("version_at", { at, count }));
  for (const link of box.querySelectorAll("[data-version]")) {
    const turn = versions?.[link.dataset.version];
    if (turn) link.setAttribute("href", `?turn=${turn}`);
    else link.removeAttribute("href");
  }
  const cut = item.querySelector(".cut");
  cut.hidden = !cleared;
  cut.dataset.cut = cleared?.id ?? "";
}

/** The turn that a pressed arrow leads to. */
export const versionOf = (link) => new URLSearchParams(link.getAttribute("href")).get("turn");

/** After another version has come, the arrow that was pressed is pressed on: the same way, else back. */
export function focusVersions(root, turn, direction) {
  const links = `[data-turn="${CSS.escape(turn)}"] .versions:not([hidden]) a[href]`;
  const found = [...root.querySelectorAll(links)];
  (found.find(({ dataset }) => dataset.version === direction) ?? found[0])?.focus({ preventScroll: true });
}

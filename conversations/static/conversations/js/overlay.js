// The sidebar where it lies over the page: on narrow screens.

import { byId } from "./dom.js";

/** Opens and closes it. */
export function setUpOverlay() {
  const shell = byId("shell");
  const opener = byId("sidebar-open");
  const narrow = matchMedia("(width < 48rem)");
  const set = (open) => {
    shell.toggleAttribute("data-sidebar", false);
    if (open) shell.dataset.sidebar = "open";
    opener.setAttribute("aria-expanded", String(open));
    byId("main").inert = open && narrow.matches;
    if (open) byId("sidebar-close").focus();
  };
  const close = () => {
    if (shell.dataset.sidebar !== "open") return false;
    set(false);
    opener.focus();
    return true;
  };
  opener.addEventListener("click", () => set(narrow.matches));
  byId("sidebar-close").addEventListener("click", close);
  byId("scrim").addEventListener("click", close);
  narrow.addEventListener("change", () => set(false));
  return { close, open: () => narrow.matches && set(true) };
}

// The chat as a part of another site: what it tells that site's page, and hears from it.

import { byId } from "./dom.js";

/** `hosts` are the sites that may show it; the page's address says which one does. */
export function setUpFrame({ hosts }, { focus }) {
  const asked = new URLSearchParams(location.search);
  const host = hosts.find((origin) => origin === asked.get("host"));
  if (["light", "dark"].includes(asked.get("theme"))) document.documentElement.dataset.theme = asked.get("theme");
  const say = (word) => host && parent.postMessage({ cozechat: word }, host);
  const close = () => say("close");
  byId("frame-close").addEventListener("click", close);
  addEventListener("message", ({ source, origin, data }) => {
    if (source === parent && origin === host && data?.cozechat === "shown") focus();
  });
  say("ready");
  return { close };
}

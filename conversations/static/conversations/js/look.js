// How this person wants the pages to be: attributes of <html>, saved one at a time, the same in all tabs.

import { saveSettings } from "./api.js";

const root = document.documentElement;
const channel = new BroadcastChannel("cozechat:look");
channel.onmessage = ({ data }) => wear(data);

const attribute = (name) => `data-${name.replaceAll("_", "-")}`;

/** What a setting says: "" for its default. Boolean ones say "on" or "off". */
export const setting = (name) => root.getAttribute(attribute(name)) ?? "";

function wear(changed) {
  for (const [name, value] of Object.entries(changed)) {
    root.setAttribute(attribute(name), typeof value === "boolean" ? (value ? "on" : "off") : value);
  }
  const scheme = { light: "light", dark: "dark" }[setting("theme")] ?? "light dark";
  document.querySelector("meta[name=color-scheme]").content = scheme;
  dispatchEvent(new CustomEvent("look", { detail: changed }));
}

/** Shows it at once, saves it, tells the other tabs; an Error if it could not be saved, and all is as before. */
export async function choose(name, value) {
  const before = setting(name);
  wear({ [name]: value });
  try {
    await saveSettings({ [name]: value });
  } catch (error) {
    wear({ [name]: before });
    throw error;
  }
  channel.postMessage({ [name]: value });
}

// On a narrow page the sections of the account stand in one line: the open one has to be in sight.
document.querySelector(".manage-nav [aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });

// The quick ones in the account menu.
for (const button of document.querySelectorAll("[data-choose]")) {
  const { choose: name, value } = button.dataset;
  const show = () => button.setAttribute("aria-pressed", String((setting(name) || "system") === value));
  addEventListener("look", show);
  button.addEventListener("click", () => choose(name, value).catch(() => {}));
  show();
}

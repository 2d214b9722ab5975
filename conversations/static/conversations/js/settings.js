// The settings page: every choice is saved as soon as it is made, and no other with it.

import { byId } from "./dom.js";
import { choose } from "./look.js";

const form = byId("settings");
const said = byId("settings-said");

function say(key) {
  said.textContent = "";
  // Said anew even if it is the same.
  requestAnimationFrame(() => (said.textContent = said.dataset[key]));
}

const valueOf = (field) => (field.type === "checkbox" ? field.checked : field.value);

/** A notification needs the browser's leave; without it the choice is not made. */
async function isAllowed(field) {
  if (field.name !== "notifications" || !field.checked) return true;
  if ((await globalThis.Notification?.requestPermission()) === "granted") return true;
  field.checked = false;
  say("denied");
  return false;
}

form.addEventListener("change", async ({ target }) => {
  if (!(await isAllowed(target))) return;
  try {
    await choose(target.name, valueOf(target));
    say("saved");
    if (target.name === "language") location.reload();
  } catch {
    say("failed");
  }
});

// Another tab has chosen: the fields say so too.
addEventListener("look", ({ detail }) => {
  for (const [name, value] of Object.entries(detail)) {
    for (const field of form.querySelectorAll(`[name="${name}"]`)) {
      if (field.type === "checkbox") field.checked = value === true || value === "on";
      else if (field.type === "radio") field.checked = field.value === value || (!value && field.defaultChecked);
    }
  }
});

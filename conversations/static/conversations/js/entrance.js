// Sign-up and log-in as a visitor meets them: it is said that the chats are kept, and the pass goes along.

import { byId } from "./dom.js";
import { KEEP, PASS, read } from "./tab.js";

const pass = read(PASS);
if (pass && read(KEEP)) {
  byId("visit-kept").hidden = false;
  document.querySelector(".try-it")?.remove();
  const field = document.querySelector("input[name=visit]");
  if (field) field.value = pass;
}

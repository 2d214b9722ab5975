// What tells a person who looks elsewhere that an answer is complete: a mark on the tab; a sound, a notification if wished.

import { setting } from "./look.js";
import { text } from "./strings.js";

const ICON = document.querySelector("link[rel=icon]");
const READ = ICON.href;
const MARK = "● ";
let unread = false;

/** An answer has ended. Says that, and nothing of what was said. */
export function finished(sentence = text("finished")) {
  if (setting("sound") === "on") chime();
  if (document.hasFocus() && !document.hidden) return;
  mark(true);
  if (setting("notifications") !== "on" || globalThis.Notification?.permission !== "granted") return;
  const told = new Notification(document.title.replace(MARK, "").split("·").at(-1).trim(), { body: sentence, tag: "cozechat" });
  told.addEventListener("click", () => {
    focus();
    told.close();
  });
}

/** The page's title, with the mark as long as it is there. */
export function entitle(title) {
  document.title = unread ? MARK + title : title;
}

function mark(isUnread) {
  if (isUnread === unread) return;
  unread = isUnread;
  ICON.href = unread ? ICON.dataset.unread : READ;
  entitle(document.title.replace(MARK, ""));
}

/** A soft tone; a browser that has heard no key or click yet keeps still. */
function chime() {
  const sound = new AudioContext();
  const [tone, volume] = [sound.createOscillator(), sound.createGain()];
  tone.frequency.value = 880;
  volume.gain.value = 0.08;
  volume.gain.exponentialRampToValueAtTime(0.0001, sound.currentTime + 0.4);
  tone.connect(volume).connect(sound.destination);
  tone.start();
  tone.stop(sound.currentTime + 0.4);
  tone.onended = () => sound.close();
}

for (const name of ["focus", "visibilitychange"]) {
  addEventListener(name, () => document.hidden || (document.hasFocus() && mark(false)));
}

// Questions that need an answer before anything happens.

import { byId } from "./dom.js";

function confirmed(dialog) {
  dialog.returnValue = "cancel";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "confirm"), { once: true });
  });
}

/** Resolves to true if the person confirms the deletion of this question and its answer. */
export function confirmDeleteTurn(question) {
  const dialog = byId("delete-turn-dialog");
  dialog.querySelector("[data-title]").textContent = question;
  return confirmed(dialog);
}

/** Resolves to true if the person gives up what was not sent from this browser. */
export const confirmSignOut = () => confirmed(byId("sign-out-dialog"));

/** Offers to sign in again; the way back leads here. */
export function showSignedOut() {
  const dialog = byId("signed-out-dialog");
  if (dialog.open) return;
  const link = dialog.querySelector("[data-sign-in]");
  const target = new URL(link.href);
  target.searchParams.set("next", location.pathname);
  link.href = target;
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  dialog.showModal();
}

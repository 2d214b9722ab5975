// Questions that need an answer before anything happens.

import { byId } from "./dom.js";

function confirmed(dialog) {
  dialog.returnValue = "cancel";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "confirm"), { once: true });
  });
}

function confirmedFor(dialog, title) {
  dialog.querySelector("[data-title]").textContent = title;
  return confirmed(dialog);
}

/** Resolves to true if the person confirms the deletion of the conversation with this title. */
export const confirmDelete = (title) => confirmedFor(byId("delete-dialog"), title);

/** The same for one question and its answer. */
export const confirmDeleteTurn = (question) => confirmedFor(byId("delete-turn-dialog"), question);

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

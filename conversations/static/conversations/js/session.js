// Whose page this is: signing out, signing in again, and somebody else at the same browser.

import { confirmSignOut, showSignedOut } from "./dialogs.js";
import { byId } from "./dom.js";

export class Session {
  #user;
  #onEnd;
  #channel;
  #ended = false;

  /**
   * `leave()` clears what is kept here; `waiting()` tells whether anything would be lost by it; `onEnd()` hears that the
   * log-in is over. A visitor's is nobody else's business (`alone`).
   */
  constructor({ user, leave, waiting, onEnd = () => {}, alone = false }) {
    this.#user = user;
    this.#onEnd = onEnd;
    this.#channel = new BroadcastChannel(alone ? `cozechat:session:${user}` : "cozechat:session");
    // A page that was opened tells those that are signed out who has signed in.
    this.#channel.postMessage({ user });
    this.#channel.onmessage = ({ data }) => this.#ended && this.#arrived(data.user);
    addEventListener("pageshow", (event) => event.persisted && this.hide());
    for (const form of document.querySelectorAll("[data-logout]")) {
      form.addEventListener("submit", async (event) => {
        event.preventDefault();
        if (waiting() && !(await confirmSignOut())) return;
        await leave();
        form.submit();
      });
    }
  }

  /** Takes a state of the socket: shows the page only to whom it belongs. */
  show({ name }) {
    if (name === "online") this.#reveal();
    else if (name === "signed_out") {
      this.#ended = true;
      this.#onEnd();
      this.hide();
      showSignedOut();
    } else if (name === "other_user") this.#arrived(null);
  }

  /** From the browser's cache a page may come back to somebody else: it stays covered until the server knows. */
  hide() {
    byId("shell").classList.add("shell-hidden");
  }

  #reveal() {
    byId("shell").classList.remove("shell-hidden");
    if (this.#ended) byId("signed-out-dialog").close();
    this.#ended = false;
  }

  /** The same person finds everything as it was; anybody else gets a page of their own. */
  #arrived(user) {
    this.hide();
    if (user === this.#user) location.reload();
    else location.replace("/");
  }
}

// What a run is given, where the message box would be: a form, folded once it was sent, filled again for another run.

import { byId, element, icon } from "./dom.js";
import { Form, written } from "./form.js";
import { text } from "./strings.js";

function button(sign, words, act) {
  const made = element("button", "button");
  made.type = "button";
  made.append(icon(sign), element("span", "", text(words)));
  made.addEventListener("click", act);
  return made;
}

export class RunForm {
  #place = byId("run-form");
  #composer = byId("composer");
  #form = null;
  #assistant = null;
  #onRun;

  #running = false;
  #onStop;

  /** `onRun({content, parameters})` when the values can be read, `onStop()` ends what runs. */
  constructor({ onRun, onStop }) {
    this.#onRun = onRun;
    this.#onStop = onStop;
  }

  /** While something runs, its end stands beside the form's button. */
  setRunning(running) {
    if (this.#running === running) return;
    this.#running = running;
    if (this.#place.hasAttribute("data-folded")) this.fold();
  }

  /** Whether the open conversation is had by message box. */
  get hasBox() {
    return !this.#assistant?.form;
  }

  /** Whose form it is; one that takes words has none. `folded`: there is something to read above it. */
  show(assistant, { folded }) {
    const same = this.#assistant?.id === assistant?.id;
    this.#assistant = assistant;
    this.#composer.toggleAttribute("data-form", !this.hasBox);
    this.#place.hidden = this.hasBox;
    if (this.hasBox) {
      this.#place.replaceChildren();
      this.#form = null;
    } else if (!same || !this.#form || folded !== this.#place.hasAttribute("data-folded")) {
      if (folded) this.fold();
      else this.open();
    }
  }

  /** The form, with these values or those that are usual. */
  open(values = {}) {
    const { inputs } = this.#assistant;
    const onCancel = this.#hasThread ? () => this.fold() : undefined;
    this.#form = new Form({ inputs, values, send: text("run"), onSubmit: (read) => this.#run(read), onCancel });
    this.#place.replaceChildren(this.#form.element);
    this.#place.removeAttribute("data-folded");
  }

  /** One button in its place. */
  fold() {
    this.#form = null;
    const again = button("edit", "run_anew", () => this.edit(this.#last));
    const stop = this.#running ? [button("stop", "stop", this.#onStop)] : [];
    this.#place.replaceChildren(...stop, again);
    this.#place.setAttribute("data-folded", "");
  }

  /** The values of the last run that stands above. */
  get #last() {
    const asked = [...byId("thread").querySelectorAll(".message-user[data-parameters]")].map(({ dataset }) => JSON.parse(dataset.parameters));
    const names = this.#assistant.inputs.map(({ name }) => name);
    return asked.findLast((values) => names.some((name) => name in values)) ?? {};
  }

  /** The form, filled and in sight; `problems` by the names of the inputs. */
  edit(values, problems) {
    if (this.hasBox) return;
    this.open(values);
    if (problems) this.#form.problems(problems);
    else this.#form.focus();
  }

  get #hasThread() {
    return byId("thread").children.length > 0;
  }

  #run(values) {
    const content = written(this.#assistant.inputs, values);
    this.fold();
    this.#onRun({ content, parameters: values });
  }
}

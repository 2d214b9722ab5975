// The tools that were invoked on the way to an answer: one list above it, each to be unfolded.

import { fromTemplate } from "./dom.js";
import { text } from "./strings.js";

const WORDS = {
  running: "step_running",
  completed: "step_completed",
  failed: "step_failed",
  timed_out: "step_timed_out",
  stopped: "step_stopped",
};

const shown = (seconds) => `${seconds.toFixed(1)}s`;

/** A step that still runs when its turn has ended was stopped with it. */
export function endSteps(steps) {
  for (const [id, step] of steps) if (step.status === "running") steps.set(id, { ...step, status: "stopped" });
}

export const isAnyRunning = (steps) => [...steps.values()].some(({ status }) => status === "running");

/** Brings the list inside `item` in line with `steps` (by id); what is unfolded stays so. */
export function drawSteps(item, steps) {
  if (!steps.size) return;
  const box = item.querySelector(".steps");
  const list = box.querySelector(".steps-list");
  box.hidden = false;
  for (const step of steps.values()) {
    let line = list.querySelector(`[data-step="${CSS.escape(step.id)}"]`);
    if (!line) {
      line = fromTemplate("step");
      line.dataset.step = step.id;
      list.append(line);
    }
    drawStep(line, step);
  }
  summarize(box, [...steps.values()]);
}

function drawStep(line, { title, status, seconds, tokens, payload, outcome, started_at: startedAt }) {
  if (status === "running" && line.dataset.status !== "running") {
    line.dataset.since = Math.min(Date.now(), Date.parse(startedAt) || Date.now());
  }
  line.dataset.status = status;
  line.querySelector(".step-title").textContent = title;
  line.querySelector(".step-status").textContent = text(WORDS[status] ?? status);
  const facts = [typeof seconds === "number" && shown(seconds), tokens && text("step_tokens", { n: tokens })];
  line.querySelector(".step-time").textContent = facts.filter(Boolean).join(" · ");
  // A conversation's state comes without them.
  if (payload !== undefined) line.querySelector(".step-payload").textContent = payload;
  if (outcome !== undefined) line.querySelector(".step-outcome").textContent = outcome;
}

function summarize(box, steps) {
  const running = steps.filter(({ status }) => status === "running");
  const words = box.querySelector(".steps-words");
  box.toggleAttribute("data-running", running.length > 0);
  if (!running.length) box.querySelector(".steps-time").textContent = "";
  const nodes = steps.every(({ kind }) => kind === "node");
  if (running.length) {
    const tool = running.map(({ title }) => title).join(", ");
    words.textContent = text(nodes ? "nodes_running" : "steps_using", { tool });
  } else if (steps.length === 1) words.textContent = text(nodes ? "nodes_one" : "steps_one");
  else words.textContent = text(nodes ? "nodes_some" : "steps_some", { n: steps.length });
}

/** The seconds of what runs. */
export function tickSteps(root) {
  for (const line of root.querySelectorAll('.step[data-status="running"][data-since]')) {
    const seconds = Math.floor((Date.now() - Number(line.dataset.since)) / 1000);
    if (seconds >= 1) line.querySelector(".step-time").textContent = `${seconds}s`;
  }
  for (const box of root.querySelectorAll(".steps[data-running]")) {
    const times = [...box.querySelectorAll('.step[data-status="running"][data-since]')].map((line) => Number(line.dataset.since));
    const seconds = Math.floor((Date.now() - Math.min(...times)) / 1000);
    if (seconds >= 1 && Number.isFinite(seconds)) box.querySelector(".steps-time").textContent = `${seconds}s`;
  }
}

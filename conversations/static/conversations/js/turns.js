// What the frames of a turn mean: a pure reducer without a page, so that any order and any repeat is safe.

const TERMINAL = new Set(["completed", "canceled", "interrupted", "requires_action", "failed"]);

export const isTerminal = (status) => TERMINAL.has(status);

/**
 * `text` is the whole answer so far, `pieces` its finished blocks as safe HTML and `liveFrom` where the rest,
 * still plain text, begins. `thought` is what was thought aloud, `thoughtFor` how long (seconds). `steps` are the tools that were invoked, by id. `generation` counts how often `pieces` was begun anew.
 */
export function newTurn(id) {
  return {
    id,
    seq: 0,
    text: "",
    pieces: [],
    generation: 0,
    liveFrom: 0,
    steps: new Map(),
    thought: "",
    thoughtFor: undefined,
    status: "in_progress",
    error: null,
    interrupt: null,
    run: null,
    message: null,
    pendingHtml: [],
    syncParts: [],
    syncing: false,
  };
}

/** Asks for everything from the server once more; until it comes, deltas are ignored. */
export function resumeFrame(turn) {
  turn.syncing = true;
  return { type: "turn.resume", turn: turn.id, seq: turn.seq };
}

function delta(turn, frame) {
  if (turn.syncing || frame.seq <= turn.seq) return {};
  if (frame.seq > turn.seq + 1) return { send: resumeFrame(turn) };
  turn.text += frame.content;
  turn.seq = frame.seq;
  return { changed: true };
}

function html(turn, frame) {
  if (turn.syncing) return {};
  if (frame.seq > turn.seq) return { send: resumeFrame(turn) };
  turn.pendingHtml.push(frame.html);
  if (!frame.last) return {};
  const piece = turn.pendingHtml.join("");
  turn.pendingHtml = [];
  if (frame.block === 0) {
    turn.pieces = [piece];
    turn.generation += 1;
  } else {
    turn.pieces.push(piece);
  }
  turn.liveFrom = turn.text.length - frame.tail;
  return { changed: true };
}

function sync(turn, frame) {
  if (frame.offset === 0 || frame.offset === undefined) turn.syncParts = [];
  turn.syncParts.push(frame.content);
  if (frame.last === false) return {};
  turn.text = turn.syncParts.join("");
  turn.syncParts = [];
  turn.seq = frame.seq;
  turn.syncing = false;
  turn.pieces = [];
  turn.pendingHtml = [];
  turn.generation += 1;
  turn.liveFrom = 0;
  return { changed: true };
}

function terminal(turn, frame) {
  const repeated = isTerminal(turn.status);
  turn.status = frame.type.slice("turn.".length);
  turn.error = frame.error ?? null;
  turn.interrupt = frame.interrupt ?? null;
  turn.run = frame.run ?? null;
  turn.message = frame.message ?? null;
  const incomplete = frame.length !== undefined && frame.length !== turn.text.length;
  const unrendered = turn.text.slice(turn.liveFrom).trim() !== "";
  turn.syncing = false;
  const stepsMissing = (frame.steps ?? 0) !== turn.steps.size;
  const thoughtMissing = (frame.reasoning ?? 0) !== turn.thought.length;
  turn.facts = { usage: frame.usage, seconds: frame.seconds, log_id: frame.log_id };
  turn.cached = frame.cached;
  const refetch = incomplete || unrendered || stepsMissing || thoughtMissing;
  return { changed: true, ended: !repeated, refetch, mismatch: incomplete };
}

/** A tool is invoked, or has ended: the same id again takes the place of the former. */
function step(turn, frame) {
  const isNew = !turn.steps.has(frame.step.id) && frame.step.status === "running";
  turn.steps.set(frame.step.id, frame.step);
  return { changed: true, begun: isNew ? frame.step : null };
}

/** What is thought aloud from `offset` on; where something is missing before it, everything is asked for. */
function reasoning(turn, { offset, content, seconds }) {
  if (offset > turn.thought.length) return turn.syncing ? {} : { send: resumeFrame(turn) };
  turn.thought = turn.thought.slice(0, offset) + content;
  turn.thoughtFor = seconds;
  return { changed: true };
}

/** Is this text what the server says it sent? Browsers offer the sum on secure pages only: else nothing is known. */
export async function matches(content, digest) {
  if (!digest || !globalThis.crypto?.subtle) return true;
  const sum = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(content)));
  return [...sum].map((byte) => byte.toString(16).padStart(2, "0")).join("") === digest;
}

/** Applies one frame; says whether the picture changed, the turn ended, and what to ask the server for. */
export function applyFrame(turn, frame) {
  switch (frame.type) {
    case "turn.delta":
      return delta(turn, frame);
    case "turn.html":
      return html(turn, frame);
    case "turn.sync":
      return sync(turn, frame);
    case "turn.reasoning":
      return reasoning(turn, frame);
    case "turn.step":
      return step(turn, frame);
    default:
      return isTerminal(frame.type.slice("turn.".length)) ? terminal(turn, frame) : {};
  }
}

// The monitoring page renews itself: its own address is fetched again, and what has changed takes the old one's place.
// Hidden, it rests; without this script a reload does the same.
const EVERY = 10_000;
const live = document.getElementById("board-live");
const note = document.getElementById("board-note");
let timer = 0;

const open = (root) => [...root.querySelectorAll("details[open][id]")].map((one) => one.id);

function isBusy() {
  const selection = document.getSelection();
  const selects = selection && !selection.isCollapsed && live.contains(selection.anchorNode);
  return selects || (live.contains(document.activeElement) && document.activeElement !== document.body);
}

function show(text) {
  const fresh = new DOMParser().parseFromString(text, "text/html").getElementById("board-live");
  if (!fresh) throw new Error("not the page");
  for (const id of open(live)) fresh.querySelector(`#${CSS.escape(id)}`)?.setAttribute("open", "");
  const scrolled = [...live.querySelectorAll("[data-scroll]")].map((one) => one.scrollLeft);
  live.replaceChildren(...fresh.childNodes);
  live.querySelectorAll("[data-scroll]").forEach((one, number) => (one.scrollLeft = scrolled[number] ?? 0));
}

async function renew() {
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(EVERY) });
    if (answer.redirected || answer.status === 404) return location.reload();
    if (!answer.ok) throw new Error(answer.status);
    const text = await answer.text();
    // Whoever reads a table with the keyboard, or marks a number, is not disturbed.
    if (!document.hidden && !isBusy()) show(text);
    note.hidden = true;
  } catch {
    note.hidden = false;
  }
  rest();
}

function rest() {
  clearTimeout(timer);
  if (!document.hidden) timer = setTimeout(renew, EVERY);
}

document.addEventListener("visibilitychange", () => {
  clearTimeout(timer);
  if (!document.hidden) renew();
});
rest();

// The pages of API keys: copying, and a key that is gone when its page is left. All of them work without this.

const SAID_FOR = 2_000;

function contentOf(target) {
  return target.value ?? target.textContent;
}

function select(target) {
  if (target.select) {
    target.focus();
    target.select();
    return;
  }
  getSelection().selectAllChildren(target);
}

/** On the button, and to those who do not see it. */
function say(button, words) {
  button.querySelector("span").textContent = words;
  button.nextElementSibling.textContent = words === button.dataset.label ? "" : words;
}

/** Without a clipboard (plain HTTP, a refusal) the text is selected, and the button says so. */
async function copy(button) {
  const target = document.getElementById(button.dataset.copy);
  const sign = button.querySelector("use");
  const before = (button.dataset.label ??= button.textContent.trim());
  try {
    await navigator.clipboard.writeText(contentOf(target));
    say(button, button.dataset.copied);
    sign.setAttribute("href", "#i-check");
  } catch {
    select(target);
    say(button, button.dataset.selected);
  }
  clearTimeout(button.waits);
  button.waits = setTimeout(() => {
    say(button, before);
    sign.setAttribute("href", "#i-copy");
  }, SAID_FOR);
}

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", () => copy(button));
}

const secret = document.querySelector("[data-secret]");
if (secret) {
  // Reloading leads to the list of keys instead of sending the form again.
  history.replaceState(null, "", secret.dataset.after);
  secret.select();
  secret.addEventListener("focus", () => secret.select());
  // Browsers keep pages that were left whole.
  addEventListener("pagehide", () => secret.remove());
  addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });
}

// The answer to a second click would be that the key was made and shown before.
for (const form of document.querySelectorAll("form[data-once]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  });
  addEventListener("pageshow", () => delete form.dataset.sent);
}

// Puts the chat on a page of another site: <script src="https://chat.example.com/widget.js" async></script>
// data-lang="zh-hans", data-label="Ask us", data-theme="light|dark", data-side="left", data-assistant="2".
(() => {
  const script = document.currentScript;
  const site = new URL(script.src).origin;
  const { lang, label, theme, side, assistant } = script.dataset;
  const wished = (lang || document.documentElement.lang || navigator.language || "en").toLowerCase();
  const language = wished.startsWith("zh") ? "zh-hans" : "en";
  const words = { en: ["Chat", "Open the chat", "Close the chat"], "zh-hans": ["在线咨询", "打开对话", "关闭对话"] }[language];
  const LOOK = `
    :host { all: initial; }
    .bubble { position: fixed; inset: auto 20px 20px auto; z-index: 2147483000; display: flex; align-items: center;
      gap: 10px; height: 52px; padding: 0 20px 0 16px; border: 0; border-radius: 26px; color: var(--cozechat-ink, #fff);
      background: var(--cozechat-color, #4b3ec8); font: 600 15px/1 system-ui, "PingFang SC", "Microsoft YaHei", sans-serif;
      box-shadow: 0 1px 2px rgb(0 0 0 / 0.12), 0 8px 24px rgb(0 0 0 / 0.22); cursor: pointer; }
    .bubble:focus-visible { outline: 3px solid var(--cozechat-color, #4b3ec8); outline-offset: 3px; }
    .bubble svg { width: 22px; height: 22px; fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linecap: round;
      stroke-linejoin: round; }
    .frame { position: fixed; inset: auto 20px 84px auto; z-index: 2147483000; width: min(400px, calc(100vw - 40px));
      height: min(640px, calc(100vh - 104px)); border: 0; border-radius: 16px; background: Canvas; color-scheme: normal;
      box-shadow: 0 1px 3px rgb(0 0 0 / 0.14), 0 16px 48px rgb(0 0 0 / 0.28); }
    .left .bubble, .left .frame { right: auto; left: 20px; }
    [hidden] { display: none; }
    @media (max-width: 480px) {
      .frame, .left .frame { inset: 0; width: 100%; height: 100%; border-radius: 0; }
      .open .bubble { display: none; }
    }`;

  const made = (tag, fields) => Object.assign(document.createElement(tag), fields);
  const host = made("cozechat-widget", {});
  const root = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(LOOK);
  root.adoptedStyleSheets = [sheet];
  const box = made("div", { className: side === "left" ? "left" : "" });
  const bubble = made("button", { type: "button", className: "bubble" });
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", "M12 4c4.7 0 8.5 3.1 8.5 7s-3.8 7-8.5 7c-1 0-2-.14-2.9-.4L4.5 19.5l1.2-3.4A6.4 6.4 0 0 1 3.5 11c0-3.9 3.8-7 8.5-7Z");
  svg.append(path);
  bubble.append(svg, made("span", { textContent: label || words[0] }));
  box.append(bubble);
  root.append(box);
  let frame = null;

  const query = new URLSearchParams({ host: location.origin, lang: language });
  if (theme) query.set("theme", theme);
  if (assistant) query.set("assistant", assistant);

  let ready = false;
  const tell = () => ready && frame.contentWindow.postMessage({ cozechat: "shown" }, site);

  function show(open) {
    if (open && !frame) {
      frame = made("iframe", { className: "frame", title: label || words[0], src: `${site}/widget/?${query}` });
      frame.allow = "clipboard-write";
      box.prepend(frame);
    } else if (frame) frame.hidden = !open;
    box.classList.toggle("open", open);
    bubble.setAttribute("aria-expanded", String(open));
    bubble.setAttribute("aria-label", `${label || words[0]}: ${words[open ? 2 : 1]}`);
    if (open) tell();
    else bubble.focus({ preventScroll: true });
  }

  bubble.addEventListener("click", () => show(!frame || frame.hidden));
  addEventListener("message", ({ source, origin, data }) => {
    if (!frame || source !== frame.contentWindow || origin !== site) return;
    if (data?.cozechat === "close") show(false);
    else if (data?.cozechat === "ready") {
      ready = true;
      tell();
    }
  });
  bubble.setAttribute("aria-expanded", "false");
  bubble.setAttribute("aria-label", `${label || words[0]}: ${words[1]}`);
  const place = () => document.body.append(host);
  if (document.body) place();
  else addEventListener("DOMContentLoaded", place);
})();

// The choice of a folder for conversations, and what becomes of a folder itself.

import { changeFolder, deleteFolder, listFolders, makeFolder } from "./api.js";
import { byId, element } from "./dom.js";
import { toast } from "./notices.js";
import { text } from "./strings.js";

const dialog = byId("folder-dialog");
const choice = byId("folder-choice");
const input = byId("folder-name");

function show(problem) {
  byId("folder-problem").textContent = problem;
}

function offer(folders) {
  const options = [{ id: "", name: text("no_folder") }, ...folders].map(({ id, name }) => {
    const label = element("label", "folder-option");
    const radio = element("input");
    Object.assign(radio, { type: "radio", name: "folder", value: id });
    label.append(radio, element("span", "", name));
    const item = element("li");
    item.append(label);
    return item;
  });
  choice.replaceChildren(...options);
}

function open(title, save) {
  byId("folder-title").textContent = title;
  input.value = "";
  show("");
  dialog.querySelector("form").onsubmit = async (event) => {
    event.preventDefault();
    try {
      if (await save()) dialog.close();
    } catch (error) {
      show(error.words ?? text("not_saved"));
    }
  };
  dialog.showModal();
}

/** Asks where to, and says it: `onChoose(folder id or null)`. A new name makes a new folder. */
export async function chooseFolder(current, onChoose) {
  try {
    offer((await listFolders()).items);
  } catch {
    toast(text("not_loaded"));
    return;
  }
  choice.hidden = false;
  const chosen = choice.querySelector(`[value="${CSS.escape(current ?? "")}"]`);
  if (chosen) chosen.checked = true;
  open(text("folder_move"), async () => {
    const name = input.value.trim();
    const id = name ? (await makeFolder(name)).id : choice.querySelector(":checked")?.value;
    if (id === undefined) return false;
    onChoose(id || null, Boolean(name));
    return true;
  });
}

/** The two buttons below an open folder. */
export function setUpFolder() {
  byId("folder-cancel").addEventListener("click", () => dialog.close());
  const acts = byId("folder-acts");
  if (!acts) return;
  const { folder } = acts.dataset;
  const name = () => document.querySelector(`.place[data-folder="${CSS.escape(folder)}"] span`);
  acts.hidden = false;
  acts.addEventListener("click", async ({ target }) => {
    if (target.dataset.act === "rename") {
      choice.hidden = true;
      open(text("folder_rename"), async () => {
        if (!input.value.trim()) return false;
        name().textContent = (await changeFolder(folder, input.value.trim())).name;
        return true;
      });
      input.value = name().textContent;
      input.select();
    } else if (target.dataset.act === "delete") {
      try {
        await deleteFolder(folder);
        location.assign(location.pathname);
      } catch {
        toast(text("not_saved"));
      }
    }
  });
}

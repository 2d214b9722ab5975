// A picture of an answer in its full size, over the page.

import { element } from "./dom.js";

const dialog = element("dialog", "picture-dialog");
const image = element("img");
dialog.append(image);
dialog.addEventListener("click", () => dialog.close());

/** A plain press on a picture opens it here; any other opens its address, as links do. */
export function enlargePictures(list) {
  document.body.append(dialog);
  list.addEventListener("click", (event) => {
    const shown = event.target.closest(".prose .picture img, img.picture");
    if (!shown || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    image.src = shown.src;
    image.alt = shown.alt;
    dialog.showModal();
  });
}

// Where the page's conversations have their addresses: members' at the root, visitors' below a path of their own.

import { byId } from "./dom.js";

const { home } = JSON.parse(byId("page-config").textContent);

export const pathOf = (id) => (id ? `${home}c/${id}/` : home);

/** The conversation that the address bar names, or null. */
export const addressed = () => /\/c\/([0-9a-f-]{36})\/$/.exec(location.pathname)?.[1] ?? null;

// What arrives: long messages of which a part is here, with how much.

import { foreign, h, keyed, say, set } from "./dom.js";
import { bytes, short } from "./text.js";

const SHOWN = 3;

/** A list of them. */
export const arrivals = () => h("ul", { class: "arriving", "aria-label": "Messages that are arriving" });

/** Brings it up to date. */
export function showArrivals(list, store) {
  const fetches = [...store.fetches.values()].slice(-SHOWN);
  keyed(list, fetches, (fetch) => fetch.guid, row, update);
}

function row(fetch) {
  const who = foreign(fetch.who_name, { class: "who" });
  const link = h("a", { href: `#messages/${fetch.guid}` }, who, h("span", { class: "quiet" }), h("progress", {}));
  return h("li", {}, link);
}

function update(item, { received, len, guid }) {
  const [, text, bar] = item.firstElementChild.children;
  say(text, `${bytes(received)} of ${bytes(len)} are here`);
  Object.assign(bar, { max: len, value: received });
  set(bar, { "aria-label": `Message ${short(guid)}` });
}

// Marks: how a peer is doing, as a shape, a word and a colour, so that none of the three has to be seen to know it.

import { h, s, say, set } from "./dom.js";

/** All states, the best first: the shape's outline, and what it stands for. */
export const STATES = {
  sync: { word: "in sync", path: "M8 2.5A5.5 5.5 0 1 1 8 13.5A5.5 5.5 0 1 1 8 2.5Z" },
  behind: { word: "catching up", path: "M8 2.5A5.5 5.5 0 1 1 8 13.5A5.5 5.5 0 1 1 8 2.5ZM8 4A4 4 0 0 0 8 12Z" },
  suspect: { word: "suspect", path: "M8 2.2L14.2 13.2H1.8Z" },
  unreachable: {
    word: "unreachable",
    path: "M3.2 4.6L4.6 3.2L8 6.6L11.4 3.2L12.8 4.6L9.4 8L12.8 11.4L11.4 12.8L8 9.4L4.6 12.8L3.2 11.4L6.6 8Z",
  },
  left: { word: "left", path: "M8 3A5 5 0 1 1 8 13A5 5 0 1 1 8 3ZM8 4.6A3.4 3.4 0 1 0 8 11.4A3.4 3.4 0 1 0 8 4.6Z" },
};

/** A peer's state. */
export function stateOf(peer) {
  if (peer.reach === "reachable") return peer.in_sync ? "sync" : "behind";
  return STATES[peer.reach] ? peer.reach : "unreachable";
}

/** The shape alone; a word must stand beside it. */
export function shape(state) {
  const path = s("path", { d: STATES[state].path, "fill-rule": "evenodd" });
  return s("svg", { class: `shape is-${state}`, viewBox: "0 0 16 16", "aria-hidden": "true" }, path);
}

/** Shape and word. */
export function mark(state, word = STATES[state].word) {
  return h("span", { class: `mark is-${state}` }, shape(state), h("span", {}, word));
}

/** Brings a mark up to date. */
export function remark(element, state, word = STATES[state].word) {
  set(element, { class: `mark is-${state}` });
  const [picture, text] = element.children;
  set(picture, { class: `shape is-${state}` });
  set(picture.firstElementChild, { d: STATES[state].path });
  say(text, word);
}

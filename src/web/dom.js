// Elements: the one place where the page's elements are made. Children are elements or text, never markup, so nothing
// that somebody wrote can become part of the page.

import { line, safe } from "./text.js";

const SVG = "http://www.w3.org/2000/svg";

/** An element: `h("p", { class: "quiet", onclick }, "text", child)`. Null children are left out. */
export function h(name, attributes, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** The same for pictures. */
export function s(name, attributes, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(element, attributes, children) {
  set(element, attributes ?? {});
  element.append(...children.flat().filter((child) => child != null && child !== false));
  return element;
}

/** Sets attributes; `on…` are listeners, null and false take an attribute away. */
export function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value == null || value === false) element.removeAttribute(name);
    else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value === true ? "" : value);
  }
  return element;
}

/** Sets text where it is another one, so that nothing is laid out for nothing. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
  return element;
}

/** One line by strangers: isolated, so that its direction ends where it does. */
export const foreign = (text, attributes) => h("bdi", { dir: "auto", ...attributes }, line(text));

/** Sets one line by strangers in an element that `foreign` made. */
export const sayForeign = (element, text) => say(element, line(text));

/** A text by strangers with its own lines. */
export const passage = (text) => h("pre", { class: "passage", dir: "auto", tabindex: "0" }, safe(text));

/** What an element holds becomes these. */
export function fresh(element, ...children) {
  element.keyedChildren = undefined;
  element.replaceChildren(...children.flat().filter((child) => child != null && child !== false));
  return element;
}

/**
 * Makes an element's children those of `items`, in their order, touching only what changed: `make` makes one, `update`
 * brings it up to date. Children keep their identity, and so focus and transitions, by `key`.
 */
export function keyed(parent, items, key, make, update) {
  // What is there without a key was put there by `fresh`.
  if (!parent.keyedChildren) parent.replaceChildren();
  const old = parent.keyedChildren ?? new Map();
  const next = new Map();
  const focused = parent.contains(document.activeElement) ? document.activeElement : null;
  let place = parent.firstElementChild;
  for (const item of items) {
    const name = key(item);
    const element = old.get(name) ?? make(item);
    update?.(element, item);
    if (element === place) place = place.nextElementSibling;
    else parent.insertBefore(element, place);
    next.set(name, element);
  }
  for (const [name, element] of old) if (!next.has(name)) element.remove();
  // What is moved loses the focus.
  if (focused && document.activeElement !== focused) focused.focus({ preventScroll: true });
  parent.keyedChildren = next;
}

/** Calls `listener` when an element has another size, in the next frame: what is laid out then is laid out once. */
export function resized(element, listener) {
  new ResizeObserver(() => requestAnimationFrame(listener)).observe(element);
}

/** A button; `class` names its kind. */
export function button(label, onclick, { class: kind, ...attributes } = {}) {
  const name = kind ? `button ${kind}` : "button";
  return h("button", { type: "button", class: name, ...(onclick && { onclick }), ...attributes }, label);
}

/** Copies text, also where the page is not served securely and the clipboard's own interface is missing. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const holder = h("textarea", { class: "offscreen", "aria-hidden": "true" });
    holder.value = text;
    (document.querySelector("dialog[open]") ?? document.body).append(holder);
    const before = document.activeElement;
    holder.select();
    const copied = document.execCommand("copy");
    holder.remove();
    before?.focus();
    return copied;
  }
}

/** A button that copies what `text` answers, and says so for a moment. */
export function copyButton(label, text) {
  const copier = button(label, async () => {
    say(copier, (await copy(text())) ? "Copied" : "Select and copy by hand");
    setTimeout(() => say(copier, label), 1600);
  });
  return copier;
}

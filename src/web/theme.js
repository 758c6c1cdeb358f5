// The theme: light, dark, or as the system has it.

import { button, h, say, set } from "./dom.js";

const KEY = "gossip-node-theme";
const THEMES = ["auto", "light", "dark"];
const NAMES = { auto: "as the system", light: "light", dark: "dark" };

export class Theme {
  constructor() {
    this.word = h("span", { class: "offscreen" });
    this.element = button(h("span", { class: "theme-icon", "aria-hidden": "true" }), () => this.next(), {
      class: "icon",
    });
    this.element.append(this.word);
    this.#use(this.#kept());
  }

  /** The next of the three. */
  next() {
    const theme = THEMES[(THEMES.indexOf(this.theme) + 1) % THEMES.length];
    this.#use(theme);
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // Where nothing may be kept, it holds for as long as the page is open.
    }
  }

  #kept() {
    try {
      const kept = localStorage.getItem(KEY);
      return THEMES.includes(kept) ? kept : "auto";
    } catch {
      return "auto";
    }
  }

  #use(theme) {
    this.theme = theme;
    set(document.documentElement, { "data-theme": theme });
    set(this.element, { title: `Colours: ${NAMES[theme]}` });
    say(this.word, `Colours: ${NAMES[theme]}`);
  }
}

// Keys: everything can be reached without a mouse. `?` shows how.

import { button, h } from "./dom.js";

const WAIT = 1_200;
const SHOWN = [
  [["/"], "Search messages"],
  [["n"], "Write a message"],
  [["g", "o"], "Overview"],
  [["g", "m"], "Messages"],
  [["g", "n"], "Network"],
  [["g", "d"], "Node"],
  [["j"], "Down the list"],
  [["k"], "Up the list"],
  [["Enter"], "Open what is chosen"],
  [["Esc"], "Close, go back"],
  [["t"], "Light, dark, or as the system"],
  [["?"], "This page of keys"],
];

export class Keys {
  /** `actions` maps keys, `g` sequences as two letters, to what they do. */
  constructor(actions) {
    this.actions = actions;
    this.before = null;
    const rows = SHOWN.map(([keys, what]) =>
      h("tr", {}, h("th", { scope: "row" }, keys.map((key) => [h("kbd", {}, key), " "]).flat()), h("td", {}, what)),
    );
    this.element = h(
      "dialog",
      { class: "keys", "aria-labelledby": "keys" },
      h("h2", { id: "keys" }, "Keys"),
      h("table", {}, h("tbody", {}, rows)),
      h(
        "div",
        { class: "buttons" },
        button("Close", () => this.element.close()),
      ),
    );
    document.addEventListener("keydown", (event) => this.#pressed(event));
  }

  /** Shows all keys. */
  show() {
    if (!this.element.open) this.element.showModal();
  }

  #pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (document.querySelector("dialog[open]")) return;
    const typing = event.target.matches?.("input, textarea, select");
    if (typing) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const sequence = this.before === "g" ? `g${event.key}` : event.key;
    clearTimeout(this.timer);
    this.before = event.key === "g" && this.before !== "g" ? "g" : null;
    this.timer = setTimeout(() => (this.before = null), WAIT);
    const action = sequence === "?" ? () => this.show() : this.actions[sequence];
    if (!action) return;
    // What is focused acts on Enter itself.
    if (event.key === "Enter" && event.target.matches?.("a, button, summary, [tabindex] *")) return;
    if (action(event) !== false) event.preventDefault();
  }
}

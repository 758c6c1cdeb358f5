// The gate: what is shown to who comes without the token, or with a wrong one: how to get it.

import { button, h } from "./dom.js";

export class Gate {
  /** `enter(token)` tries one. */
  constructor({ enter }) {
    this.field = h("input", { id: "token", type: "password", autocomplete: "off", spellcheck: "false" });
    this.why = h("p", {});
    const form = h(
      "form",
      {},
      h(
        "label",
        { for: "token" },
        h("span", {}, "Or paste the token, which is in the file ", h("code", {}, "token"), " in the node's home"),
        this.field,
      ),
      button("Open", null, { type: "submit", class: "primary" }),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const token = this.field.value.trim();
      this.field.value = "";
      if (token) enter(token);
    });
    this.element = h(
      "section",
      { class: "gate", "aria-labelledby": "gate" },
      h("h1", { id: "gate" }, "This page needs the node's token"),
      this.why,
      h("p", {}, "On the machine where the node runs, this opens the page with it:"),
      h("pre", { class: "command" }, "gossip-node ui"),
      form,
    );
  }

  /** Says why it is closed. */
  tell(problem, had) {
    const wrong =
      "The token that this page has is not the node's: the address may be of another node, or the token was made anew.";
    const many = problem?.status === 429 ? "Too many wrong tokens came; in a minute it can be tried again." : null;
    this.why.textContent =
      many ??
      (had
        ? wrong
        : "Whoever may read the node's files may use it, nobody else. The token in the page's address proves that.");
  }
}

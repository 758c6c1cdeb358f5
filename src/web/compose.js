// Composing: a dialogue in which a message is written, seen as others will see it, sent, and followed as it spreads.

import { ask, idempotencyKey, request, tell } from "./api.js";
import { button, copyButton, fresh, h, passage, say, set } from "./dom.js";
import { brief, bytes, line, millis, number } from "./text.js";

const MOST = 16 << 20;
const PREVIEW = 2_000;
const FOLLOW = 700;
const FOLLOWED = 40;

export class Compose {
  constructor(store, { go }) {
    Object.assign(this, { store, go, file: null });
    this.text = h("textarea", { id: "msg", rows: "6", placeholder: "What is there to say?", maxlength: MOST });
    this.who = h("input", { id: "who-name", type: "text", autocomplete: "off", maxlength: "64" });
    this.size = h("p", { class: "quiet", id: "msg-size" });
    this.preview = h("div", { class: "preview" });
    this.result = h("div", { class: "result", role: "status" });
    this.chosen = h("input", { type: "file", class: "offscreen", tabindex: "-1", "aria-hidden": "true" });
    this.send = button("Send", null, { type: "submit", class: "primary" });
    this.form = h(
      "form",
      {},
      h("label", { for: "msg" }, h("span", {}, "Message"), this.text),
      h(
        "div",
        { class: "between" },
        this.size,
        button("From a file…", () => this.chosen.click(), { class: "link" }),
        this.chosen,
      ),
      h("label", { for: "who-name" }, h("span", {}, "Written by"), this.who),
      h("section", { "aria-label": "Preview" }, h("h3", {}, "As others see it"), this.preview),
      h(
        "div",
        { class: "buttons" },
        h("span", { class: "quiet" }, h("kbd", {}, "Ctrl"), " ", h("kbd", {}, "Enter")),
        button("Cancel", () => this.element.close()),
        this.send,
      ),
    );
    this.element = h(
      "dialog",
      { class: "compose", "aria-labelledby": "compose" },
      h("h2", { id: "compose" }, "New message"),
      this.form,
      this.result,
    );
    this.#listen();
  }

  /** Opens it. */
  open() {
    if (this.element.open) return;
    set(this.who, { placeholder: line(this.store.network?.node_name ?? "") });
    this.form.hidden = false;
    fresh(this.result);
    this.key ??= idempotencyKey();
    this.#look();
    this.element.showModal();
    this.text.focus();
  }

  #listen() {
    this.form.addEventListener("input", () => {
      this.key = idempotencyKey();
      this.#look();
    });
    this.chosen.addEventListener("change", () => {
      this.file = this.chosen.files[0] ?? null;
      this.chosen.value = "";
      this.key = idempotencyKey();
      this.#look();
    });
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.form.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.form.requestSubmit();
    });
    this.element.addEventListener("close", () => clearTimeout(this.timer));
  }

  #clear() {
    this.text.value = "";
    this.file = null;
  }

  #bytes() {
    if (this.file) return this.file.size;
    return new TextEncoder().encode(this.text.value).length;
  }

  #look() {
    const { file } = this;
    const size = this.#bytes();
    const fits = size > 0 && size <= MOST;
    this.send.disabled = !fits;
    this.text.disabled = Boolean(file);
    const over = size > MOST ? `: at most ${bytes(MOST)} go into one message` : "";
    say(this.size, size ? `${bytes(size)}${over}` : `1 byte to ${bytes(MOST)}`);
    set(this.size, { class: over ? "problem" : "quiet" });
    if (file) {
      fresh(
        this.preview,
        h(
          "p",
          {},
          `The file ${brief(file.name, 60)}, as it is. `,
          button("Write instead", () => (this.#clear(), this.#look()), { class: "link" }),
        ),
      );
    } else if (this.text.value) {
      const shown = passage(this.text.value.slice(0, PREVIEW));
      fresh(this.preview, shown, this.text.value.length > PREVIEW ? h("p", { class: "quiet" }, "and so on") : null);
    } else {
      fresh(this.preview, h("p", { class: "quiet" }, "Nothing yet."));
    }
  }

  async #submit() {
    if (this.send.disabled) return;
    this.send.disabled = true;
    say(this.send, "Sending…");
    try {
      const created = await this.#create();
      this.form.hidden = true;
      this.#clear();
      this.key = null;
      this.#created(created);
    } catch (problem) {
      fresh(
        this.result,
        h("p", { class: "problem" }, line(problem.message), problem.hint ? h("span", {}, line(problem.hint)) : null),
      );
    }
    say(this.send, "Send");
    this.send.disabled = false;
  }

  /** A retry after a lost answer carries the same key, so that nothing is said twice. */
  async #create() {
    const who = this.who.value.trim() || null;
    const headers = { "Idempotency-Key": this.key };
    if (!this.file) return tell("POST", "/gossip", { msg: this.text.value, who_name: who }, headers);
    const raw = { method: "PUT", query: { who_name: who }, body: this.file };
    return (
      await request("/gossip/raw", { ...raw, headers: { "Content-Type": "application/octet-stream", ...headers } })
    ).json();
  }

  #created(record) {
    const held = h("p", { class: "held" }, "It is on this node's disk.");
    const open = () => {
      this.element.close();
      this.go(`messages/${record.guid}`);
    };
    const done = button("Done", () => this.element.close(), { class: "primary" });
    fresh(
      this.result,
      h("p", { class: "done" }, "Sent."),
      held,
      h(
        "dl",
        { class: "facts" },
        h("dt", {}, "GUID"),
        h("dd", {}, h("code", { class: "new-guid" }, line(record.guid))),
        h("dt", {}, "SHA-256"),
        h("dd", {}, h("code", {}, line(record.sha2 ?? ""))),
        h("dt", {}, "Length"),
        h("dd", {}, bytes(record.len)),
      ),
      h(
        "div",
        { class: "buttons" },
        copyButton("Copy GUID", () => record.guid),
        button("Show it", open),
        button("Write another", () => {
          this.element.close();
          this.open();
        }),
        done,
      ),
    );
    done.focus();
    this.#follow(record.guid, held, FOLLOWED);
  }

  /** Tells how far it has come, until all hold it. */
  async #follow(guid, held, times) {
    const again = () =>
      (this.timer = setTimeout(() => this.element.open && this.#follow(guid, held, times - 1), FOLLOW));
    try {
      const { known, reachable, last_after_ms: last } = await ask(`/gossip/${guid}/holders`);
      const after = last == null ? "" : `, the last after ${millis(last)}`;
      say(held, `Held by ${number(known + 1)} of ${number(reachable + 1)} reachable nodes${after}.`);
      if (known < reachable && times > 0) again();
    } catch {
      if (times > 0) again();
    }
  }
}

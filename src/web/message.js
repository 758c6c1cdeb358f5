// A message: its text, where it comes from, its SHA-256, and how far it has spread.

import { ask, request } from "./api.js";
import { button, copyButton, foreign, fresh, h, keyed, say, sayForeign, set } from "./dom.js";
import { bytes, counted, line, millis, number, safe, when } from "./text.js";

/** Of a long text, so many characters are shown at once. */
const SHOWN = 64 << 10;
const HOLDERS = 60;
const LOOK = 2_000;
const SOON = 1_500;
const LATER = 15_000;

/** What a record is for, in words. */
const KINDS = { message: "message", forget: "forget, for nodes", settings: "network settings, for nodes" };

export class Message {
  constructor(store, { close }) {
    this.store = store;
    this.heading = foreign("", { class: "name" });
    this.time = h("time", { class: "quiet" });
    this.body = h("div", { class: "message-body" });
    this.facts = h("dl", { class: "facts" });
    this.spread = h("section", { class: "spread", "aria-label": "Who holds it" });
    this.tools = h("div", { class: "tools" });
    const back = button("Back to the list", close, { class: "link back" });
    this.element = h(
      "article",
      { class: "message", "aria-label": "Message", tabindex: "-1" },
      back,
      h("header", {}, h("h2", {}, this.heading), this.time),
      this.body,
      this.tools,
      this.spread,
      this.facts,
    );
  }

  /** Shows the message of this GUID; `record` is what a list told of it, if one did. */
  async show(guid, record) {
    if (this.guid === guid && (this.complete || !record?.complete)) return;
    this.hide();
    this.guid = guid;
    this.abort = new AbortController();
    const { signal } = this.abort;
    try {
      if (record) this.#head(record);
      else fresh(this.body, h("div", { class: "skeleton block" }));
      const head = record ?? (await ask(`/gossip/${encodeURIComponent(guid)}`, {}, signal));
      this.#head(head);
      if (head.complete) {
        this.#spread(signal);
        await this.#text(head, signal);
      } else {
        this.#progress();
      }
    } catch (problem) {
      if (problem.name === "AbortError") return;
      fresh(
        this.body,
        h("p", { class: "problem" }, line(problem.message), problem.hint ? h("span", {}, line(problem.hint)) : null),
      );
    }
  }

  /** Shows none. */
  hide() {
    this.abort?.abort();
    clearTimeout(this.timer);
    Object.assign(this, { guid: null, complete: false });
    for (const part of [this.body, this.facts, this.spread, this.tools]) fresh(part);
  }

  /** What the store knows newly about it. */
  render() {
    if (!this.guid || this.complete) return;
    const arrived = this.store.news.find((record) => record.guid === this.guid);
    if (arrived) this.show(this.guid, arrived);
    else if (this.bar && this.store.fetches.has(this.guid)) this.#progress();
    else if (this.bar) this.#look();
  }

  /** It does not arrive any more, or no event says so: perhaps it is here. */
  async #look() {
    const { guid } = this;
    if (performance.now() - (this.looked ?? 0) < LOOK) return;
    this.looked = performance.now();
    const record = await ask(`/gossip/${encodeURIComponent(guid)}`).catch(() => null);
    if (record?.complete && this.guid === guid) this.show(guid, record);
  }

  #head(record) {
    this.complete = record.complete;
    sayForeign(this.heading, record.who_name);
    say(this.time, when(record.date_time, { full: true }));
    this.time.dateTime = record.date_time;
    const origin = this.store.nameOf(record.origin);
    const rows = [
      ["GUID", h("code", {}, line(record.guid))],
      ["SHA-256", record.sha2 ? h("code", {}, line(record.sha2)) : "known when all of it is here"],
      ["Length", `${bytes(record.len)} (${number(record.len)} bytes)`],
      [
        "Origin",
        origin
          ? [foreign(origin, { class: "name" }), " ", h("code", { class: "quiet" }, line(record.origin))]
          : h("code", {}, line(record.origin)),
      ],
      [
        "Created",
        [h("code", {}, line(record.date_time)), record.date_doubtful ? " (to come: a clock was wrong)" : ""],
      ],
      ["Kind", KINDS[record.kind] ?? "message"],
    ];
    fresh(this.facts, rows.map(([term, value]) => [h("dt", {}, term), h("dd", {}, value)]).flat());
  }

  async #text(record, signal) {
    this.bar = null;
    const path = `/gossip/${encodeURIComponent(record.guid)}/msg`;
    const whole = () => request(path, { signal });
    const decree = record.kind && record.kind !== "message" && record.preview;
    const text = decree || record.msg || new TextDecoder().decode(await (await whole()).arrayBuffer());
    fresh(
      this.tools,
      copyButton("Copy text", () => text),
      copyButton("Copy GUID", () => record.guid),
      button("Save", async () => save(await (await whole()).blob(), record.guid)),
    );
    const passage = h("pre", { class: "passage", dir: "auto", tabindex: "0" });
    const told = h("span", { class: "quiet" });
    let end = 0;
    const more = button("Show more", () => {
      const start = end;
      end = Math.min(text.length, start + SHOWN);
      // A character of two halves stays whole.
      if (text.codePointAt(end - 1) > 0xffff) end += 1;
      passage.append(safe(text.slice(start, end)));
      more.hidden = end === text.length;
      say(told, more.hidden ? "" : `${number(end)} of ${number(text.length)} characters are shown`);
    });
    more.click();
    fresh(this.body, passage, h("p", { class: "more" }, more, " ", told));
  }

  #progress() {
    const fetch = this.store.fetches.get(this.guid);
    if (!this.bar) {
      this.bar = h("progress", {});
      this.got = h("p", { class: "quiet" });
      fresh(this.body, h("p", {}, "This message is still arriving."), this.bar, this.got);
    }
    if (!fetch) return;
    Object.assign(this.bar, { max: fetch.len, value: fetch.received });
    set(this.bar, { "aria-label": "How much of it is here" });
    say(
      this.got,
      `${bytes(fetch.received)} of ${bytes(fetch.len)} are here, ${Math.floor((100 * fetch.received) / fetch.len)} %`,
    );
  }

  async #spread(signal) {
    const guid = this.guid;
    const again = (wait) => (this.timer = setTimeout(next, wait));
    const next = () => {
      if (this.guid !== guid) return;
      if (document.hidden) again(LATER);
      else this.#spread(signal);
    };
    try {
      const held = await ask(`/gossip/${encodeURIComponent(guid)}/holders`, {}, signal);
      if (this.guid !== guid) return;
      this.#holders(held);
      again(held.known < held.reachable ? SOON : LATER);
    } catch (problem) {
      if (problem.name !== "AbortError") again(LATER);
    }
  }

  #holders({ known, reachable, last_after_ms: last, holders }) {
    if (!this.spread.firstChild) {
      this.heldBy = h("p", { class: "held" });
      this.dots = h("meter", { min: 0, "aria-hidden": "true" });
      this.names = h("ul", { class: "holders" });
      fresh(this.spread, this.heldBy, this.dots, this.names);
    }
    // This node holds it too.
    const after =
      last == null
        ? ""
        : known < reachable
          ? `, the last so far after ${millis(last)}`
          : `, the last after ${millis(last)}`;
    say(this.heldBy, `Held by ${number(known + 1)} of ${number(reachable + 1)} reachable nodes${after}.`);
    Object.assign(this.dots, { max: reachable + 1, value: known + 1 });
    const shown = holders.slice(0, HOLDERS);
    const rest = holders.length - shown.length;
    const rows = [{ guid: "here", name: "this node" }, ...shown, ...(rest > 0 ? [{ guid: "rest", rest }] : [])];
    keyed(
      this.names,
      rows,
      (holder) => holder.guid,
      () => h("li", {}, foreign(""), h("span", { class: "quiet" })),
      (row, holder) => {
        sayForeign(
          row.firstElementChild,
          holder.rest ? `and ${counted(holder.rest, "other")}` : (holder.name ?? holder.guid),
        );
        say(row.lastElementChild, holder.after_ms == null ? "" : millis(holder.after_ms));
      },
    );
  }
}

/** Hands a file to the browser. */
function save(blob, guid) {
  const address = URL.createObjectURL(blob);
  h("a", { href: address, download: `${guid}.txt` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

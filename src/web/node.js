// Node: this daemon itself: who it is, its settings and where each comes from, what it counted and dropped, its log.

import { ask } from "./api.js";
import { copyButton, foreign, fresh, h, keyed, say } from "./dom.js";
import { address, bytes, clock, instant, line, number, rate, safe } from "./text.js";

const COUNTERS = 2_000;
const LOG = 1_500;
const LINES = 500;
const LEVELS = ["ERROR", "WARN", "INFO"];
/** What belongs to the process is of no network. */
const EVERY = { network: null };

/** Why datagrams are dropped, in words. */
const DROPS = {
  rejected_length: "too short or too long to be ours",
  rejected_magic: "not of this protocol",
  rejected_version: "of a version that is not spoken here",
  rejected_key_id: "of another network, or sealed with another password",
  rejected_tag: "forged, or damaged on the way",
  rejected_own_echo: "our own, come back",
  rejected_session: "of a session that is not known",
  rejected_replay: "seen before",
  rejected_kind: "of an unknown kind",
  rejected_body: "not what their kind promises",
  rejected_budget: "more than their sender may send",
  rejected_echo: "answers to nothing that was asked",
  rejected_cookie: "with a cookie not given to them",
  rejected_order: "of an older session",
  rejected_full: "too many others came first",
  answers_dropped: "answers for which a queue was full",
  records_wrong: "records that do not match their name",
  pieces_wrong: "pieces whose hash was wrong",
  challenge_suppressed: "challenges not sent, as there were too many",
};

export class Node {
  constructor(store) {
    Object.assign(this, { store, lines: [], after: null, follow: true, level: "INFO", counts: null });
    this.facts = h("dl", { class: "facts" });
    this.settings = h("tbody", {});
    this.counters = h("tbody", {});
    this.drops = h("ul", { class: "drops" });
    this.log = h("ol", { class: "log", tabindex: "0", "aria-label": "Log, newest last" });
    this.log.addEventListener(
      "scroll",
      () => (this.follow = this.log.scrollTop + this.log.clientHeight > this.log.scrollHeight - 24),
      { passive: true },
    );
    const level = h(
      "select",
      { "aria-label": "Show from this level on" },
      LEVELS.map((name) => h("option", { value: name }, name.toLowerCase())),
    );
    level.value = this.level;
    level.addEventListener("change", () => {
      this.level = level.value;
      this.#lines();
    });
    const part = (id, title, ...content) =>
      h(
        "section",
        { "aria-labelledby": id, class: `part ${id}` },
        h("div", { class: "heading" }, h("h2", { id }, title), content.length > 1 ? content.pop() : null),
        content,
      );
    const table = (heads, body, name) =>
      h(
        "div",
        { class: "scroll" },
        h(
          "table",
          { class: "plain" },
          h("caption", { class: "offscreen" }, name),
          h(
            "thead",
            {},
            h(
              "tr",
              {},
              heads.map(([head, kind]) => h("th", { scope: "col", class: kind }, head)),
            ),
          ),
          body,
        ),
      );
    this.element = h(
      "section",
      { class: "node", "aria-label": "Node" },
      h("h1", {}, "Node"),
      h(
        "div",
        { class: "column" },
        part("identity", "Who it is", this.facts),
        part("settings", "Settings", table([["Setting"], ["Value"], ["From"]], this.settings, "Settings")),
      ),
      h(
        "div",
        { class: "column" },
        part("log-part", "Log", this.log, level),
        part("drops-part", "Dropped, by cause", this.drops),
        part(
          "counters",
          "Counters",
          table([["Counter"], ["Since start", "number"], ["A second", "number"]], this.counters, "Counters"),
        ),
      ),
    );
  }

  /** It is shown. */
  enter() {
    this.#identity();
    this.#config();
    this.#poll("counting", COUNTERS, () => this.#count());
    this.#poll("reading", LOG, () => this.#read());
  }

  /** It is not shown any more. */
  leave() {
    clearTimeout(this.counting);
    clearTimeout(this.reading);
  }

  /** Everything may be another now. */
  reset() {
    Object.assign(this, { lines: [], after: null, counts: null });
    if (this.shown) {
      this.leave();
      this.enter();
    }
  }

  /** Brings it up to date. */
  render() {
    if (this.shown && this.root) say(this.root, line(this.store.network?.root ?? ""));
  }

  async #poll(timer, pace, action) {
    clearTimeout(this[timer]);
    try {
      if (!document.hidden && this.store.link !== "lost") await action();
    } catch (problem) {
      if (timer === "reading") {
        fresh(this.log, h("li", { class: "problem" }, line(problem.message)));
        this.drawn = false;
      }
    }
    if (this.shown) this[timer] = setTimeout(() => this.#poll(timer, pace, action), pace);
  }

  async #identity() {
    try {
      this.info = await ask("/node");
    } catch {
      this.info ??= null;
    }
    const { network } = this.store;
    if (!network || !this.info) {
      if (this.shown) setTimeout(() => this.shown && this.#identity(), 1000);
      return;
    }
    const { info } = this;
    this.root = h("code", {}, line(network.root));
    const rows = [
      ["Name", foreign(network.node_name, { class: "name" })],
      ["GUID", [h("code", {}, line(network.node_guid)), " ", copyButton("Copy", () => network.node_guid)]],
      ["Network", foreign(network.network_name, { class: "name" })],
      ["UDP address", h("code", {}, address(network.ip, network.port))],
      ["This page", h("code", {}, line(network.http ?? location.host))],
      ["Root of all messages", this.root],
      ["Version", `${line(info.version)}, protocol ${line(info.protocol_version)}`],
      ["Process", line(info.pid)],
    ];
    fresh(this.facts, rows.map(([term, value]) => [h("dt", {}, term), h("dd", {}, value)]).flat());
  }

  async #config() {
    try {
      const { values } = await ask("/config", EVERY);
      const row = ({ key, value, origin }) =>
        h(
          "tr",
          {},
          h("th", { scope: "row" }, h("code", {}, line(key))),
          h("td", {}, foreign(shown(value))),
          h("td", { class: origin === "default" ? "quiet" : null }, line(origin)),
        );
      fresh(this.settings, values.map(row));
    } catch (problem) {
      fresh(this.settings, h("tr", {}, h("td", { colspan: 3, class: "problem" }, line(problem.message))));
    }
  }

  async #count() {
    const { stats } = await ask("/status", { limit: 1 });
    const at = performance.now();
    const before = this.counts;
    const seconds = before ? (at - before.at) / 1000 : null;
    this.counts = { at, stats };
    const rows = Object.entries(stats)
      .filter(([name]) => !(name in DROPS))
      .map(([name, count]) => ({ name, count, speed: seconds ? (count - (before.stats[name] ?? 0)) / seconds : null }));
    keyed(
      this.counters,
      rows,
      (row) => row.name,
      ({ name }) =>
        h(
          "tr",
          {},
          h("th", { scope: "row" }, line(name.replaceAll("_", " "))),
          h("td", { class: "number" }),
          h("td", { class: "number quiet" }),
        ),
      (row, { name, count, speed }) => {
        const show = name.startsWith("bytes") ? bytes : number;
        say(row.children[1], show(count));
        say(
          row.children[2],
          speed == null ? "" : name.startsWith("bytes") ? bytes(Math.max(0, speed)) : rate(Math.max(0, speed)),
        );
      },
    );
    this.#dropped(stats);
  }

  #dropped(stats) {
    const drops = Object.entries(DROPS)
      .map(([name, why]) => ({ name, why, count: stats[name] ?? 0 }))
      .filter((drop) => drop.count > 0);
    drops.sort((a, b) => b.count - a.count);
    const most = drops[0]?.count ?? 1;
    const rows = drops.length ? drops : [{ name: "none", why: "Nothing was dropped." }];
    keyed(
      this.drops,
      rows,
      (drop) => drop.name,
      (drop) => h("li", {}, h("span", {}, drop.why), h("meter", { min: 0, "aria-hidden": "true" }), h("strong", {})),
      (row, { count }) => {
        row.children[1].hidden = count === undefined;
        Object.assign(row.children[1], { max: most, value: count ?? 0 });
        say(row.children[2], count === undefined ? "" : number(count));
      },
    );
  }

  async #read() {
    const { lines, next } = await ask("/log", { after: this.after, ...EVERY });
    this.after = next;
    if (lines.length === 0 && this.drawn) return;
    this.lines = [...this.lines, ...lines].slice(-LINES);
    this.#lines();
  }

  #lines() {
    this.drawn = true;
    const most = LEVELS.indexOf(this.level);
    const shown = this.lines.filter(({ level }) => LEVELS.indexOf(level.toUpperCase()) <= most);
    keyed(
      this.log,
      shown,
      (one) => one.seq,
      ({ at, level, target, text }) =>
        h(
          "li",
          { class: `level-${LEVELS.includes(level.toUpperCase()) ? level.toLowerCase() : "info"}` },
          h("time", { class: "quiet", datetime: at, title: line(target) }, clock(instant(at))),
          h("span", { class: "level" }, line(level.toLowerCase())),
          h("span", { class: "text", dir: "auto" }, safe(text)),
        ),
    );
    if (shown.length === 0) fresh(this.log, h("li", { class: "quiet" }, "Nothing so far."));
    if (this.follow) this.log.scrollTop = this.log.scrollHeight;
  }
}

/** A setting's value as people write it. */
function shown(value) {
  if (value === null || (Array.isArray(value) && value.length === 0)) return "none";
  return typeof value === "string" ? value : Array.isArray(value) ? value.map(shown).join(", ") : JSON.stringify(value);
}

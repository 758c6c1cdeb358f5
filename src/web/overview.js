// Overview: how things are in one sentence, the ring, the last messages as they arrive, and a few small charts.

import { arrivals, showArrivals } from "./arriving.js";
import { Chart } from "./charts.js";
import { Demo } from "./demo.js";
import { button, foreign, fresh, h, keyed, resized, say, sayForeign, set } from "./dom.js";
import { mark, remark, stateOf } from "./mark.js";
import { Ring } from "./ring.js";
import { sentence } from "./sentence.js";
import { address, age, bytes, counted, instant, line, millis, number, rate, span, when } from "./text.js";

/** Last messages shown: as many as there is room for beside the ring, or so many beneath it. */
const BENEATH = 6;
const ROW = 57;
const TROUBLES = 3;
/** How long a warning stands. */
const WARNED = 600_000;
/** While messages come faster than that a second, their list changes twice a second: nobody reads faster. */
const FAST = 4;
const PACE = 500;

export class Overview {
  constructor(store, { go, compose }) {
    Object.assign(this, { store, go });
    this.title = h("h1", { class: "sentence skeleton" });
    this.here = h("p", { class: "here quiet" });
    this.troubles = h("ul", { class: "troubles", "aria-label": "Nodes that are not reachable" });
    this.warned = h("a", { class: "warned", href: "#node", hidden: true });
    this.ring = new Ring(store, { open: (guid) => go(`network/${guid}`) });
    this.fetches = arrivals();
    this.list = h("ol", { class: "latest", "aria-label": "Last messages, newest first" });
    this.empty = h("div", { class: "teach" });
    this.charts = charts();
    this.tables = false;
    const toggle = button(
      "Show as tables",
      () => {
        this.tables = !this.tables;
        say(toggle, this.tables ? "Show as charts" : "Show as tables");
        for (const chart of this.charts) chart.asTable(this.tables);
        this.render();
      },
      { class: "link" },
    );
    const all = h("a", { href: "#messages" }, "All messages");
    this.side = h(
      "section",
      { class: "side", "aria-labelledby": "latest" },
      this.warned,
      this.troubles,
      h("div", { class: "heading" }, h("h2", { id: "latest" }, "Last messages"), all),
      this.fetches,
      this.list,
      this.empty,
    );
    resized(this.list, () => this.#room());
    this.hero = h("header", { class: "hero" }, this.title, this.here);
    this.element = h(
      "section",
      { class: "overview", "aria-label": "Overview" },
      this.hero,
      h("div", { class: "stage" }, this.ring.element, this.side),
      h(
        "section",
        { class: "charts-part", "aria-labelledby": "rates" },
        h("div", { class: "heading" }, h("h2", { id: "rates" }, "The last two minutes"), toggle),
        h(
          "div",
          { class: "charts" },
          this.charts.map((chart) => chart.element),
        ),
      ),
    );
    this.compose = compose;
    setInterval(() => this.shown && this.#ages(), 5000);
  }

  /** The network is a demonstration's: here is how to make it suffer. */
  play() {
    if (this.demo) return;
    this.demo = new Demo();
    this.hero.after(this.demo.element);
    this.demo.begin();
  }

  /** Brings it up to date. */
  render() {
    this.#sentence();
    this.#warning();
    this.ring.render();
    showArrivals(this.fetches, this.store);
    this.#latest();
    for (const chart of this.charts) chart.render(this.store.samples);
  }

  /** The daemon's last warning, for a while. */
  #warning() {
    const { warning } = this.store;
    const old = !warning || Date.now() - (instant(warning.at) ?? 0) > WARNED;
    this.warned.hidden = old;
    if (!old) say(this.warned, `${when(warning.at)} ${line(warning.level)}: ${line(warning.what)}`);
  }

  #sentence() {
    const { tone, parts, plain } = sentence(this.store);
    if (plain !== this.plain) {
      this.plain = plain;
      fresh(
        this.title,
        h("span", { class: "tone", "aria-hidden": "true" }),
        parts.map((part) => (Array.isArray(part) ? h("strong", {}, part[0]) : part)),
      );
    }
    set(this.title, { class: `sentence ${tone}` });
    const { network, link } = this.store;
    if (link === "lost") {
      say(this.here, "It is tried again all the time. What you see here is how things were then.");
    } else if (network) {
      const place = `at ${address(network.ip, network.port)}, in the network `;
      const version = network.version ? `, version ${line(network.version)}` : "";
      const key = [network.node_name, place, network.network_name, version].join();
      if (key !== this.hereKey)
        fresh(
          this.here,
          "This node is ",
          foreign(network.node_name, { class: "name" }),
          ` ${place}`,
          foreign(network.network_name, { class: "name" }),
          version,
          ".",
        );
      this.hereKey = key;
      return this.#troubles();
    }
    this.hereKey = null;
    fresh(this.troubles);
  }

  #troubles() {
    const bad = this.store.list().filter((peer) => peer.reach === "suspect" || peer.reach === "unreachable");
    const shown = bad.slice(0, TROUBLES);
    const rest = bad.length - shown.length;
    const rows = rest ? [...shown, { guid: "rest", rest }] : shown;
    keyed(
      this.troubles,
      rows,
      (peer) => peer.guid,
      (peer) => this.#trouble(peer),
      (row, peer) => {
        if (peer.rest) return say(row.firstElementChild, `and ${counted(peer.rest, "other node")}`);
        const [name, told, why] = row.firstElementChild.children;
        sayForeign(name, peer.name);
        const since = instant(peer.since);
        remark(told, stateOf(peer), `${peer.reach}${since ? ` for ${span(Math.max(1000, Date.now() - since))}` : ""}`);
        say(why, line(peer.reason));
      },
    );
  }

  #trouble(peer) {
    if (peer.rest) return h("li", {}, h("a", { href: "#network" }));
    return h(
      "li",
      {},
      h(
        "a",
        { href: `#network/${peer.guid}` },
        foreign(peer.name, { class: "name" }),
        mark(stateOf(peer)),
        h("span", { class: "quiet" }),
      ),
    );
  }

  #room() {
    const beside = getComputedStyle(this.list).overflow === "hidden";
    const most = beside ? Math.max(1, Math.floor(this.list.clientHeight / ROW)) : BENEATH;
    if (most === this.most) return;
    Object.assign(this, { most, listed: 0 });
    this.#latest();
  }

  #latest() {
    const { store } = this;
    const fast = store.samples.length > 0 && store.samples.at(-1).passed > FAST;
    const now = performance.now();
    if (fast && now - (this.listed ?? 0) < PACE) return;
    this.listed = now;
    const rows = store.latest.slice(0, this.most ?? BENEATH);
    keyed(
      this.list,
      rows,
      (record) => record.guid,
      (record) => messageRow(record),
      null,
    );
    this.#ages();
    const bare = store.network && rows.length === 0;
    this.empty.hidden = !bare;
    this.list.hidden = Boolean(bare);
    if (!bare) return;
    const alone = store.peers.size === 0;
    const key = `${alone} ${store.network.gossip_count}`;
    if (key === this.taught) return;
    this.taught = key;
    fresh(this.empty, alone ? this.#teachPeers() : this.#teachMessages());
  }

  #ages() {
    for (const row of this.list.children) say(row.querySelector("time"), age(row.querySelector("time").dateTime));
  }

  #teachMessages() {
    const { gossip_count: count } = this.store.network;
    return [
      h(
        "p",
        {},
        count
          ? `This node holds ${counted(count, "message")}; what arrives from here on is shown here.`
          : "No messages yet. Say something:",
      ),
      count ? null : h("pre", { class: "command" }, 'gossip-node add "hello, everybody"'),
      h("p", {}, button("Write a message", this.compose, { class: "primary" })),
    ];
  }

  #teachPeers() {
    const { ip, port, network_name: name } = this.store.network;
    return [
      h("p", {}, "No peers yet. On another machine, with the same network name and password:"),
      h(
        "pre",
        { class: "command" },
        `gossip-node init --network ${quoted(name)}\ngossip-node run &\ngossip-node register ${address(ip, port)}`,
      ),
      h("p", {}, "Or register with a node that runs already:"),
      h("p", {}, h("a", { class: "button primary", href: "#network/register" }, "Register with a node")),
    ];
  }
}

/** A name as a shell takes it. */
function quoted(name) {
  const shown = line(name);
  return /^[\w.-]+$/.test(shown) ? shown : `'${shown.replaceAll("'", "'\\''")}'`;
}

function messageRow(record) {
  return h(
    "li",
    { class: "message-row" },
    h(
      "a",
      { href: `#messages/${record.guid}` },
      foreign(record.who_name, { class: "who" }),
      h("time", { class: "quiet", datetime: record.date_time }),
      foreign(record.preview, { class: "what" }),
    ),
  );
}

function charts() {
  return [
    new Chart({
      title: "New messages",
      unit: "a second",
      show: rate,
      series: [{ name: "new", kind: "first", pick: (sample) => sample.passed }],
    }),
    new Chart({
      title: "Datagrams",
      unit: "a second",
      show: number,
      series: [
        { name: "sent", kind: "first", pick: (sample) => sample.sent?.datagrams },
        { name: "received", kind: "second", pick: (sample) => sample.received?.datagrams },
      ],
    }),
    new Chart({
      title: "Bytes",
      unit: "a second",
      show: bytes,
      base: 2,
      series: [
        { name: "sent", kind: "first", pick: (sample) => sample.sent?.bytes },
        { name: "received", kind: "second", pick: (sample) => sample.received?.bytes },
      ],
    }),
    new Chart({
      title: "Round trip",
      unit: "to peers",
      show: millis,
      series: [
        { name: "median", kind: "first", pick: (sample) => sample.rtt?.median },
        { name: "slowest", kind: "second", pick: (sample) => sample.rtt?.worst },
      ],
    }),
  ];
}

// Network: the table of peers, each with the reason for its state, and what can be done: register, ping, forget.

import { ask, tell } from "./api.js";
import { button, foreign, fresh, h, keyed, say, sayForeign, set } from "./dom.js";
import { STATES, mark, remark, stateOf } from "./mark.js";
import { tally } from "./sentence.js";
import { address, age, counted, instant, line, millis, number, span, when } from "./text.js";

const ROWS = 200;
/** From so many peers on there is a search among them. */
const SEARCHED = 12;
const REGISTER_MS = 10_000;
const ORDER = ["unreachable", "suspect", "behind", "sync", "left"];

const COLUMNS = [
  { name: "Node", by: (peer) => peer.name.toLowerCase() },
  { name: "Address", by: (peer) => peer.ip },
  { name: "State", by: (peer) => ORDER.indexOf(stateOf(peer)) },
  { name: "Round trip", by: (peer) => peer.rtt_ms ?? Infinity, number: true },
  { name: "Loss", by: (peer) => -(peer.loss ?? -1), number: true },
  { name: "Last heard", by: (peer) => -(instant(peer.last_update) ?? 0), number: true },
  { name: "Messages", by: (peer) => -(peer.gossip_count ?? -1), number: true },
  { name: "In sync", by: (peer) => -(peer.differs ?? (peer.in_sync ? 0 : 1)), number: true },
  { name: "Version", by: (peer) => -(peer.protocol_version ?? 0), number: true },
];

export class Network {
  constructor(store, { go }) {
    Object.assign(this, { store, go, sorted: COLUMNS[2], down: false, most: ROWS, opened: null });
    this.summary = h("p", { class: "quiet" });
    this.filter = h("input", {
      type: "search",
      "aria-label": "Search nodes",
      placeholder: "Search nodes",
      hidden: true,
      autocomplete: "off",
      spellcheck: "false",
    });
    this.filter.addEventListener("input", () => this.render(true));
    this.body = h("tbody", {});
    this.heads = COLUMNS.map((column) => this.#head(column));
    this.table = h(
      "table",
      { class: "peers" },
      h("caption", { class: "offscreen" }, "Peers"),
      h("thead", {}, h("tr", {}, this.heads)),
      this.body,
    );
    this.more = button("", () => ((this.most = Infinity), this.render(true)), { class: "link", hidden: true });
    this.empty = h("div", { class: "teach", hidden: true });
    this.others = h("section", { class: "others", "aria-labelledby": "others" });
    this.element = h(
      "section",
      { class: "network", "aria-label": "Network" },
      h("div", { class: "heading" }, h("div", {}, h("h1", {}, "Network"), this.summary), this.#register()),
      this.filter,
      h("div", { class: "scroll" }, this.table),
      this.more,
      this.empty,
      this.others,
    );
    setInterval(() => {
      if (!this.shown) return;
      this.render(true);
      if (this.opened) this.#explain(this.opened);
    }, 1000);
  }

  /** It is shown, with this peer opened. */
  enter(guid) {
    this.opened = guid && guid !== "register" ? guid : null;
    this.render(true);
    if (guid === "register") this.address.focus();
    else if (guid) this.#row(guid)?.scrollIntoView({ block: "center" });
    if (this.opened) this.#explain(this.opened);
  }

  /** It is not shown any more. */
  leave() {
    this.opened = null;
  }

  /** Brings it up to date: when peers changed, and each second for the times. */
  render(always = false) {
    const { store } = this;
    if (!this.shown || !store.network || (!always && this.drawn === store.shape)) return;
    this.drawn = store.shape;
    const all = store.list();
    const bare = all.length === 0;
    this.filter.hidden = all.length < SEARCHED;
    this.table.hidden = bare;
    this.empty.hidden = !bare;
    this.#summarise(all);
    this.#networks();
    if (bare) {
      this.#teach();
      return;
    }
    const found = this.#sort(this.#search(all));
    const rows = found
      .slice(0, this.most)
      .flatMap((peer) => (peer.guid === this.opened ? [peer, { detail: peer }] : [peer]));
    keyed(
      this.body,
      rows,
      (row) => row.guid ?? `detail ${row.detail.guid}`,
      (row) => (row.detail ? this.#detail(row.detail) : this.#make(row)),
      (element, row) => row.guid && this.#update(element, row),
    );
    const rest = found.length - this.most;
    this.more.hidden = !(rest > 0);
    say(this.more, rest > 0 ? `Show ${counted(rest, "more node")}` : "");
  }

  /** Moves from row to row. */
  move(step) {
    const links = [...this.body.querySelectorAll(".peer-name")];
    const at = links.indexOf(document.activeElement);
    links[Math.max(0, Math.min(links.length - 1, at + step))]?.focus();
  }

  #row(guid) {
    return this.body.keyedChildren?.get(guid);
  }

  #head(column) {
    const onclick = () => {
      this.down = this.sorted === column && !this.down;
      this.sorted = column;
      this.render(true);
    };
    const sort = h("button", { type: "button", class: "sort", onclick }, column.name);
    return h("th", { scope: "col", class: column.number ? "number" : null }, sort);
  }

  #search(peers) {
    const wanted = this.filter.hidden ? "" : this.filter.value.trim().toLowerCase();
    if (!wanted) return peers;
    return peers.filter((peer) =>
      `${peer.name} ${peer.ip}:${peer.port} ${STATES[stateOf(peer)].word} ${peer.guid}`.toLowerCase().includes(wanted),
    );
  }

  #sort(peers) {
    const { by } = this.sorted;
    const turn = this.down ? -1 : 1;
    COLUMNS.forEach((column, index) =>
      set(this.heads[index], { "aria-sort": column === this.sorted ? (this.down ? "descending" : "ascending") : null }),
    );
    return [...peers].sort((a, b) => turn * (by(a) < by(b) ? -1 : by(a) > by(b) ? 1 : 0));
  }

  #summarise(peers) {
    const counts = tally(peers);
    const words = ORDER.filter((state) => counts[state]).map(
      (state) => `${number(counts[state])} ${STATES[state].word}`,
    );
    say(
      this.summary,
      peers.length ? `${counted(peers.length, "other node")}: ${words.join(", ")}.` : "No other nodes are known.",
    );
  }

  #make(peer) {
    const name = h("a", { class: "peer-name", href: `#network/${peer.guid}` }, foreign(peer.name));
    name.addEventListener("click", (event) => {
      if (this.opened !== peer.guid) return;
      event.preventDefault();
      this.go("network");
    });
    const cell = (column) => h("td", { class: column.number ? "number" : null, "data-name": column.name });
    const cells = COLUMNS.slice(1).map(cell);
    cells[1].append(mark(stateOf(peer)), h("span", { class: "reason quiet" }));
    return h("tr", {}, h("th", { scope: "row" }, name), cells);
  }

  #update(row, peer) {
    const [name, where, state, rtt, loss, heard, count, sync, version] = row.children;
    set(row, { class: peer.guid === this.opened ? "opened" : null });
    sayForeign(name.firstElementChild.firstElementChild, peer.name);
    const kind = stateOf(peer);
    remark(state.firstElementChild, kind);
    const since = instant(peer.since);
    const long = since ? `, for ${span(Math.max(1000, Date.now() - since))}` : "";
    say(state.lastElementChild, peer.reach === "reachable" ? "" : `${line(peer.reason)}${long}`);
    say(rtt, millis(peer.rtt_ms));
    say(loss, peer.loss == null ? "–" : `${Math.round(peer.loss * 100)} %`);
    say(heard, age(peer.last_update));
    say(count, peer.gossip_count == null ? "–" : number(peer.gossip_count));
    const gone = peer.reach === "unreachable" || peer.reach === "left";
    say(sync, peer.in_sync ? "yes" : gone ? "–" : peer.differs ? `${number(peer.differs)} differ` : "no");
    say(where, address(peer.ip, peer.port));
    say(version, peer.protocol_version == null ? "–" : String(peer.protocol_version));
  }

  #detail(peer) {
    this.evidence = h("div", { class: "evidence" }, h("div", { class: "skeleton block" }));
    const told = h("span", { class: "quiet", role: "status" });
    const act = (label, action) => {
      const actor = button(label, async () => {
        actor.disabled = true;
        say(told, "…");
        try {
          say(told, await action());
        } catch (problem) {
          say(told, [problem.message, problem.hint].filter(Boolean).map(line).join("; "));
        }
        actor.disabled = false;
      });
      return actor;
    };
    const path = `/peers/${encodeURIComponent(peer.guid)}`;
    const ping = act("Ping", async () => `it answered after ${millis((await tell("POST", `${path}/ping`)).rtt_ms)}`);
    const forget = act("Forget", async () => {
      await tell("DELETE", path);
      this.store.forget(peer.guid);
      this.go("network");
      return "";
    });
    const others = peer.other_networks.length
      ? h(
          "p",
          {},
          "Also in ",
          peer.other_networks.map((name) => foreign(name, { class: "chip" })),
        )
      : null;
    return h(
      "tr",
      { class: "detail" },
      h(
        "td",
        { colspan: COLUMNS.length },
        this.evidence,
        others,
        h("p", {}, h("code", { class: "quiet" }, line(peer.guid))),
        h("div", { class: "buttons start" }, ping, forget, told),
      ),
    );
  }

  async #explain(guid) {
    // One at a time, and nothing is drawn anew that is as it was: somebody may be marking it.
    if (this.asking === guid) return;
    this.asking = guid;
    try {
      const { reason, since, evidence, next } = await ask(`/peers/${encodeURIComponent(guid)}/explain`);
      if (this.opened !== guid || !this.evidence) return;
      const told = JSON.stringify([guid, reason, since, evidence, next]);
      if (this.evidence.told === told) return;
      this.evidence.told = told;
      const row = ({ at, what }) => h("li", {}, h("time", { class: "quiet", datetime: at }, when(at)), " ", line(what));
      fresh(
        this.evidence,
        h("p", {}, `${line(reason)}${since ? `, since ${when(since)}` : ""}.`),
        h("ul", {}, evidence.map(row)),
        next ? h("p", { class: "quiet" }, `Next, if nothing is heard: ${line(next.what)} at ${when(next.at)}.`) : null,
      );
    } catch (problem) {
      if (this.opened === guid && this.evidence)
        fresh(this.evidence, h("p", { class: "problem" }, line(problem.message)));
    } finally {
      this.asking = null;
    }
  }

  #register() {
    this.address = h("input", {
      id: "address",
      type: "text",
      placeholder: "nas:6884",
      autocomplete: "off",
      autocapitalize: "none",
      spellcheck: "false",
      required: true,
    });
    const send = button("Register", null, { type: "submit", class: "primary" });
    const told = h("p", { class: "told quiet", role: "status" });
    const form = h(
      "form",
      { class: "register" },
      h("label", { for: "address" }, h("span", {}, "Register with a node, HOST:PORT"), this.address),
      send,
      told,
    );
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const wanted = this.address.value.trim();
      send.disabled = true;
      set(told, { class: "told quiet" });
      say(told, `Asking ${line(wanted)}…`);
      try {
        const peer = await tell("POST", "/register", { address: wanted, timeout_ms: REGISTER_MS });
        fresh(told, "Registered with ", foreign(peer.name, { class: "name" }), ` at ${address(peer.ip, peer.port)}.`);
        this.address.value = "";
      } catch (problem) {
        set(told, { class: "told problem" });
        fresh(told, line(problem.message), problem.hint ? h("span", {}, line(problem.hint)) : null);
      }
      send.disabled = false;
    });
    return form;
  }

  #networks() {
    const names =
      this.store.network.other_networks ??
      [...new Set(this.store.list().flatMap((peer) => peer.other_networks))].sort();
    const nodes = this.store.network.other_nodes ?? [];
    const key = JSON.stringify([names, nodes.map(({ network_name, name }) => [network_name, name])]);
    this.others.hidden = names.length === 0;
    if (key === this.networksKey) return;
    this.networksKey = key;
    const network = (name) => {
      const within = nodes.filter((node) => node.network_name === name).slice(0, 50);
      const listed = within.flatMap((node, at) => [at ? ", " : " ", foreign(node.name, { class: "name" })]);
      return h("p", {}, foreign(name, { class: "chip" }), listed);
    };
    fresh(
      this.others,
      h("h2", { id: "others" }, "Other networks here"),
      h("p", { class: "quiet" }, "Peers say that they are in these too. Who wants to join one needs its password."),
      names.slice(0, 100).map(network),
    );
  }

  #teach() {
    if (this.empty.firstChild) return;
    const { ip, port } = this.store.network;
    fresh(
      this.empty,
      h("p", {}, "No peers yet. Where another node runs, with the same network name and password:"),
      h("pre", { class: "command" }, `gossip-node register ${address(ip, port)}`),
      h("p", {}, "Or give its address above."),
    );
  }
}

// The ring: all nodes on a circle, in the order in which the protocol itself places them, so that every node's page
// shows the same picture. Each has its state as a shape; many are drawn as strokes. Chords cross it as datagrams pass.

import { Chords, KINDS } from "./chords.js";
import { fresh, h, resized, s, say, set } from "./dom.js";
import { STATES, mark, stateOf } from "./mark.js";
import { tally } from "./sentence.js";
import { age, brief, counted, line, millis, number, short } from "./text.js";

/** More nodes than that are strokes. */
const SHAPES = 300;
/** So many labels are set upright, more along the radius. */
const UPRIGHT = 16;
/** Width of a character of a label, about. */
const LETTER = 7.5;
/** Strokes of a crowd: from where to where around the circle, by state, the worst last so that it lies on top. */
const STROKES = { sync: [-4, 4], left: [-1, 1], behind: [-9, 0], suspect: [0, 11], unreachable: [7, 18] };

export class Ring {
  /** `open(guid)` shows a peer. */
  constructor(store, { open }) {
    Object.assign(this, { store, open, nodes: [], chosen: null });
    this.canvas = h("canvas", { class: "ring-chords", "aria-hidden": "true" });
    this.rim = s("circle", { class: "rim" });
    this.crowd = s("g", {});
    this.shapes = s("g", {});
    this.labels = s("g", { class: "ring-labels" });
    this.self = s("g", { class: "ring-self" }, s("circle", { r: 11 }), s("circle", { r: 6 }));
    this.halo = s("circle", { class: "ring-halo", r: 15 });
    this.picture = s(
      "svg",
      { class: "ring-picture", role: "group", tabindex: "0" },
      this.rim,
      this.crowd,
      this.labels,
      this.halo,
      this.shapes,
      this.self,
    );
    this.centre = h("div", { class: "ring-centre" });
    this.spoken = h("p", { class: "offscreen", role: "status" });
    this.stage = h("div", { class: "ring-stage" }, this.canvas, this.picture, this.centre, this.spoken);
    this.element = h("figure", { class: "ring" }, this.stage, legend());
    this.chords = new Chords(this.canvas, {
      place: (guid) => this.at?.get(guid),
      self: () => this.at?.get(store.network?.node_guid),
      centre: () => this.middle,
    });
    store.watchTraffic((event) => this.chords.light(event));
    resized(this.stage, () => this.#resize());
    this.#listen();
  }

  /** Brings the picture up to date. */
  render() {
    const { store } = this;
    if (!store.network || !this.width) return;
    if (this.drawn !== store.shape) {
      this.drawn = store.shape;
      this.#arrange();
      this.#paint();
    }
    this.#tell();
  }

  #resize() {
    const { width, height } = this.stage.getBoundingClientRect();
    if (width === 0 || (width === this.width && height === this.height)) return;
    Object.assign(this, { width, height, middle: { x: width / 2, y: height / 2 }, members: null, drawn: -1 });
    set(this.picture, { viewBox: `0 0 ${width} ${height}` });
    this.chords.resize(width, height);
    // In another size everything is at once where it belongs; only who comes and goes makes others move.
    set(this.shapes, { class: "still" });
    this.render();
    requestAnimationFrame(() => requestAnimationFrame(() => set(this.shapes, { class: null })));
  }

  /** Gives every node its place; only when somebody came or went. */
  #arrange() {
    const { network, peers, members } = this.store;
    if (members === this.members) {
      // They stand where they stood; how they are may be another.
      this.nodes = this.nodes.map((node) => (node.self ? node : (peers.get(node.guid) ?? node)));
      return;
    }
    this.members = members;
    const self = { guid: network.node_guid, name: network.node_name, place: network.place ?? 0, self: true };
    const nodes = [self, ...peers.values()].sort((a, b) => a.place - b.place || (a.guid < b.guid ? -1 : 1));
    this.nodes = nodes;
    const count = nodes.length;
    const least = Math.min(this.width, this.height) / 2;
    const wide = this.width >= 440;
    const around = (radius) => (2 * Math.PI * radius) / count;
    const upright = wide && count <= UPRIGHT;
    const label = 26 + LETTER * Math.max(...nodes.map((node) => brief(node.name, 12).length));
    const radial = wide && !upright && around(least - label) >= 11;
    this.radius = Math.max(
      40,
      upright ? Math.min(least - 34, this.width / 2 - 130) : radial ? least - label : least - 24,
    );
    this.centre.style.width = `${Math.min(224, this.radius * 1.3)}px`;
    this.centre.style.fontSize = `${Math.max(11, Math.min(15, this.radius / 11))}px`;
    this.labelled = upright ? "upright" : radial ? "radial" : "none";
    this.size = Math.max(2.4, Math.min(9, around(this.radius) * 0.34));
    this.at = new Map(nodes.map((node, index) => [node.guid, this.#spot(index, count)]));
    set(this.labels, { class: `ring-labels ${this.labelled}` });
    set(this.rim, { cx: this.middle.x, cy: this.middle.y, r: this.radius });
    this.#label();
  }

  #spot(index, count, radius = this.radius) {
    const angle = (index / count) * 2 * Math.PI - Math.PI / 2;
    return { angle, x: this.middle.x + Math.cos(angle) * radius, y: this.middle.y + Math.sin(angle) * radius };
  }

  #label() {
    if (this.labelled === "none") {
      fresh(this.labels);
      return;
    }
    const count = this.nodes.length;
    const texts = this.nodes.map((node, index) => {
      const far = this.#spot(index, count, this.radius + (this.labelled === "upright" ? 22 : 16));
      const right = Math.cos(far.angle) > -0.01;
      const middle = this.labelled === "upright" && Math.abs(Math.cos(far.angle)) < 0.2;
      const turn = (far.angle * 180) / Math.PI + (right ? 0 : 180);
      const text = s("text", {
        x: far.x,
        y: far.y,
        "dominant-baseline": "central",
        "text-anchor": middle ? "middle" : right ? "start" : "end",
        transform: this.labelled === "radial" ? `rotate(${turn} ${far.x} ${far.y})` : null,
        class: node.self ? "self" : null,
      });
      return say(text, brief(node.name, this.labelled === "upright" ? 16 : 12));
    });
    fresh(this.labels, texts);
  }

  #paint() {
    const crowded = this.nodes.length > SHAPES;
    const spot = this.at.get(this.store.network.node_guid);
    set(this.self, { transform: `translate(${spot.x} ${spot.y})` });
    fresh(this.crowd, crowded ? this.#strokes() : []);
    if (crowded) {
      fresh(this.shapes);
      this.drawnShapes = null;
    } else {
      this.#draw();
    }
    this.#choose(this.chosen);
  }

  #draw() {
    const old = this.drawnShapes ?? new Map();
    const next = new Map();
    const scale = this.size / 5.5;
    for (const node of this.nodes) {
      if (node.self) continue;
      const path = old.get(node.guid) ?? this.shapes.appendChild(s("path", { "fill-rule": "evenodd" }));
      const { x, y } = this.at.get(node.guid);
      const state = stateOf(node);
      set(path, { d: STATES[state].path, class: `peer is-${state}` });
      const moved = `translate(${x.toFixed(1)}px, ${y.toFixed(1)}px)`;
      const transform = `${moved} scale(${scale.toFixed(2)}) translate(-8px, -8px)`;
      if (path.style.transform !== transform) path.style.transform = transform;
      next.set(node.guid, path);
      old.delete(node.guid);
    }
    for (const path of old.values()) path.remove();
    this.drawnShapes = next;
  }

  #strokes() {
    const count = this.nodes.length;
    const paths = Object.fromEntries(Object.keys(STROKES).map((state) => [state, []]));
    for (const [index, node] of this.nodes.entries()) {
      if (node.self) continue;
      const state = stateOf(node);
      const [from, to] = STROKES[state].map((far) => this.#spot(index, count, this.radius + far));
      paths[state].push(`M${from.x.toFixed(1)} ${from.y.toFixed(1)}L${to.x.toFixed(1)} ${to.y.toFixed(1)}`);
    }
    return Object.entries(paths).map(([state, path]) => s("path", { class: `stroke is-${state}`, d: path.join("") }));
  }

  #listen() {
    this.picture.addEventListener("pointermove", (event) => this.#choose(this.#nearest(event)));
    this.picture.addEventListener("pointerleave", () => this.#choose(null));
    this.picture.addEventListener("blur", () => this.#choose(null));
    this.picture.addEventListener("click", (event) => this.#enter(this.#nearest(event)));
    this.picture.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (step) {
        const count = this.nodes.length;
        const index = this.nodes.findIndex((node) => node.guid === this.chosen);
        const next = this.nodes[(index + step + count + (index < 0 && step < 0 ? 1 : 0)) % count];
        this.#choose(next?.guid);
        say(this.spoken, next ? describe(next) : "");
      } else if (event.key === "Enter") {
        this.#enter(this.chosen);
      } else {
        return;
      }
      event.preventDefault();
    });
  }

  #enter(guid) {
    if (this.store.peers.has(guid)) this.open(guid);
  }

  #nearest(event) {
    if (!this.nodes.length || !this.middle) return null;
    const box = this.stage.getBoundingClientRect();
    const x = event.clientX - box.left - this.middle.x;
    const y = event.clientY - box.top - this.middle.y;
    if (Math.abs(Math.hypot(x, y) - this.radius) > 36) return null;
    const turn = (Math.atan2(y, x) + Math.PI / 2 + 2 * Math.PI) / (2 * Math.PI);
    return this.nodes[Math.round(turn * this.nodes.length) % this.nodes.length].guid;
  }

  #choose(guid) {
    this.chosen = guid ?? null;
    const spot = this.at?.get(this.chosen);
    set(this.halo, { class: spot ? "ring-halo on" : "ring-halo", cx: spot?.x ?? 0, cy: spot?.y ?? 0 });
    set(this.picture, { class: spot && this.store.peers.has(guid) ? "ring-picture pointed" : "ring-picture" });
    this.told = null;
    this.#tell();
  }

  /** What stands in the middle: the chosen node, or what all hold. */
  #tell() {
    const { network, peers } = this.store;
    if (!network) return;
    const peer = peers.get(this.chosen);
    if (peer) {
      fresh(
        this.centre,
        h("bdi", { class: "ring-name", dir: "auto" }, brief(peer.name, 24)),
        mark(stateOf(peer)),
        h(
          "span",
          { class: "quiet" },
          peer.reach === "reachable" ? `${millis(peer.rtt_ms)} away` : brief(peer.reason, 70),
        ),
        h("span", { class: "quiet" }, peer.gossip_count == null ? "" : counted(peer.gossip_count, "message")),
      );
      this.told = null;
    } else {
      if (!this.told) {
        const own = this.chosen === network.node_guid;
        const name = own ? h("bdi", { class: "ring-name", dir: "auto" }, brief(network.node_name, 24)) : null;
        this.told = {
          count: h("strong", { class: "ring-count" }),
          word: h("span", {}),
          root: h("code", { class: "quiet" }),
        };
        fresh(this.centre, name, this.told.count, this.told.word, this.told.root);
      }
      say(this.told.count, number(network.gossip_count));
      say(this.told.word, network.gossip_count === 1 ? "message" : "messages");
      say(this.told.root, `root ${short(network.root)}`);
    }
    set(this.picture, { "aria-label": this.#sentence() });
  }

  #sentence() {
    const counts = tally(this.store.peers.values());
    const words = Object.entries(counts)
      .filter(([, count]) => count)
      .map(([state, count]) => `${count} ${STATES[state].word}`);
    const others = words.length ? words.join(", ") : "no others yet";
    const all = `Ring of ${counted(this.nodes.length, "node")}: this one, and ${others}.`;
    return `${all} Arrow keys go around it, Enter opens a node.`;
  }
}

function describe(node) {
  if (node.self) return `${line(node.name)}, this node`;
  const rest =
    node.reach === "reachable"
      ? `${millis(node.rtt_ms)} away`
      : `${line(node.reason)}, last heard ${age(node.last_update)}`;
  return `${line(node.name)}, ${STATES[stateOf(node)].word}, ${rest}`;
}

function legend() {
  const states = Object.keys(STATES).map((state) => mark(state));
  const stroke = (kind) =>
    s(
      "svg",
      { class: `stroke-key ${kind.name}`, viewBox: "0 0 24 8", "aria-hidden": "true" },
      s("line", { x1: 0, y1: 4, x2: 24, y2: 4, "stroke-dasharray": kind.dash.join(" ") || null }),
    );
  const words = { hellos: "greetings", rumors: "rumours", repairs: "repairs" };
  const kinds = KINDS.map((kind) => h("span", { class: "mark" }, stroke(kind), h("span", {}, words[kind.name])));
  return h("figcaption", { class: "legend" }, states, h("span", { class: "legend-gap" }), kinds);
}

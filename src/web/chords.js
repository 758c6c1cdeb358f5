// Chords: the lines that light up across the ring as datagrams pass between this node and others, and fade. Drawn on a
// canvas that rests while nothing passes.

/** The kinds of traffic: which counts of a span they are, and how they look. */
export const KINDS = [
  { name: "hellos", out: "hellos_out", in: "hellos_in", width: 1, dash: [], bright: 0.35, sparks: 0 },
  { name: "rumors", out: "rumors_out", in: "rumors_in", width: 1.75, dash: [], bright: 1, sparks: 2 },
  { name: "repairs", out: "repairs_out", in: "repairs_in", width: 1.75, dash: [5, 4], bright: 1, sparks: 2 },
];

/** Brightness halves in so many milliseconds. */
const HALF = 450;
const FLIGHT = 750;
const MOST_SPARKS = 160;
const CHORDS = 96;
/** Milliseconds between two drawings: what glows and drifts needs no more. */
const PACE = 30;

export class Chords {
  /** `place(guid)` answers a peer's `{x, y}` or null; `self()` this node's; `centre()` the ring's. */
  constructor(canvas, { place, self, centre }) {
    Object.assign(this, { canvas, place, self, centre });
    this.lit = new Map();
    this.sparks = [];
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
  }

  /** The canvas is so large, in CSS pixels. */
  resize(width, height) {
    const scale = Math.min(devicePixelRatio || 1, 2);
    Object.assign(this.canvas, { width: Math.round(width * scale), height: Math.round(height * scale) });
    Object.assign(this, { scale, width, height });
    this.#wake();
  }

  /** Lights the chords of one event of traffic. */
  light({ spans }) {
    if (document.hidden) return;
    for (const span of spans) {
      for (const [index, kind] of KINDS.entries()) {
        const out = span[kind.out] ?? 0;
        const back = span[kind.in] ?? 0;
        if (out + back === 0) continue;
        this.#glow(`${index} ${span.peer}`, span.peer, index, out + back);
        if (out) this.#fly(span.peer, index, out, false);
        if (back) this.#fly(span.peer, index, back, true);
      }
    }
    this.#wake();
  }

  #glow(key, peer, kind, count) {
    const lit = this.lit.get(key) ?? { peer, kind, glow: 0 };
    lit.glow = Math.min(1, lit.glow + 0.45 + Math.log2(1 + count) / 8);
    this.lit.delete(key);
    this.lit.set(key, lit);
    if (this.lit.size > CHORDS) this.lit.delete(this.lit.keys().next().value);
  }

  #fly(peer, kind, count, inwards) {
    if (this.still.matches) return;
    const sparks = Math.min(KINDS[kind].sparks, Math.ceil(Math.log2(1 + count)));
    for (let spark = 0; spark < sparks && this.sparks.length < MOST_SPARKS; spark += 1) {
      this.sparks.push({ peer, kind, inwards, at: performance.now() + spark * 110 + Math.random() * 80 });
    }
  }

  #wake() {
    if (this.running) return;
    this.running = true;
    this.before = performance.now();
    requestAnimationFrame((now) => this.#frame(now));
  }

  #frame(now) {
    if (now - this.before < PACE) {
      requestAnimationFrame((next) => this.#frame(next));
      return;
    }
    const fade = 0.5 ** ((now - this.before) / HALF);
    this.before = now;
    for (const [key, lit] of this.lit) {
      lit.glow *= fade;
      if (lit.glow < 0.02) this.lit.delete(key);
    }
    this.sparks = this.sparks.filter((spark) => now < spark.at + FLIGHT);
    this.#draw(now);
    this.running = this.lit.size > 0 || this.sparks.length > 0;
    if (this.running) requestAnimationFrame((next) => this.#frame(next));
  }

  #draw(now) {
    const pen = this.canvas.getContext("2d");
    pen.setTransform(this.scale, 0, 0, this.scale, 0, 0);
    pen.clearRect(0, 0, this.width, this.height);
    const self = this.self();
    if (!self || (this.lit.size === 0 && this.sparks.length === 0)) return;
    const style = getComputedStyle(this.canvas);
    const colours = KINDS.map((kind) => style.getPropertyValue(`--${kind.name}`));
    for (const { peer, kind, glow } of this.lit.values())
      this.#chord(pen, self, peer, KINDS[kind], colours[kind], glow);
    pen.setLineDash([]);
    for (const spark of this.sparks) this.#spark(pen, self, spark, colours[spark.kind], now);
    pen.globalAlpha = 1;
  }

  #chord(pen, self, peer, kind, colour, glow) {
    const end = this.place(peer);
    if (!end) return;
    const bend = this.#bend(self, end);
    pen.globalAlpha = Math.min(1, glow) * kind.bright;
    pen.strokeStyle = colour;
    pen.lineWidth = kind.width;
    pen.setLineDash(kind.dash);
    pen.beginPath();
    pen.moveTo(self.x, self.y);
    pen.quadraticCurveTo(bend.x, bend.y, end.x, end.y);
    pen.stroke();
  }

  #spark(pen, self, { peer, inwards, at }, colour, now) {
    const end = this.place(peer);
    const gone = (now - at) / FLIGHT;
    if (!end || gone < 0) return;
    const smooth = gone * gone * (3 - 2 * gone);
    const t = inwards ? 1 - smooth : smooth;
    const bend = this.#bend(self, end);
    const along = (axis) => (1 - t) * (1 - t) * self[axis] + 2 * t * (1 - t) * bend[axis] + t * t * end[axis];
    pen.globalAlpha = Math.min(1, 4 * gone, 4 * (1 - gone));
    pen.fillStyle = colour;
    pen.beginPath();
    pen.arc(along("x"), along("y"), 3, 0, 2 * Math.PI);
    pen.fill();
  }

  /** Chords lean towards the centre, so that neighbours' arcs stay apart from the ring itself. */
  #bend(a, b) {
    const centre = this.centre();
    const lean = (axis) => centre[axis] + ((a[axis] + b[axis]) / 2 - centre[axis]) * 0.3;
    return { x: lean("x"), y: lean("y") };
  }
}

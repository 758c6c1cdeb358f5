// The demonstration: controls with which somebody makes a network suffer that was made for it, and watches it heal.

import { ask, tell } from "./api.js";
import { button, h, keyed, say, set } from "./dom.js";
import { line } from "./text.js";

/** How often it is looked at, since nodes take a while to die and to come back. */
const LOOK = 1_000;
/** A slider that moves is told so often. */
const PACE = 150;
const LOSS = { most: 60, step: 5 };
const DELAY = { most: 200, step: 10 };

export class Demo {
  constructor() {
    this.loss = slider(
      "Lost datagrams",
      LOSS,
      (percent) => `${percent} %`,
      (percent) => this.#want({ loss: percent / 100 }),
    );
    this.delay = slider(
      "Delay",
      DELAY,
      (ms) => `${ms} ms`,
      (ms) => this.#want({ delay_ms: ms }),
    );
    this.split = button("Split", () => this.#want({ split: !this.chaos.split }), {
      "aria-pressed": "false",
    });
    this.nodes = h("ul", { class: "demo-nodes", "aria-label": "Nodes to kill" });
    this.heal = button("Heal all", () => this.#want({ loss: 0, delay_ms: 0, split: false, dead: [] }), {
      class: "primary",
    });
    this.told = h("p", { class: "problem", role: "status" });
    const part = (title, ...controls) => h("div", {}, h("span", { class: "quiet" }, title), controls);
    this.element = h(
      "section",
      { class: "demo", "aria-labelledby": "demo", hidden: true },
      h(
        "div",
        { class: "between" },
        h(
          "p",
          {},
          h("strong", { id: "demo" }, "Make this network suffer. "),
          h("span", { class: "quiet" }, "Write messages meanwhile: it heals by itself."),
        ),
        this.heal,
      ),
      h(
        "div",
        { class: "demo-links" },
        this.loss.element,
        this.delay.element,
        part("Cut it in two", this.split),
        part("Kill nodes", this.nodes),
      ),
      this.told,
    );
  }

  /** From now on it is there, and brings itself up to date. */
  begin() {
    if (this.timer) return;
    this.timer = setInterval(() => !document.hidden && this.element.isConnected && this.#look(), LOOK);
    this.#look();
  }

  async #look() {
    await this.#take(ask("/demo"));
  }

  /** Tells what is wanted, the last of several wishes at once. */
  #want(change) {
    this.wanted = { ...this.wanted, ...change };
    if (this.pace) return;
    this.pace = setTimeout(() => {
      this.pace = null;
      const wanted = this.wanted;
      this.wanted = null;
      this.#take(tell("PUT", "/demo", wanted));
    }, PACE);
  }

  async #take(answer) {
    try {
      const chaos = await answer;
      // What is being wished for counts for more than how it was a moment ago.
      if (!this.wanted) this.#show(chaos);
      say(this.told, "");
    } catch (problem) {
      say(this.told, line(problem.message));
    }
  }

  #show(chaos) {
    this.chaos = chaos;
    this.element.hidden = false;
    this.loss.show(Math.round(chaos.loss * 100));
    this.delay.show(chaos.delay_ms);
    set(this.split, { "aria-pressed": String(chaos.split) });
    say(this.split, chaos.split ? "End the split" : "Split");
    const [, ...mortal] = chaos.nodes;
    keyed(
      this.nodes,
      mortal,
      (node) => node.guid,
      (node) => this.#node(node),
      showNode,
    );
    const quiet = !chaos.loss && !chaos.delay_ms && !chaos.split && chaos.nodes.every((node) => !node.dead);
    this.heal.disabled = quiet;
  }

  #node({ name }) {
    const toggle = () => {
      const dead = this.chaos.nodes.filter((node) => node.dead !== (node.name === name)).map((node) => node.name);
      this.#want({ dead });
    };
    return h("li", {}, button(line(name), toggle, { "aria-pressed": "false" }));
  }
}

function showNode(row, { name, dead, up }) {
  const word = dead ? (up ? " is dying" : " is dead") : up ? "" : " comes back";
  say(row.firstElementChild, `${line(name)}${word}`);
  set(row.firstElementChild, { "aria-pressed": String(dead), class: `button ${dead ? "dead" : ""}` });
}

function slider(title, { most, step }, show, wanted) {
  const id = `demo-${title.toLowerCase().replace(/\W+/g, "-")}`;
  const input = h("input", { id, type: "range", min: 0, max: most, step, value: 0 });
  const value = h("output", { for: id }, show(0));
  input.addEventListener("input", () => {
    say(value, show(Number(input.value)));
    wanted(Number(input.value));
  });
  const element = h("label", { for: id }, h("span", {}, title, " ", value), input);
  return {
    element,
    show(now) {
      if (Number(input.value) === now) return;
      input.value = now;
      say(value, show(now));
    },
  };
}

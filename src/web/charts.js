// Charts: a number of the last two minutes as a small line, with a sentence for those who do not see it and a table for
// those who want the figures.

import { h, s, say, set } from "./dom.js";
import { clock } from "./text.js";

const WIDTH = 120;
const HEIGHT = 36;
const ROWS = 30;

/**
 * One chart: `series` are `{ name, kind, pick(sample) }`; `show` formats a value, `unit` says of what, and scales end
 * at round numbers in `base`.
 */
export class Chart {
  constructor({ title, unit, series, show, base = 10 }) {
    Object.assign(this, { title, unit, series, show, base });
    this.values = series.map((one) => h("span", { class: `chart-value ${one.kind}` }, "–"));
    const named = series.map((one, index) =>
      h("span", { class: "chart-series" }, this.values[index], series.length > 1 ? h("small", {}, one.name) : null),
    );
    this.lines = series.map((one) =>
      s("path", { class: `chart-line ${one.kind}`, "vector-effect": "non-scaling-stroke" }),
    );
    this.area = s("path", { class: `chart-area ${series[0].kind}` });
    this.top = h("small", { class: "chart-top" });
    this.picture = s(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" },
      this.area,
      this.lines,
    );
    this.body = h("tbody", {});
    const heads = series.map((one) => h("th", { scope: "col" }, series.length > 1 ? one.name : unit));
    this.table = h(
      "table",
      { class: "chart-table", hidden: true },
      h("caption", { class: "offscreen" }, `${title}, ${unit}`),
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Time"), heads)),
      this.body,
    );
    this.plot = h("div", { class: "chart-plot" }, this.picture, this.top);
    this.element = h(
      "figure",
      { class: "chart" },
      h("figcaption", {}, h("h3", {}, title), h("div", { class: "chart-now" }, named)),
      this.plot,
      this.table,
    );
  }

  /** As a table, or as a picture. */
  asTable(table) {
    this.table.hidden = !table;
    this.plot.hidden = table;
    this.drawn = null;
  }

  /** Draws these samples; each is drawn once. */
  render(samples) {
    const last = samples[samples.length - 1];
    if (!last || last === this.drawn) return;
    this.drawn = last;
    const columns = this.series.map((one) => samples.map(one.pick));
    columns.forEach((column, index) => say(this.values[index], this.#value(column[column.length - 1])));
    const most = Math.max(...columns.flat().filter((value) => value != null), 0);
    set(this.picture, { "aria-label": this.#sentence(columns, most, samples.length) });
    if (!this.table.hidden) {
      this.#fill(samples, columns);
      return;
    }
    const top = ceiling(most, this.base);
    say(this.top, most > 0 ? this.show(top) : "");
    const paths = columns.map((column) => path(column, top));
    this.lines.forEach((element, index) => set(element, { d: paths[index] }));
    const start = WIDTH - columns[0].length + 1;
    set(this.area, { d: paths[0] ? `${paths[0]}V${HEIGHT}H${start}Z` : "" });
  }

  #value(value) {
    return value == null ? "–" : this.show(value);
  }

  #fill(samples, columns) {
    const rows = samples.slice(-ROWS).map((sample, index) => {
      const at = Math.max(0, samples.length - ROWS) + index;
      return h(
        "tr",
        {},
        h("th", { scope: "row" }, clock(sample.at)),
        columns.map((column) => h("td", {}, this.#value(column[at]))),
      );
    });
    this.body.replaceChildren(...rows.reverse());
  }

  #sentence(columns, most, seconds) {
    const parts = this.series.map((one, index) => {
      const column = columns[index];
      return `${this.series.length > 1 ? `${one.name} ` : ""}${this.#value(column[column.length - 1])}`;
    });
    const highest = `at most ${this.show(most)} in the last ${seconds} seconds`;
    return `${this.title}, ${this.unit}: ${parts.join(", ")}; ${highest}`;
  }
}

/** The samples as a path, the newest at the right edge, a unit a second. */
function path(values, top) {
  let drawn = "";
  let pen = "M";
  values.forEach((value, index) => {
    if (value == null) {
      pen = "M";
      return;
    }
    const x = WIDTH - values.length + 1 + index;
    const y = HEIGHT - 1 - (value / top) * (HEIGHT - 3);
    drawn += `${pen}${x} ${y.toFixed(2)}`;
    pen = "L";
  });
  return drawn;
}

/** A round number not below. */
function ceiling(value, base) {
  if (value <= 0) return 1;
  if (base === 2) return 2 ** Math.ceil(Math.log2(value));
  const unit = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * unit).find((step) => step >= value);
}

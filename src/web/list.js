// The list: any number of messages behind a window of few rows. Rows are made once and say another message as the list
// moves under them.

import { foreign, h, resized, say, sayForeign, set } from "./dom.js";
import { bytes, when } from "./text.js";

/** Browsers lay out no element of any height: of more rows than that, a part at a time stands in the element. */
const ROWS = 100_000;
const BEYOND = 6;

export class List {
  /** `select(record)` is called when a row is chosen, `open(record)` when it is entered. */
  constructor({ select, open, progress }) {
    Object.assign(this, { select, open, progress, records: null, base: 0, index: -1, chosen: null, rows: [] });
    this.sizer = h("div", { class: "list-sizer", role: "presentation" });
    this.element = h(
      "div",
      { class: "list", role: "listbox", tabindex: "0", "aria-label": "Messages, newest first" },
      this.sizer,
    );
    this.element.addEventListener("scroll", () => this.#soon(), { passive: true });
    this.element.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      this.move(step);
    });
    resized(this.element, () => this.render());
  }

  /** Shows these. */
  show(records) {
    Object.assign(this, { records, base: 0 });
    this.element.scrollTop = 0;
    this.render();
  }

  /** Whether the newest message is in sight. */
  get isAtTop() {
    return this.base === 0 && this.element.scrollTop < 8;
  }

  /** Rows were put above; what is looked at stays where it is. */
  grown(rows) {
    if (!this.isAtTop) this.element.scrollTop += rows * this.#height();
    if (this.index >= 0) this.index += rows;
  }

  /** Goes up or down by so many. */
  move(step) {
    if (!this.records?.length) return;
    this.pick(Math.max(0, Math.min(this.records.length - 1, this.index + step)));
  }

  /** Chooses the message at a place. */
  pick(index) {
    const record = this.records?.at(index);
    if (!record) return;
    Object.assign(this, { index, chosen: record.guid });
    this.#reveal(index);
    this.render();
    this.select(record);
  }

  /** Marks a message as chosen, wherever it is. */
  mark(guid) {
    this.chosen = guid;
    this.index = this.records && guid ? this.records.find(guid) : -1;
    this.render();
  }

  /** Draws the rows that are in sight. */
  render() {
    const { records, element } = this;
    const height = this.#height();
    if (!records || !height || !element.clientHeight) return;
    this.#shift(height);
    const total = records.length + (records.end ? 0 : 1);
    const held = Math.min(ROWS, total - this.base);
    const sized = `${held * height}px`;
    if (this.sizer.style.height !== sized) this.sizer.style.height = sized;
    const first = Math.max(0, this.base + Math.floor(element.scrollTop / height) - BEYOND);
    const last = Math.min(this.base + held, first + Math.ceil(element.clientHeight / height) + 2 * BEYOND);
    while (this.rows.length < last - first) this.rows.push(this.#row());
    this.rows.forEach((row, place) => this.#fill(row, first + place, first + place < last, height));
    const chosen = this.rows.find((row) => !row.element.hidden && row.element.getAttribute("aria-selected") === "true");
    set(element, { "aria-activedescendant": chosen?.element.id ?? null });
  }

  #soon() {
    if (this.due) return;
    this.due = true;
    requestAnimationFrame(() => {
      this.due = false;
      this.render();
    });
  }

  #height() {
    return parseFloat(getComputedStyle(this.element).getPropertyValue("--row")) || 0;
  }

  /** Moves the part that stands in the element along when its edge comes near. */
  #shift(height) {
    const { element, records } = this;
    const half = ROWS / 2;
    const row = element.scrollTop / height;
    if (row > ROWS - 200 && records.length > this.base + ROWS - 200) {
      this.base += half;
      element.scrollTop -= half * height;
    } else if (row < 100 && this.base > 0) {
      const back = Math.min(half, this.base);
      this.base -= back;
      element.scrollTop += back * height;
    }
  }

  #reveal(index) {
    const height = this.#height();
    const top = (index - this.base) * height;
    const { scrollTop, clientHeight } = this.element;
    if (top < scrollTop) this.element.scrollTop = top;
    else if (top + height > scrollTop + clientHeight) this.element.scrollTop = top + height - clientHeight;
  }

  #row() {
    const row = {
      who: foreign("", { class: "who" }),
      what: foreign("", { class: "what" }),
      bar: h("progress", { hidden: true }),
    };
    row.size = h("span", { class: "size quiet" });
    row.time = h("time", { class: "quiet" });
    row.element = h(
      "div",
      { class: "list-row", role: "option", id: `row-${this.rows.length}` },
      row.who,
      row.what,
      row.bar,
      row.size,
      row.time,
    );
    row.element.addEventListener("click", () => {
      this.pick(row.index);
      if (row.record) this.open(row.record);
    });
    this.sizer.append(row.element);
    return row;
  }

  #fill(row, index, shown, height) {
    row.element.hidden = !shown;
    if (!shown) return;
    const record = this.records.at(index);
    Object.assign(row, { index, record });
    const top = `translateY(${(index - this.base) * height}px)`;
    if (row.element.style.transform !== top) row.element.style.transform = top;
    const chosen = record !== null && record.guid === this.chosen;
    set(row.element, {
      class: record ? (chosen ? "list-row chosen" : "list-row") : "list-row waiting",
      "aria-selected": String(chosen),
      "aria-posinset": index + 1,
      "aria-setsize": this.records.end ? this.records.length : -1,
    });
    sayForeign(row.who, record?.who_name ?? "");
    const part = record && !record.complete ? this.progress(record.guid) : null;
    row.bar.hidden = !part;
    if (part) Object.assign(row.bar, { max: part.len, value: part.received });
    sayForeign(row.what, record ? (record.complete ? record.preview : "still arriving") : "");
    say(row.size, record ? bytes(record.len) : "");
    say(row.time, record ? when(record.date_time) + (record.date_doubtful ? " (to come)" : "") : "");
    if (record) row.time.dateTime = record.date_time;
  }
}

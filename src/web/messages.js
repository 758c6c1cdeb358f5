// Messages: the live list, newest first, with search and filters, and beside it the message that is chosen.

import { button, fresh, h, say, set } from "./dom.js";
import { arrivals, showArrivals } from "./arriving.js";
import { List } from "./list.js";
import { Message } from "./message.js";
import { Records } from "./records.js";
import { counted, line } from "./text.js";

/** A search begins when nothing was typed for so long. */
const TYPED = 250;
/** Where so much arrives that the list begins anew, it does so once in so long. */
const ANEW = 1_000;
/** A search of which the index lacks something is made again after so long. */
const AGAIN = 2_000;
/** So many may come above what somebody reads, before they are only counted. */
const MOST_ABOVE = 200;
const FIELDS = ["q", "who", "since", "until"];

export class Messages {
  constructor(store, { go, compose }) {
    Object.assign(this, { store, go, compose, waiting: 0, begun: 0 });
    this.message = new Message(store, { close: () => go("messages") });
    this.list = new List({
      select: (record) => this.wide.matches && go(`messages/${record.guid}`, { replace: true }),
      open: (record) => go(`messages/${record.guid}`),
      progress: (guid) => store.fetches.get(guid),
    });
    this.wide = matchMedia("(min-width: 62rem)");
    this.fields = this.#fields();
    this.told = h("p", { class: "told quiet", role: "status" });
    this.pill = button("", () => this.#anew(), { class: "pill", hidden: true });
    this.fetches = arrivals();
    this.empty = h("div", { class: "teach", hidden: true });
    this.pane = h(
      "div",
      { class: "pane" },
      this.message.element,
      h(
        "p",
        { class: "hint quiet" },
        "Choose a message to read it: ",
        h("kbd", {}, "j"),
        " and ",
        h("kbd", {}, "k"),
        " go down and up.",
      ),
    );
    this.element = h(
      "section",
      { class: "messages", "aria-label": "Messages" },
      h("div", { class: "list-side" }, this.#form(), this.told, this.fetches, this.pill, this.list.element, this.empty),
      this.pane,
    );
  }

  /** It is shown, with this message chosen. */
  enter(guid) {
    if (!this.records) this.#anew();
    set(this.element, { class: guid ? "messages reading" : "messages" });
    this.list.mark(guid ?? null);
    if (guid) this.message.show(guid, this.#known(guid));
    else this.message.hide();
    set(this.message.element, { hidden: !guid });
    this.render();
  }

  /** It is not shown any more. */
  leave() {
    this.message.hide();
  }

  /** Everything may be another now: a network was chosen, or the daemon came back. */
  reset() {
    this.records?.close();
    this.records = null;
    if (this.shown) this.#anew();
  }

  /** Brings it up to date. */
  render() {
    const { store, records } = this;
    if (records) {
      if (this.#filtered()) this.waiting += store.news.length + store.missed;
      else this.#take(store.news, store.missed);
    }
    if (!this.shown) return;
    this.message.render();
    this.#tell();
    showArrivals(this.fetches, store);
    this.list.render();
  }

  /** Puts the cursor into the search. */
  search() {
    this.fields.q.focus();
    this.fields.q.select();
  }

  /** Moves along the list. */
  move(step) {
    this.list.move(step);
  }

  /** Opens the message that is chosen in the list. */
  open() {
    if (this.list.chosen) this.go(`messages/${this.list.chosen}`);
  }

  #take(news, missed) {
    const { list, records } = this;
    if (missed > 0) this.late = true;
    if (list.isAtTop || records.fresh.length + news.length <= MOST_ABOVE) {
      const before = records.fresh.length;
      if (records.prepend(news) > 0) this.late = true;
      const grown = records.fresh.length - before;
      if (grown > 0) list.grown(grown);
      if (!list.isAtTop) this.waiting += grown;
    } else {
      this.waiting += news.length;
      this.late = true;
    }
    if (list.isAtTop && !this.late) this.waiting = 0;
    const anew = this.late || records.isOverfull;
    if (!anew) return;
    // More came than can be put on top one by one: what is newest is asked for, if anybody looks.
    if (!this.shown) this.reset();
    else if (list.isAtTop && performance.now() - this.begun > ANEW) this.#anew();
  }

  #known(guid) {
    const index = this.records?.find(guid) ?? -1;
    return (index >= 0 && this.records.at(index)) || this.store.latest.find((record) => record.guid === guid);
  }

  /** Asks for the list from its beginning. */
  #anew() {
    const query = this.#query();
    const old = this.records;
    old?.close();
    Object.assign(this, { waiting: 0, late: false, begun: performance.now() });
    const records = new Records(query, () => {
      if (records !== this.records && records !== this.coming) return;
      if (this.coming === records) this.#swap(records);
      // What the index lacks yet may be what is looked for.
      clearTimeout(this.looking);
      if (lacking(records)) this.looking = setTimeout(() => this.shown && this.list.isAtTop && this.#anew(), AGAIN);
      this.list.render();
      this.#tell();
    });
    // What is shown stays until the new list's first page is here.
    this.coming = records;
    if (!old) this.#swap(records);
  }

  #swap(records) {
    Object.assign(this, { records, coming: null });
    this.list.show(records);
    this.list.mark(this.list.chosen);
  }

  #query() {
    const query = {};
    for (const name of FIELDS) {
      const value = this.fields[name].value.trim();
      if (value) query[name] = name === "since" || name === "until" ? new Date(value).toISOString() : value;
    }
    return query;
  }

  #filtered() {
    return FIELDS.some((name) => this.fields[name].value.trim());
  }

  #tell() {
    const { records, store, waiting } = this;
    if (!records) return;
    const filtered = this.#filtered();
    this.pill.hidden = !(waiting > 0 && (filtered || !this.list.isAtTop));
    say(
      this.pill,
      filtered ? `${counted(waiting, "new message")} since: search again` : `${counted(waiting, "new message")} above`,
    );
    const lacks = lacking(records);
    const behind = lacks ? ` The index lacks ${counted(lacks, "message")} yet.` : "";
    if (records.problem) say(this.told, line(records.problem.message));
    else if (filtered)
      say(this.told, `${counted(records.length, "message")} found${records.end ? "" : " so far"}.${behind}`);
    else say(this.told, store.network ? `${counted(store.network.gossip_count, "message")}, newest first.` : "");
    const bare = records.isEmpty;
    this.empty.hidden = !bare;
    this.list.element.hidden = bare;
    if (bare) this.#teach(filtered);
  }

  #teach(filtered) {
    if (this.taught === filtered && this.empty.firstChild) return;
    this.taught = filtered;
    fresh(
      this.empty,
      filtered
        ? [
            h(
              "p",
              {},
              "Nothing found. Words are all searched for, a star ends a beginning (",
              h("code", {}, "back*"),
              "), quotes keep words together.",
            ),
            h(
              "p",
              {},
              button("Show all messages", () => this.clear()),
            ),
          ]
        : [
            h("p", {}, "No messages yet. From a shell:"),
            h("pre", { class: "command" }, 'gossip-node add "the backup is done"'),
            h("p", {}, button("Write a message", this.compose, { class: "primary" })),
          ],
    );
  }

  /** Shows everything again. */
  clear() {
    for (const name of FIELDS) this.fields[name].value = "";
    this.#anew();
  }

  #fields() {
    return {
      q: h("input", {
        type: "search",
        id: "search",
        placeholder: "Search messages",
        "aria-label": "Search messages",
        autocomplete: "off",
        spellcheck: "false",
        enterkeyhint: "search",
      }),
      who: h("input", { type: "text", id: "who", autocomplete: "off", spellcheck: "false" }),
      since: h("input", { type: "datetime-local", id: "since" }),
      until: h("input", { type: "datetime-local", id: "until" }),
    };
  }

  #form() {
    const { q, who, since, until } = this.fields;
    const labelled = (text, field) => h("label", { for: field.id }, h("span", {}, text), field);
    const filters = h(
      "details",
      { class: "filters" },
      h("summary", {}, "Filters"),
      h(
        "div",
        {},
        labelled("Written by", who),
        labelled("Not before", since),
        labelled("Before", until),
        button("Clear", () => this.clear()),
      ),
    );
    const form = h("form", { class: "search", role: "search" }, q, filters);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#anew();
    });
    form.addEventListener("input", () => {
      clearTimeout(this.typing);
      this.typing = setTimeout(() => this.#anew(), TYPED);
    });
    form.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !q.value) return;
      event.stopPropagation();
      q.value = "";
      this.#anew();
    });
    return form;
  }
}

/** How many messages the index of words lacks, as far as the last answer says. */
function lacking({ indexed }) {
  const [has, of] = (indexed ?? "").split("/").map(Number);
  return of > has ? of - has : 0;
}

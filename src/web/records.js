// Records: the messages of one query, newest first, fetched by cursor a page at a time when somebody looks at them.
// Pages far from what is looked at are let go and only their cursors stay: a million messages take little memory.

import { request } from "./api.js";

const PAGE = 100;
/** Pages whose messages are kept. */
const KEPT = 40;
/** Messages that came since the first page was fetched, kept above it. */
const FRESH = 300;

export class Records {
  /** `query` has what the API takes; `changed()` is called when there is something new to show. */
  constructor(query, changed) {
    Object.assign(this, {
      query,
      changed,
      pages: [],
      fresh: [],
      end: false,
      next: undefined,
      problem: null,
      indexed: null,
    });
    this.known = new Set();
    this.abort = new AbortController();
    this.#extend();
  }

  /** Nobody needs it any more. */
  close() {
    this.abort.abort();
  }

  /** How many are known so far. */
  get length() {
    const last = this.pages[this.pages.length - 1];
    return this.fresh.length + (last ? last.start + last.count : 0);
  }

  /** Whether all is here, and that is nothing. */
  get isEmpty() {
    return this.end && this.length === 0;
  }

  /** The message at a place, or null while it is not here; what is missing is fetched. */
  at(index) {
    if (index < this.fresh.length) return this.fresh[index];
    const place = index - this.fresh.length;
    const page = this.#page(place);
    if (!page) {
      this.#extend();
      return null;
    }
    page.used = performance.now();
    if (!page.rows) this.#load(page);
    return page.rows?.[place - page.start] ?? null;
  }

  /** Where a message is, if it is here; -1 if not. */
  find(guid) {
    const among = this.fresh.findIndex((record) => record.guid === guid);
    if (among >= 0) return among;
    for (const page of this.pages) {
      const at = page.rows?.findIndex((record) => record.guid === guid) ?? -1;
      if (at >= 0) return this.fresh.length + page.start + at;
    }
    return -1;
  }

  /** Puts messages that arrived on top. Answers how many of them belong further down. */
  prepend(records) {
    const below = this.pages[0]?.rows?.[0];
    const unknown = records.filter((record) => !this.known.has(record.guid));
    const fit = unknown.filter((record) => !below || record.date_time >= below.date_time);
    if (fit.length) {
      for (const record of fit) this.known.add(record.guid);
      this.fresh = [...fit, ...this.fresh].sort((a, b) => (a.date_time < b.date_time ? 1 : -1));
    }
    return unknown.length - fit.length;
  }

  /** Whether so much came that it is better to begin anew. */
  get isOverfull() {
    return this.fresh.length > FRESH;
  }

  #page(place) {
    let low = 0;
    let high = this.pages.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const page = this.pages[middle];
      if (place < page.start) high = middle - 1;
      else if (place >= page.start + page.count) low = middle + 1;
      else return page;
    }
    return null;
  }

  /** Fetches the page behind the last. */
  async #extend() {
    if (this.end || this.extending || this.problem) return;
    this.extending = true;
    const cursor = this.next;
    try {
      const { rows, next } = await this.#fetch(cursor);
      const last = this.pages[this.pages.length - 1];
      const start = last ? last.start + last.count : 0;
      if (rows.length) this.pages.push({ cursor, start, count: rows.length, rows, used: performance.now() });
      if (!last) for (const record of rows) this.known.add(record.guid);
      this.next = next;
      this.end = next == null || rows.length === 0;
      this.#forget();
    } catch (problem) {
      if (problem.name === "AbortError") return;
      this.problem = problem;
    }
    this.extending = false;
    this.changed();
  }

  /** Fetches a page again that was let go. */
  async #load(page) {
    if (page.loading) return;
    page.loading = true;
    try {
      const { rows } = await this.#fetch(page.cursor);
      page.rows = rows.slice(0, page.count);
      this.#forget();
    } catch (problem) {
      if (problem.name === "AbortError") return;
      this.problem = problem;
    }
    page.loading = false;
    this.changed();
  }

  async #fetch(cursor) {
    const query = { ...this.query, order: "newest", limit: PAGE, cursor };
    const response = await request("/gossip", { query, signal: this.abort.signal });
    this.indexed = response.headers.get("Gossip-Indexed");
    return { rows: await response.json(), next: response.headers.get("Gossip-Cursor") };
  }

  #forget() {
    const full = this.pages.filter((page) => page.rows);
    if (full.length <= KEPT) return;
    full.sort((a, b) => a.used - b.used);
    for (const page of full.slice(0, full.length - KEPT)) page.rows = null;
  }
}

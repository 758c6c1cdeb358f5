// The events: server-sent events read by a streaming fetch, since an EventSource can carry no token. It goes on behind
// the last event after a break, waits longer after each failure, and lets go of the connection while nobody looks.

import { request } from "./api.js";

/** A metrics event comes each second: after so long without anything the connection is dead. */
const SILENCE = 12_000;
const FIRST_WAIT = 500;
const LONGEST_WAIT = 5_000;
/** Who only glances at another tab does not lose the connection. */
const HIDDEN = 5_000;

/** Follows the events for as long as the page lives. */
export class Events {
  /** `on` has `event(name, data, id)`, `open()`, and `lost(problem)`. */
  constructor(on) {
    this.on = on;
    this.last = null;
    this.wait = FIRST_WAIT;
    this.stopped = true;
    document.addEventListener("visibilitychange", () => this.#looked());
  }

  /** Begins, or begins anew with a snapshot. */
  start() {
    this.stop();
    this.stopped = false;
    this.last = null;
    this.#run();
  }

  /** Ends. */
  stop() {
    this.stopped = true;
    this.abort?.abort();
    clearTimeout(this.timer);
  }

  /** Tries at once instead of waiting. */
  retry() {
    if (this.stopped || this.reading) return;
    clearTimeout(this.timer);
    this.#run();
  }

  #looked() {
    clearTimeout(this.hiding);
    if (this.stopped) return;
    if (document.hidden) {
      this.hiding = setTimeout(() => this.abort?.abort(), HIDDEN);
    } else {
      this.retry();
    }
  }

  async #run() {
    const abort = new AbortController();
    this.abort = abort;
    this.reading = true;
    let problem = null;
    try {
      const headers = this.last ? { "Last-Event-ID": this.last } : {};
      const response = await request("/events", { query: { backlog: "skip" }, headers, signal: abort.signal });
      this.on.open();
      await this.#read(response.body.getReader(), abort);
    } catch (error) {
      problem = error;
      // A place that the daemon does not know any more is no place to go on from.
      if (error.status >= 400 && error.status < 500) this.last = null;
    }
    if (this.abort !== abort) return;
    this.reading = false;
    if (this.stopped || document.hidden) return;
    this.on.lost(problem);
    const jitter = 0.8 + Math.random() * 0.4;
    this.timer = setTimeout(() => this.#run(), this.wait * jitter);
    this.wait = Math.min(this.wait * 2, LONGEST_WAIT);
  }

  async #read(reader, abort) {
    const decoder = new TextDecoder();
    let text = "";
    for (;;) {
      const watchdog = setTimeout(() => abort.abort(), SILENCE);
      const { done, value } = await reader.read().finally(() => clearTimeout(watchdog));
      if (done) return;
      text += decoder.decode(value, { stream: true });
      let start = 0;
      for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n", start)) {
        this.#tell(text.slice(start, end));
        start = end + 2;
      }
      text = text.slice(start);
    }
  }

  #tell(block) {
    let name = "message";
    let data = "";
    for (const row of block.split("\n")) {
      if (row.startsWith("data:")) data += row.slice(row[5] === " " ? 6 : 5);
      else if (row.startsWith("event:")) name = row.slice(6).trim();
      else if (row.startsWith("id:")) this.last = row.slice(3).trim();
    }
    if (!data) return;
    this.wait = FIRST_WAIT;
    this.on.event(name, data);
  }
}

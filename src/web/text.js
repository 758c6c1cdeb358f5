// Text: how strangers' words, numbers, sizes and times are shown. What comes from others passes through `safe` or
// `line` before anybody sees it, as the command line does, and is set as text only.

/** What acts or deceives unseen: C0 except newline and tab, DEL, C1, bidirectional controls, what has no width. */
const HOSTILE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u061c\u202a-\u202e\u2060-\u206f\ufeff]/gu;
const escaped = (c) => `\\u{${c.codePointAt(0).toString(16)}}`;

/** Foreign text as it may be shown: every hostile character becomes its escape, all others stay. */
export const safe = (text) => String(text ?? "").replace(HOSTILE, escaped);

/** The same for places that hold one line. */
export const line = (text) => safe(String(text ?? "").replace(/[\n\t]/g, " "));

/** At most so many characters of a line, never half a surrogate pair. */
export function brief(text, most) {
  const start = String(text ?? "").slice(0, most * 2);
  const characters = [...line(start)];
  return characters.length > most ? `${characters.slice(0, most - 1).join("")}…` : characters.join("");
}

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenth = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

/** 4,312 */
export const number = (value) => whole.format(value);

/** A rate: whole from ten on. */
export const rate = (value) => (value >= 10 ? whole : tenth).format(value);

/** 1 message, 3 messages */
export const counted = (count, noun) => `${number(count)} ${noun}${count === 1 ? "" : "s"}`;

/** Bytes in the unit that suits them. */
export function bytes(count) {
  if (count < 1024) return `${Math.round(count)} B`;
  let value = count / 1024;
  let unit = 0;
  while (value >= 1023.95 && unit < 4) {
    value /= 1024;
    unit += 1;
  }
  return `${value.toFixed(1)} ${["KiB", "MiB", "GiB", "TiB", "PiB"][unit]}`;
}

/** Milliseconds as people say them: 0.4 ms, 84 ms, 1.2 s. */
export function millis(ms) {
  if (ms == null) return "–";
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** A time of the API in milliseconds since 1970, or null if it is none. */
export function instant(rfc3339) {
  const at = Date.parse(rfc3339 ?? "");
  return Number.isNaN(at) ? null : at;
}

/** How long ago: now, 3 s ago, 2 min ago, 5 h ago, 4 d ago. */
export function age(rfc3339) {
  const at = instant(rfc3339);
  if (at === null) return rfc3339 ? line(rfc3339) : "never";
  const text = span(Date.now() - at);
  return text === "now" ? text : `${text} ago`;
}

/** How long: 3 s, 2 min, 5 h, 4 d. */
export function span(ms) {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 1) return "now";
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  return seconds < 172800 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86400)} d`;
}

const two = (value) => String(value).padStart(2, "0");

/** 14:03:12 in the reader's own time zone. */
export function clock(at) {
  const date = new Date(at);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** A time of the API in the reader's own time zone: the time today, the date and time on other days. */
export function when(rfc3339, { full = false } = {}) {
  const at = instant(rfc3339);
  if (at === null) return line(rfc3339);
  const date = new Date(at);
  if (!full && date.toDateString() === new Date().toDateString()) return clock(at);
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${full ? clock(at) : clock(at).slice(0, 5)}`;
}

/** The start of a GUID or hash: enough to tell it from others. */
export const short = (name) => line(String(name ?? "").slice(0, 8));

/** HOST:PORT of a peer. */
export const address = (ip, port) => (String(ip).includes(":") ? `[${line(ip)}]:${port}` : `${line(ip)}:${port}`);

// The API: calls to the daemon with its token; what goes wrong is a Problem that says why and what to do.

const PREFIX = "/api/v1";
const KEY = "gossip-node-token";

/** An error as the daemon tells it (RFC 9457), or `status` 0 where it does not answer at all. */
export class Problem extends Error {
  constructor({ status, title, detail, hint }) {
    super(detail || title || `status ${status}`);
    Object.assign(this, { status, title: title ?? "", detail: detail ?? "", hint: hint ?? null });
  }
}

let token = null;
let network = null;

/** The token for this tab. The address bar's fragment brings it once and is then cleaned. */
export function takeToken() {
  const given = /^#token=([0-9a-z]{4,128})$/i.exec(location.hash);
  if (given) {
    history.replaceState(null, "", location.pathname);
    keepToken(given[1]);
    return;
  }
  try {
    token = sessionStorage.getItem(KEY);
  } catch {
    token = null;
  }
}

/** Uses a token from now on. */
export function keepToken(given) {
  token = given;
  try {
    sessionStorage.setItem(KEY, given);
  } catch {
    // Where nothing may be kept, it holds for as long as the page is open.
  }
}

/** Whether there is a token to try. */
export const hasToken = () => Boolean(token);

/** Asks about this network from now on. */
export function useNetwork(name) {
  network = name;
}

/** A request; answers the response if it went well and throws a Problem if not. */
export async function request(path, { query = {}, headers = {}, ...rest } = {}) {
  const given = Object.entries({ network, ...query }).filter(([, value]) => value != null && value !== "");
  const asked = new URLSearchParams(given).toString();
  const address = PREFIX + path + (asked ? `?${asked}` : "");
  let response;
  try {
    response = await fetch(address, {
      ...rest,
      cache: "no-store",
      headers: { Authorization: `Bearer ${token}`, ...headers },
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ status: 0, title: "no answer", detail: "this node does not answer" });
  }
  if (response.ok) return response;
  const told = await response.json().catch(() => ({}));
  throw new Problem({ title: response.statusText, ...told, status: response.status });
}

/** The JSON at a path. */
export const ask = async (path, query, signal) => (await request(path, { query, signal })).json();

/** Sends JSON, or nothing, and answers what comes back; null where that is empty. */
export async function tell(method, path, body, headers = {}) {
  const json = body === undefined ? {} : { "Content-Type": "application/json" };
  const text = body === undefined ? undefined : JSON.stringify(body);
  const response = await request(path, { method, headers: { ...json, ...headers }, body: text });
  return response.status === 204 ? null : response.json();
}

/** A name that makes a repeated request answer the first one's result. */
export function idempotencyKey() {
  const random = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

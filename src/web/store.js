// The store: what the page knows, from the events' snapshot and what changes it. However fast events come, they are
// gathered, and who shows the state is told at most once a frame.

/** Newest messages kept. */
const LATEST = 200;
/** Messages that wait to be understood; of more in one frame only the newest count, the rest is only numbered. */
const WAITING = 200;
/** Seconds of samples kept. */
const SAMPLES = 120;
/** A fetch of which nothing was heard for so long is not shown as one. */
const STALLED = 60_000;
/** Frames are at least so far apart: faster than anybody reads. */
const CALM = 80;

/** The state, and who is told when it changed. */
export class Store {
  constructor() {
    this.listeners = new Set();
    this.traffic = new Set();
    this.reset();
  }

  /** Nothing is known any more. */
  reset() {
    Object.assign(this, {
      network: null,
      peers: new Map(),
      latest: [],
      waiting: [],
      arrived: 0,
      missed: 0,
      fetches: new Map(),
      samples: [],
      warning: null,
      link: "connecting",
      since: Date.now(),
      shape: 0,
      members: 0,
      fewer: 0,
    });
    this.changed();
  }

  /** Calls `listener` after each change, once a frame. */
  watch(listener) {
    this.listeners.add(listener);
  }

  /** Calls `listener` with each event of traffic, at once: its picture has frames of its own. */
  watchTraffic(listener) {
    this.traffic.add(listener);
  }

  /** Calls `listener` when peers are shown that are known no more: no event tells that, only their number. */
  watchOutdated(listener) {
    this.outdated = listener;
  }

  /** The connection is there, or not. */
  linked(link) {
    if (link !== this.link) this.since = Date.now();
    this.link = link;
    this.changed();
  }

  /** Takes in the newest messages, newest first, as a list tells them. */
  seed(records) {
    const known = new Set(this.latest.map((record) => record.guid));
    const all = [...this.latest, ...records.filter((record) => !known.has(record.guid))];
    this.latest = all.sort((a, b) => (a.date_time < b.date_time ? 1 : -1)).slice(0, LATEST);
    this.changed();
  }

  /** Takes one event in. */
  take(name, data) {
    if (name === "gossip") {
      this.waiting.push(data);
      this.arrived += 1;
      if (this.waiting.length > 2 * WAITING) this.missed += this.waiting.splice(0, WAITING).length;
    } else {
      TAKE[name]?.(this, JSON.parse(data));
    }
    this.changed();
  }

  /** Says that something changed. */
  changed() {
    if (this.due) return;
    this.due = true;
    const frame = () => requestAnimationFrame(() => this.#frame());
    const early = CALM - (performance.now() - (this.told ?? -CALM));
    if (early > 0) setTimeout(frame, early);
    else frame();
  }

  #frame() {
    this.due = false;
    this.told = performance.now();
    const waiting = this.waiting.splice(0);
    if (waiting.length > WAITING) this.missed += waiting.splice(0, waiting.length - WAITING).length;
    // What came since the last frame, newest first: the lists take it from here.
    this.news = waiting.map((data) => JSON.parse(data)).reverse();
    const known = new Set(this.news.map(({ guid }) => guid));
    for (const guid of known) this.fetches.delete(guid);
    // A list that was asked for meanwhile may have them too.
    this.latest = [...this.news, ...this.latest.filter(({ guid }) => !known.has(guid))].slice(0, LATEST);
    for (const listener of this.listeners) listener(this);
    this.news = [];
    this.missed = 0;
  }

  /** All peers by name. */
  list() {
    if (this.listed !== this.shape) {
      this.byName = [...this.peers.values()].sort((a, b) => compare(a.name, b.name) || compare(a.guid, b.guid));
      this.listed = this.shape;
    }
    return this.byName;
  }

  /** This peer is not known any more. */
  forget(guid) {
    this.peers.delete(guid);
    this.shape += 1;
    this.members += 1;
    this.changed();
  }

  /** The name of a node, or null. */
  nameOf(guid) {
    return guid === this.network?.node_guid ? this.network.node_name : (this.peers.get(guid)?.name ?? null);
  }
}

const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

const TAKE = {
  snapshot(store, { peers, ...network }) {
    store.network = network;
    store.peers = new Map(peers.map((peer) => [peer.guid, peer]));
    store.shape += 1;
    store.members += 1;
  },

  peer(store, { event: _, at, ...told }) {
    const known = store.peers.get(told.guid);
    const since = known?.reach === told.reach ? known.since : at;
    const settled = told.reach === "reachable" ? {} : { in_sync: false };
    if (known?.name !== told.name) store.members += 1;
    store.peers.set(told.guid, { ...(known ?? unknown()), ...told, ...settled, since });
    store.shape += 1;
  },

  metrics(store, { peers, ...sample }) {
    for (const peer of peers ?? []) {
      const known = store.peers.get(peer.guid);
      if (known?.name !== peer.name || known.place !== peer.place) store.members += 1;
      store.peers.set(peer.guid, peer);
    }
    if (peers?.length) store.shape += 1;
    // Twice, as what is told of a peer may be a moment ahead of the numbers.
    store.fewer = sample.known_peers < store.peers.size ? store.fewer + 1 : 0;
    if (store.fewer >= 2) {
      store.fewer = 0;
      store.outdated?.();
    }
    const old = performance.now() - STALLED;
    for (const [guid, { seen }] of store.fetches) if (seen < old) store.fetches.delete(guid);
    if (store.network) Object.assign(store.network, { gossip_count: sample.gossip_count, root: sample.root });
    const before = store.samples.at(-1);
    // What came to be here, from others or by this node's own hand.
    const seconds = before ? Math.max(1, Math.round((Date.parse(sample.at) - Date.parse(before.at)) / 1000)) : 1;
    const more = before ? Math.max(0, sample.gossip_count - before.gossip_count) : (sample.records_new ?? 0);
    const passed = more / seconds;
    store.samples.push({ ...sample, passed, rtt: roundTrips(store.peers) });
    if (store.samples.length > SAMPLES) store.samples.shift();
  },

  fetch(store, fetch) {
    if (fetch.received >= fetch.len) store.fetches.delete(fetch.guid);
    else store.fetches.set(fetch.guid, { ...fetch, seen: performance.now() });
  },

  warning(store, warning) {
    store.warning = warning;
  },

  reset(store, { of, skipped }) {
    if (of === "gossip") store.missed += skipped ?? 1;
  },

  traffic(store, event) {
    for (const listener of store.traffic) listener(event);
  },
};

/** A peer of which nothing is known but what an event tells. */
function unknown() {
  return {
    other_networks: [],
    last_update: null,
    rtt_ms: null,
    loss: null,
    gossip_count: null,
    root: null,
    in_sync: false,
    differs: null,
    place: 0,
    protocol_version: null,
  };
}

function roundTrips(peers) {
  const times = [];
  for (const peer of peers.values()) if (peer.reach === "reachable" && peer.rtt_ms != null) times.push(peer.rtt_ms);
  times.sort((a, b) => a - b);
  return times.length ? { median: times[times.length >> 1], worst: times[times.length - 1] } : null;
}

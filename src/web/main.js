// The page: begins with the token, wires the parts, and shows one of four views.

import { ask, hasToken, keepToken, takeToken, useNetwork } from "./api.js";
import { Compose } from "./compose.js";
import { fresh, h, say, set } from "./dom.js";
import { Events } from "./events.js";
import { Gate } from "./gate.js";
import { Keys } from "./keys.js";
import { Messages } from "./messages.js";
import { Network } from "./network.js";
import { Node } from "./node.js";
import { Overview } from "./overview.js";
import { sentence, tally } from "./sentence.js";
import { Store } from "./store.js";
import { clock, line } from "./text.js";
import { Theme } from "./theme.js";

/** Screen readers hear of how things are at most once in so long. */
const SPOKEN = 8_000;
/** Messages asked for to begin with. */
const FIRST = 12;

const element = (id) => document.getElementById(id);

takeToken();
const store = new Store();
const compose = new Compose(store, { go });
const theme = new Theme();
const write = () => compose.open();
const views = {
  overview: new Overview(store, { go, compose: write }),
  messages: new Messages(store, { go, compose: write }),
  network: new Network(store, { go }),
  node: new Node(store),
};
const gate = new Gate({ enter: (token) => (keepToken(token), begin()) });
const keys = new Keys({
  "/": () => (go("messages"), views.messages.search()),
  n: write,
  go: () => go("overview"),
  gm: () => go("messages"),
  gn: () => go("network"),
  gd: () => go("node"),
  j: () => current().move?.(1),
  k: () => current().move?.(-1),
  t: () => theme.next(),
  Enter: () => current().open?.() ?? false,
  Escape: () => route().rest.length > 0 && go(route().name),
});
const events = new Events({
  open: opened,
  event: (name, data) => store.take(name, data),
  lost: lost,
});

/** The view in the address, and what of it. */
function route() {
  const [name, ...rest] = location.hash.slice(1).split("/");
  return { name: Object.hasOwn(views, name) ? name : "overview", rest };
}

function current() {
  return views[route().name];
}

/** Goes somewhere: `messages`, `network/GUID`. */
function go(where, { replace = false } = {}) {
  if (replace) {
    history.replaceState(null, "", `#${where}`);
    show();
  } else if (location.hash !== `#${where}`) {
    location.hash = where;
    // The event comes later; who asked wants the view there at once.
    show();
  }
}

function show() {
  const { name, rest } = route();
  const where = `${name}/${rest.join("/")}`;
  if (where === show.where || !show.open) return;
  show.where = where;
  for (const [other, view] of Object.entries(views)) {
    if (view.shown && other !== name) {
      view.shown = false;
      view.leave?.();
    }
    set(element(`to-${other}`), { "aria-current": other === name ? "page" : null });
  }
  const view = views[name];
  view.shown = true;
  if (element("view").firstElementChild !== view.element) {
    fresh(element("view"), view.element);
    scrollTo(0, 0);
  }
  set(document.body, { "data-view": name });
  view.enter?.(rest[0]);
  view.render();
}

/** Says at the top whether what is shown is live. */
function tellLink() {
  const { link, since } = store;
  const words = { connecting: "connecting", live: "live", lost: `no answer since ${clock(since)}` };
  set(element("link"), { class: `link-state ${link}` });
  say(element("link-word"), words[link]);
  set(document.body, { class: link === "lost" ? "stale" : null });
}

function tellTitle() {
  const { network, link } = store;
  if (!network) return;
  const counts = tally(store.peers.values());
  const all = counts.sync + counts.behind + counts.suspect + counts.unreachable + 1;
  const state = link === "lost" ? "no answer" : `${counts.sync + counts.behind + 1}/${all}`;
  const title = `${state} · ${line(network.network_name)} · gossip-node`;
  if (document.title !== title) document.title = title;
  if (element("networks").hidden) say(element("network-name"), line(network.network_name));
}

/** What changed in kind is spoken; a number that moves is not. */
function speak() {
  const { tone, plain } = sentence(store);
  const counts = tally(store.peers.values());
  const kind = [tone, counts.suspect, counts.unreachable, counts.left].join();
  if (kind === speak.kind || speak.timer || tone === "wait") return;
  speak.kind = kind;
  say(element("spoken"), plain);
  speak.timer = setTimeout(() => ((speak.timer = null), speak()), SPOKEN);
}

function opened() {
  const again = store.link === "lost";
  store.linked("live");
  ask("/gossip", { order: "newest", limit: FIRST }).then(
    (records) => store.seed(records),
    () => {},
  );
  if (!again) return;
  // The daemon may have started again, with messages that no event tells of.
  views.messages.reset();
  views.node.reset();
}

function lost(problem) {
  if (problem?.status === 401 || problem?.status === 429) closed(problem);
  else store.linked("lost");
}

/** Without the right token there is nothing to show. */
function closed(problem) {
  events.stop();
  store.linked("connecting");
  gate.tell(problem, hasToken());
  show.open = false;
  show.where = null;
  set(document.body, { "data-view": "gate" });
  fresh(element("view"), gate.element);
  gate.field.focus();
}

function offerNetworks(names) {
  const choice = element("networks");
  choice.hidden = names.length < 2;
  element("network-name").hidden = names.length > 1;
  fresh(
    choice,
    names.map((name) => h("option", { value: name }, line(name))),
  );
  choice.onchange = () => {
    useNetwork(choice.value);
    store.reset();
    events.start();
    views.messages.reset();
    views.node.reset();
  };
}

/** Begins: asks who this is, then follows what happens. */
async function begin() {
  if (!hasToken()) return closed(null);
  let info;
  try {
    info = await ask("/node");
  } catch (problem) {
    if (problem.status === 401 || problem.status === 429) return closed(problem);
    store.linked("lost");
    clearTimeout(begin.timer);
    begin.timer = setTimeout(begin, 2000);
  }
  if (info) {
    offerNetworks(info.networks);
    if (info.networks.length > 1) useNetwork(info.networks[0]);
    if (info.demo) views.overview.play();
    events.start();
  }
  show.open = true;
  show();
}

store.watch(() => {
  tellLink();
  tellTitle();
  speak();
  if (!show.open) return;
  for (const [name, view] of Object.entries(views)) if (view.shown || name === "messages") view.render();
});
store.watchOutdated(async () => {
  const before = store.network;
  const network = await ask("/status/network").catch(() => null);
  if (network && store.network === before) store.take("snapshot", JSON.stringify(network));
});
addEventListener("hashchange", () => {
  if (location.hash.startsWith("#token=")) {
    takeToken();
    begin();
  }
  show();
});
addEventListener("online", () => events.retry());
element("actions").prepend(theme.element);
element("write").addEventListener("click", write);
element("help").addEventListener("click", () => keys.show());
document.body.append(compose.element, keys.element);
begin();

// The sentence: how things are, in one. It is the first thing that people read, and all that some of them do.

import { stateOf } from "./mark.js";
import { clock, counted, number, rate } from "./text.js";

/** Samples over which messages count as flowing. */
const FLOW = 8;

/** What to say: a `tone` and `parts`, of which those in arrays are set in bold; `plain` is all of it as text. */
export function sentence(store) {
  const said = told(store);
  const plain = said.parts.map((part) => (Array.isArray(part) ? part[0] : part)).join("");
  return { ...said, plain };
}

/** Messages a second, lately. */
export function flow(samples) {
  const lately = samples.slice(-FLOW);
  if (lately.length < 2) return 0;
  const first = lately[0];
  const last = lately[lately.length - 1];
  const seconds = Math.max((Date.parse(last.at) - Date.parse(first.at)) / 1000, 1);
  return Math.max(0, last.gossip_count - first.gossip_count) / seconds;
}

/** Peers by state. */
export function tally(peers) {
  const counts = { sync: 0, behind: 0, suspect: 0, unreachable: 0, left: 0 };
  for (const peer of peers) counts[stateOf(peer)] += 1;
  return counts;
}

function told(store) {
  const { network, link, since } = store;
  if (link === "lost") return { tone: "lost", parts: ["This node has not answered since ", [clock(since)], "."] };
  if (!network) return { tone: "wait", parts: ["Asking this node how things are…"] };
  const counts = tally(store.peers.values());
  const others = counts.sync + counts.behind + counts.suspect + counts.unreachable;
  const reached = counts.sync + counts.behind;
  const messages = network.gossip_count;
  if (others === 0) return alone(messages);
  if (reached === 0) {
    const whom = others === 1 ? "The only other node is" : `None of the ${number(others)} other nodes is`;
    const how = others === 1 ? " not reachable" : " reachable";
    return { tone: "bad", parts: [whom, how, "; this one holds ", [counted(messages, "message")], "."] };
  }
  const reach = [`${number(reached + 1)} of ${number(others + 1)}`];
  const tone = reached < others ? "bad" : "good";
  return {
    tone: counts.behind && tone === "good" ? "busy" : tone,
    parts: [reach, " nodes reachable, ", ...sameness(store, counts, reached, others), "."],
  };
}

function alone(messages) {
  const holding = messages
    ? ["This node is alone, with ", [counted(messages, "message")], "."]
    : ["This node is alone and holds no messages yet."];
  return { tone: "alone", parts: holding };
}

function sameness({ network, samples }, counts, reached, others) {
  const messages = network.gossip_count;
  const speed = flow(samples);
  if (counts.behind === 0) {
    const who =
      reached < others ? (reached === 1 ? "both" : `those ${number(reached + 1)}`) : reached === 1 ? "both" : "all";
    if (messages === 0) return ["no messages yet"];
    return messages === 1
      ? [`${who} hold `, ["the same message"]]
      : [`${who} hold the same `, [`${number(messages)} messages`]];
  }
  // Sets can only be compared at rest: while messages flow, what a peer said last is always a little old.
  if (speed > 0) return [["messages are flowing"], `, ${rate(speed)} a second`];
  return [[`${number(counts.behind)} catching up`], ` with ${counted(messages, "message")}`];
}

"""An outside checker: it shares no code with the node, and knows it by its command line and its HTTP API alone.

Real daemons hold a set that only grows (Maelstrom's g-set). Messages are added at random nodes while nodes are killed with
SIGKILL and paused, the network between them loses, doubles and delays datagrams and falls apart, both ways and one way.
Then everything heals; in the last read of every node every acknowledged message has to be, and nothing that was not sent.

    python3 tests/checker --nodes 5 --kills 10 --minutes 1
    python3 tests/checker --sabotage store      # proves that it can fail: exit 1

Python 3.9 or newer, its standard library, and a gossip-node that was built before: nothing else. All traffic is on loopback.
Exit 0: all is well; 1: a violation, of which the homes are kept; 2: it could not be tried.
"""

import argparse
import http.client
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True  # nothing is left among the sources

from gset import GSet
from node import Node, NotReady, Refused, until
from relay import Relay

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SABOTAGES = ("read", "ghost", "store")
# A node that was killed meanwhile, or took too long.
UNANSWERED = (OSError, http.client.HTTPException, ValueError, Refused)


class Violation(Exception):
    """Something that may not be."""


class Trial:
    """One cluster, and what it goes through."""

    def __init__(self, options, dir):
        self.options = options
        self.random = random.Random(options.seed)
        self.relay = Relay(options.nodes, options.seed)
        self.nodes = [Node(options.program, os.path.join(dir, "n%d" % (n + 1)), "n%d" % (n + 1))
                      for n in range(options.nodes)]
        self.set = GSet()
        self.lock = threading.Lock()
        self.calm = threading.Event()
        self.broken = []
        self.counts = {"sent": 0, "acknowledged": 0, "unanswered": 0, "kills": 0, "pauses": 0, "splits": 0, "one_way": 0}

    def begin(self):
        """Starts all of it, and returns when every node reaches every other, through the relay and no other way."""
        self.relay.start()
        for number, node in enumerate(self.nodes):
            self.relay.house(number, node.start())
            node.stay()
        for number, node in enumerate(self.nodes[1:], 1):
            node.command("register", self.relay.public(0), "--timeout", "60s")
        self.meet()
        public = {self.relay.public(number) for number in range(len(self.nodes))}
        for node in self.nodes:
            if not node.peers() <= public:
                raise Violation("%s knows a way around the relay: %s" % (node.name, node.peers() - public))

    def meet(self):
        """Waits until every node reaches every other."""
        for node in self.nodes:
            node.command("wait", "--peers", str(len(self.nodes) - 1), "--timeout", "100s")

    def add_until_calm(self, worker):
        """Adds messages at random nodes, most of them short and some too long for a datagram."""
        chance = random.Random(self.options.seed * 1000 + worker)
        number = 0
        while not self.calm.is_set():
            number += 1
            length = 100_000 if chance.random() < 0.005 else chance.randrange(400)
            msg = "message %d of %d %s" % (number, worker, "x" * length)
            with self.lock:
                self.set.send(msg)
                self.counts["sent"] += 1
            try:
                guid = chance.choice(self.nodes).add(msg.encode())
            except UNANSWERED:
                with self.lock:
                    self.counts["unanswered"] += 1
            else:
                with self.lock:
                    self.set.acknowledge(msg, guid)
                    self.counts["acknowledged"] += 1
            self.calm.wait(chance.random() * 2 * self.options.workers / self.options.rate)

    def kill_until_calm(self, times):
        """SIGKILL at random moments, and a start after a random time."""
        chance = random.Random(self.options.seed + 1)
        began = time.monotonic()
        for at in sorted(chance.random() * self.options.minutes * 60 for _ in range(times)):
            time.sleep(max(0.0, began + at - time.monotonic()))
            node = chance.choice(self.nodes)
            with node.lock:
                if not node.lives():
                    self.broken.append("%s ended by itself: see %s.log" % (node.name, node.home))
                    return
                node.kill()
                self.counts["kills"] += 1
                time.sleep(chance.random() * min(2.0, self.options.minutes * 60 / times))
                try:
                    node.start()
                except NotReady as error:
                    self.broken.append(str(error))
                    return

    def pause_until_calm(self):
        """SIGSTOP for a few seconds: a host that hangs."""
        chance = random.Random(self.options.seed + 2)
        while not self.calm.wait(5 + chance.random() * 20):
            node = chance.choice(self.nodes)
            with node.lock:
                node.pause(True)
                time.sleep(chance.random() * 4)
                node.pause(False)
                self.counts["pauses"] += 1

    def weather_until_calm(self):
        """Every few seconds the network is another one."""
        chance = random.Random(self.options.seed + 3)
        numbers = range(len(self.nodes))
        while not self.calm.is_set():
            self.relay.weather(chance.random() * self.options.loss, chance.random() * 0.1, chance.choice([0, 0, 0.02, 0.1]))
            side = set(chance.sample(numbers, chance.randrange(1, len(self.nodes))))
            pairs = {(one, other) for one in side for other in numbers if other not in side}
            fate = chance.random()
            if fate < 0.4:
                self.relay.cut = frozenset(pairs | {(other, one) for one, other in pairs})
                self.counts["splits"] += 1
            elif fate < 0.6:
                self.relay.cut = frozenset(pairs)
                self.counts["one_way"] += 1
            else:
                self.relay.cut = frozenset()
            self.calm.wait(1 + chance.random() * 7)

    def suffer(self):
        """The worse part of it."""
        jobs = [threading.Thread(target=self.add_until_calm, args=(worker,)) for worker in range(self.options.workers)]
        jobs += [threading.Thread(target=self.pause_until_calm), threading.Thread(target=self.weather_until_calm)]
        for job in jobs:
            job.start()
        try:
            if self.options.kills:
                began = time.monotonic()
                self.kill_until_calm(self.options.kills)
                rest = began + self.options.minutes * 60 - time.monotonic()
            else:
                rest = self.options.minutes * 60
            if not self.broken:
                time.sleep(max(0.0, rest))
        finally:
            self.calm.set()
            for job in jobs:
                job.join()
        if self.broken:
            raise Violation(self.broken[0])

    def heal(self):
        """Lets everything be well again; returns the seconds until all nodes held the same."""
        if self.options.sabotage == "store":
            self.lose_a_store()
        self.relay.weather()
        self.relay.cut = frozenset()
        began = time.monotonic()
        if not until(self.options.patience, self.same_everywhere):
            states = ", ".join("%s %s" % (node.name, node.state() if node.lives() else "ended") for node in self.nodes)
            raise Violation("not the same everywhere after %d s: %s" % (self.options.patience, states))
        return round(time.monotonic() - began, 2)

    def same_everywhere(self):
        """Whether all nodes say that they hold the same."""
        try:
            return len({node.state() for node in self.nodes}) == 1
        except UNANSWERED:
            return False

    def lose_a_store(self):
        """Sabotage: a node is cut off, acknowledges a message, and loses its disk."""
        victim = self.random.randrange(len(self.nodes))
        self.relay.cut = frozenset(pair for other in range(len(self.nodes)) for pair in [(victim, other), (other, victim)])
        node, msg = self.nodes[victim], "said alone"
        self.set.send(msg)
        self.set.acknowledge(msg, node.add(msg.encode()))
        node.kill()
        for name in os.listdir(node.home):
            if name.startswith("gossip.db"):
                os.remove(os.path.join(node.home, name))
        node.start()

    def reads(self):
        """What every node reads last; long messages are read one by one."""
        reads = {}
        for node in self.nodes:
            reads[node.name] = [(guid, msg if msg is not None else node.msg(guid).decode()) for guid, msg in node.read()]
        victim = reads[self.nodes[0].name]
        if self.options.sabotage == "read":
            victim[:] = [record for record in victim if record[1] != next(iter(self.set.acknowledged))]
        if self.options.sabotage == "ghost":
            victim.append(("0" * 32, "nobody said this"))
        return reads

    def run(self):
        """All of it; returns the seconds that healing took."""
        self.begin()
        self.suffer()
        healed = self.heal()
        wrong = self.set.violations(self.reads())
        if wrong:
            more = " (and %d more)" % (len(wrong) - 10) if len(wrong) > 10 else ""
            raise Violation("\n".join(wrong[:10]) + more)
        for node in self.nodes:
            if not node.lives():
                raise Violation("%s ended by itself: see %s.log" % (node.name, node.home))
            code = node.stop()
            if code != 0:
                raise Violation("%s ended with %d when asked to stop" % (node.name, code))
        return healed

    def close(self):
        """Leaves no process behind."""
        for node in self.nodes:
            if node.process is not None:
                node.kill()
        if self.relay.is_alive():
            self.relay.close()


def commit():
    """What is tried."""
    git = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], stdout=subprocess.PIPE, text=True,
                         stderr=subprocess.DEVNULL)
    return git.stdout.strip() or None


def options():
    """The command line."""
    parser = argparse.ArgumentParser(prog="python3 tests/checker", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=5)
    parser.add_argument("--kills", type=int, default=10, help="SIGKILLs in all")
    parser.add_argument("--minutes", type=float, default=1.0, help="how long nodes suffer")
    parser.add_argument("--seed", type=int, default=None, help="draws what happens; random and printed if not given")
    parser.add_argument("--rate", type=float, default=100, help="messages a second")
    parser.add_argument("--workers", type=int, default=6, help="who add them")
    parser.add_argument("--loss", type=float, default=0.4, help="the largest share of datagrams lost")
    parser.add_argument("--patience", type=float, default=120, help="seconds that healing may take")
    parser.add_argument("--program", help="the gossip-node to try; else the newest below target/")
    parser.add_argument("--sabotage", choices=SABOTAGES, help="does harm that has to be found")
    parser.add_argument("--log", help="appends a line of JSON to this file")
    parser.add_argument("--json", action="store_true")
    found = parser.parse_args()
    if found.nodes < 2 or found.minutes <= 0 or found.kills < 0:
        parser.error("at least two nodes, some time, and no negative number of kills")
    if found.program is None:
        built = [os.path.join(ROOT, "target", kind, "gossip-node") for kind in ("release", "debug")]
        built = sorted((path for path in built if os.path.exists(path)), key=os.path.getmtime)
        if not built:
            parser.error("no gossip-node below target/: cargo build")
        found.program = built[-1]
    if found.seed is None:
        found.seed = random.SystemRandom().randrange(1 << 32)
    return found


def main():
    """Tries it once, and says what came of it."""
    chosen = options()
    dir = tempfile.mkdtemp(prefix="gn-checker-")
    trial, wrong, healed = None, None, None
    try:
        trial = Trial(chosen, dir)
        healed = trial.run()
    except Violation as violation:
        wrong = str(violation)
    finally:
        if trial is not None:
            trial.close()
    verdict = {"ok": wrong is None, "violation": wrong, "commit": commit(), "seed": chosen.seed, "nodes": chosen.nodes,
               "minutes": chosen.minutes, "healed_s": healed, **trial.counts, "datagrams": trial.relay.counts}
    if chosen.log:
        with open(chosen.log, "a") as log:
            log.write(json.dumps({"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), **verdict}) + "\n")
    if chosen.json:
        print(json.dumps(verdict))
    else:
        print("seed %d, %d nodes: %d kills, %d pauses, %d splits, %d cuts one way" % (
            chosen.seed, chosen.nodes, *(trial.counts[name] for name in ("kills", "pauses", "splits", "one_way"))))
        print("datagrams: " + ", ".join("%d %s" % (count, name.replace("_", " "))
                                        for name, count in trial.relay.counts.items()))
        print("messages: %d sent, %d acknowledged, %d unanswered" % tuple(
            trial.counts[name] for name in ("sent", "acknowledged", "unanswered")))
        print("VIOLATION\n" + wrong if wrong else "all is well: every acknowledged message is on every node, and nothing "
              "else that was not sent; the same everywhere %.1f s after the last fault" % healed)
    if wrong:
        print("homes and logs: " + dir, file=sys.stderr)
        return 1
    shutil.rmtree(dir)
    return 0


if __name__ == "__main__":
    sys.exit(main())

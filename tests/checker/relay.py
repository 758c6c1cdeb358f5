"""A bad network on loopback: every datagram between nodes passes through here, and some do not get far.

Each node has one public address, a socket of the relay. What node i sends to the public address of node j reaches node j
from the public address of node i: so all nodes see each other at public addresses only, as through a NAT.
"""

import heapq
import random
import selectors
import socket
import threading
import time

LARGEST = 65_536


class Relay(threading.Thread):
    """Carries datagrams between the nodes until it is closed."""

    def __init__(self, nodes, seed):
        super().__init__(daemon=True)
        self.random = random.Random(seed)
        self.sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(nodes)]
        self.selector = selectors.DefaultSelector()
        for number, one in enumerate(self.sockets):
            one.bind(("127.0.0.1", 0))
            one.setblocking(False)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            self.selector.register(one, selectors.EVENT_READ, number)
        self.private = {}  # the real address of a node: its number
        self.homes = [None] * nodes
        self.loss = self.copies = self.delay = 0.0
        self.cut = frozenset()  # pairs (from, to) between which nothing passes
        self.late = []
        self.counts = {"carried": 0, "lost": 0, "cut": 0, "copied": 0, "delayed": 0, "of_strangers": 0}
        self.over = False

    def public(self, node):
        """Where the others find a node."""
        return "127.0.0.1:%d" % self.sockets[node].getsockname()[1]

    def house(self, node, address):
        """A node's real address, which nobody else is told."""
        self.private[address] = node
        self.homes[node] = address

    def weather(self, loss=0.0, copies=0.0, delay=0.0):
        """Which share is lost, which comes twice, and by how many seconds at most it is late."""
        self.loss, self.copies, self.delay = loss, copies, delay

    def run(self):
        """Carries, until `over`."""
        order = 0
        while not self.over:
            wait = 0.05
            if self.late:
                wait = min(wait, max(0.0, self.late[0][0] - time.monotonic()))
            for key, _ in self.selector.select(wait):
                for _ in range(64):
                    try:
                        data, source = key.fileobj.recvfrom(LARGEST)
                    except BlockingIOError:
                        break
                    except OSError:  # the node behind it does not run
                        continue
                    order += 1
                    self.take(order, data, source, key.data)
            now = time.monotonic()
            while self.late and self.late[0][0] <= now:
                _, _, sender, target, data = heapq.heappop(self.late)
                self.carry(sender, target, data)

    def take(self, order, data, source, target):
        """Decides what becomes of one datagram."""
        sender = self.private.get(source)
        if sender is None:
            self.counts["of_strangers"] += 1
        elif (sender, target) in self.cut:
            self.counts["cut"] += 1
        elif self.random.random() < self.loss:
            self.counts["lost"] += 1
        else:
            times = 1
            if self.random.random() < self.copies:
                self.counts["copied"] += 1
                times = 2
            for copy in range(times):
                if self.delay > 0:
                    self.counts["delayed"] += 1
                    at = time.monotonic() + self.random.random() * self.delay
                    heapq.heappush(self.late, (at, order * 2 + copy, sender, target, data))
                else:
                    self.carry(sender, target, data)

    def carry(self, sender, target, data):
        """Hands a datagram over."""
        home = self.homes[target]
        if home is None:
            return
        try:
            self.sockets[sender].sendto(data, home)
            self.counts["carried"] += 1
        except OSError:  # nobody there, or no room: a network may lose it
            self.counts["lost"] += 1

    def close(self):
        """Ends it."""
        self.over = True
        self.join()
        for one in self.sockets:
            one.close()

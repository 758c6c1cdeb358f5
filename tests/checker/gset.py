"""The rule itself: Maelstrom's g-set, a set that only grows.

Whatever was acknowledged must be in the last read of every node; whatever is in one must have been sent by us. What was
sent and not answered (the node was killed, or the answer came too late) may be there or not, but everywhere alike.
"""


class GSet:
    """What was sent, what was acknowledged, and what is wrong with what was read."""

    def __init__(self):
        self.sent = set()
        self.acknowledged = {}  # MSG: GUID

    def send(self, msg):
        """Before a message is handed to a node."""
        self.sent.add(msg)

    def acknowledge(self, msg, guid):
        """The node said that it is on disk."""
        self.acknowledged[msg] = guid

    def violations(self, reads):
        """`reads`: for each node's name what it read last, as a list of (GUID, MSG). Returns sentences; none: all is well."""
        wrong = []
        for name, read in reads.items():
            guids = [guid for guid, _ in read]
            if len(set(guids)) != len(guids):
                wrong.append("%s: %d records are listed twice" % (name, len(guids) - len(set(guids))))
            found = {}
            for guid, msg in read:
                if msg in found:
                    wrong.append("%s: one message is there as %s and as %s" % (name, found[msg], guid))
                found[msg] = guid
            for msg, guid in self.acknowledged.items():
                if found.get(msg) != guid:
                    wrong.append("%s: %s was acknowledged and is %s"
                                 % (name, guid, "lost" if msg not in found else "there as " + found[msg]))
            for msg, guid in found.items():
                if msg not in self.sent:
                    wrong.append("%s: %s was never sent: %r" % (name, guid, msg[:60]))
        sets = {name: frozenset(read) for name, read in reads.items()}
        if len(set(sets.values())) > 1:
            sizes = ", ".join("%s has %d" % (name, len(read)) for name, read in sets.items())
            wrong.append("the last reads differ: " + sizes)
        return wrong

#!/usr/bin/env python3
"""Opens, verifies and prints datagrams of gossip-node, with Python's standard library alone.

Written from the protocol's page (src/proto.rs), to prove that a second implementation can be. Nothing of it is used by
the daemon.

    decode.py --vectors spec/vectors.txt               # checks every vector of the file, but for `password`
    decode.py --key HEX [--network NAME] < datagrams   # a line of hex each; a line of JSON each

HEX is `network_key` of server.json, 64 digits. (It is made of the password by Argon2id, which Python lacks.)
"""

import argparse
import hashlib
import hmac
import ipaddress
import json
import math
import re
import struct
import sys
import unicodedata
import uuid

PIECE = 64 << 10
MASK = (1 << 64) - 1


class Wrong(Exception):
    """Why a datagram says nothing."""


# ---- keys ----


def hkdf(secret, info, size):
    """HKDF-SHA256 (RFC 5869) with the salt "gossip-node/1"."""
    prk = hmac.new(b"gossip-node/1", secret, hashlib.sha256).digest()
    return hmac.new(prk, info + b"\x01", hashlib.sha256).digest()[:size]


def tag(key, data, size):
    return hmac.new(key, data, hashlib.sha256).digest()[:size]


class Keys:
    """All that is made of a network's secret."""

    def __init__(self, secret, network=None):
        self.mac = hkdf(secret, b"mac", 32)
        self.key_id = hkdf(secret, b"key id", 4)
        self.digest = hkdf(secret, b"digest", 16)
        self.beacon_mac = hkdf(secret, b"beacon mac", 32)
        self.beacon_cipher = hkdf(secret, b"beacon cipher", 32)
        self.name = None if network is None else name_key(network)


def name_key(network):
    return hashlib.sha256(b"gossip-node/1 name tag\0" + network.encode()).digest()


# ---- what a ledger says about its GUIDs, and a list about its peers ----


def siphash(key, data, wide):
    """SipHash-2-4: a word of 64 bits or, where it is `wide`, two of them."""
    k0, k1 = struct.unpack("<QQ", key)
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]
    v[1] ^= 0xEE if wide else 0

    def rotate(word, by):
        return (word << by | word >> (64 - by)) & MASK

    def rounds(count):
        for _ in range(count):
            v[0] = (v[0] + v[1]) & MASK
            v[1] = rotate(v[1], 13) ^ v[0]
            v[0] = rotate(v[0], 32)
            v[2] = (v[2] + v[3]) & MASK
            v[3] = rotate(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & MASK
            v[3] = rotate(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & MASK
            v[1] = rotate(v[1], 17) ^ v[2]
            v[2] = rotate(v[2], 32)

    padded = data + bytes(7 - len(data) % 8) + bytes([len(data) & 0xFF])
    for (word,) in struct.iter_unpack("<Q", padded):
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xEE if wide else 0xFF
    rounds(4)
    low = v[0] ^ v[1] ^ v[2] ^ v[3]
    if not wide:
        return low
    v[1] ^= 0xDD
    rounds(4)
    return low, v[0] ^ v[1] ^ v[2] ^ v[3]


def inverse_root(random):
    """(random / 2^64)^-1/2 with 27 bits behind the point, as all nodes compute it."""
    random |= 1 << 32
    shift = 0
    while random < 4 << 54:
        random, shift = random << 8 & MASK, shift + 4
    entry, part = random >> 54, random >> 22 & 0xFFFFFFFF
    low, high = (math.isqrt((1 << 64) // k) for k in (entry, entry + 1))
    return (low - ((low - high) * part >> 32)) << shift


def indices(low, end):
    """The symbols before `end` that an item is mapped to."""
    index, state = 0, low
    while index < end:
        yield index
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & MASK
        z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
        index = inverse_root(z ^ z >> 31) * (2 * index + 3) - (1 << 27) >> 28


def sketch(key, guids, symbols):
    """Root, coded symbols and estimator of a set of GUIDs."""
    root, coded, estimator = 0, [[0, 0] for _ in range(symbols)], [0] * 36
    for guid in guids:
        low, high = siphash(key, guid, True)
        root += high << 64 | low
        for index in indices(low, symbols):
            coded[index][0] ^= int.from_bytes(guid, "little")
            coded[index][1] ^= high | 1
        for counter in range(36):
            estimator[counter] += 1 if high >> 28 + counter & 1 else -1
    symbols = [part.to_bytes(16, "little") + struct.pack("<Q", check) for part, check in coded]
    return (root & (1 << 128) - 1).to_bytes(16, "little"), symbols, estimator


def listed(guid, incarnation, addr):
    """What a node adds to the hash of a list of peers."""
    ip, port = addr.rsplit(":", 1)
    ip = ipaddress.ip_address(ip.strip("[]"))
    packed = ip.packed if ip.version == 6 else bytes(10) + b"\xff\xff" + ip.packed
    return siphash(bytes(16), guid + struct.pack("<I", incarnation) + packed + struct.pack("<H", int(port)), False)


# ---- records ----


def is_name(text):
    """1 to 64 bytes, not only white space, without control, bidirectional, zero-width or line-separating characters."""
    forbidden = [(0x200B, 0x200F), (0x2028, 0x202E), (0x2060, 0x206F), (0xFEFF, 0xFEFF), (0x061C, 0x061C)]
    bad = any(unicodedata.category(c) == "Cc" or any(a <= ord(c) <= b for a, b in forbidden) for c in text)
    return 1 <= len(text.encode()) <= 64 and text.strip() != "" and not bad


def guid_of(kind, date_time, origin, who_name, size, sha2, pieces):
    """A record's name: a UUIDv8 whose 122 free bits are the start of a SHA-256."""
    who = who_name.encode()
    head = b"gossip-node/1 guid\0" + bytes([kind]) + struct.pack("<Q", date_time) + origin
    head += bytes([len(who)]) + who + struct.pack("<I", size) + sha2 + pieces
    first = bytearray(hashlib.sha256(head).digest()[:16])
    first[6] = first[6] & 0x0F | 0x80
    first[8] = first[8] & 0x3F | 0x80
    return bytes(first)


def hashes_of(msg):
    """SHA2, and the hash of the list of the hashes of pieces: zero where there is one piece."""
    if len(msg) <= PIECE:
        return hashlib.sha256(msg).digest(), bytes(32)
    pieces = b"".join(hashlib.sha256(msg[at : at + PIECE]).digest() for at in range(0, len(msg), PIECE))
    return hashlib.sha256(msg).digest(), hashlib.sha256(pieces).digest()


def head(guid, kind, date_time, origin, who_name, size, sha2, pieces):
    longest = (16 << 20) if kind == 0 else 256
    good = kind in (0, 1, 2) and 1 <= size <= longest and (size <= PIECE) == (pieces == bytes(32))
    if not good or guid_of(kind, date_time, origin, who_name, size, sha2, pieces) != guid:
        return {"guid": name_of(guid), "invalid": True}
    said = {"guid": name_of(guid), "kind": kind, "date_time": date_time, "origin": name_of(origin)}
    return said | {"who_name": who_name, "len": size, "sha2": sha2.hex(), "pieces": pieces.hex()}


def is_decree(kind, date_time, msg):
    """Whether a MSG is the one text of what a record of kind 1 (forget) or 2 (settings) says."""
    first, second = (("origin", "up_to"), ("max_age", "origin_timeout"))[kind - 1]
    lines = re.fullmatch(f"{first} ([0-9a-f-]+)\n{second} (0|[1-9][0-9]*)\n", msg)
    if lines is None or len(msg) > 256:
        return False
    if kind == 1:
        return re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", lines[1]) and int(lines[2]) <= date_time
    terms = [int(term) if re.fullmatch("0|[1-9][0-9]*", term) else -1 for term in lines.groups()]
    return all(term == 0 or 10**6 <= term <= 864 * 10**12 for term in terms)


def name_of(guid):
    return str(uuid.UUID(bytes=guid))


# ---- bodies ----


class Body:
    """A body, read field by field: integers little-endian, of fixed width."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size):
        if self.at + size > len(self.data):
            raise Wrong("body")
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, size):
        return int.from_bytes(self.take(size), "little")

    def hex(self, size):
        return self.take(size).hex()

    def flag(self):
        return self.choice([False, True])

    def choice(self, words):
        number = self.number(1)
        if number >= len(words):
            raise Wrong("body")
        return words[number]

    def blob(self, most):
        size = self.number(2)
        if size > most:
            raise Wrong("body")
        return self.take(size)

    def padding(self):
        return len(self.blob(1472))

    def name(self):
        try:
            text = self.blob(64).decode()
        except UnicodeDecodeError:
            raise Wrong("body") from None
        if not is_name(text):
            raise Wrong("body")
        return text

    def list(self, most, item):
        count = self.number(2)
        if count > most:
            raise Wrong("body")
        return [item() for _ in range(count)]

    def option(self, item):
        return item() if self.flag() else None

    def guid(self):
        return name_of(self.take(16))

    def guids(self, most):
        return self.list(most, self.guid)

    def addr(self):
        ip, port = ipaddress.IPv6Address(self.take(16)), self.number(2)
        return f"{ip.ipv4_mapped}:{port}" if ip.ipv4_mapped else f"[{ip}]:{port}"

    def state(self):
        return {"count": self.number(8), "root": self.hex(16)}

    def range(self):
        return {"from": self.number(8), "to": self.number(8)}

    def key(self):
        return {"date_time": self.number(8), "guid": self.guid()}

    def symbol(self):
        return {"sum": self.hex(16), "check": self.number(8)}

    def card(self):
        return {"guid": self.guid(), "addr": self.addr(), "incarnation": self.number(4), "name": self.name()}

    def update(self):
        said = {"guid": self.guid(), "addr": self.addr(), "incarnation": self.number(4)}
        said["word"] = self.choice(["alive", "suspect", "dead", "left", "restarting"])
        return said | {"accuser": self.number(4)}

    def record(self):
        guid, kind, date_time, origin = self.take(16), self.number(1), self.number(8), self.take(16)
        who_name, msg = self.name(), self.blob(1472)
        said = head(guid, kind, date_time, origin, who_name, len(msg), *hashes_of(msg))
        if "invalid" in said:
            return said
        try:
            text = msg.decode()
        except UnicodeDecodeError:
            return {"guid": name_of(guid), "invalid": True}
        if kind > 0 and not is_decree(kind, date_time, text):
            return {"guid": name_of(guid), "invalid": True}
        return said | {"msg": text}

    def head(self):
        guid, kind, date_time, origin = self.take(16), self.number(1), self.number(8), self.take(16)
        return head(guid, kind, date_time, origin, self.name(), self.number(4), self.take(32), self.take(32))

    def fragment(self):
        said = {"guid": self.guid(), "piece": self.number(2), "index": self.number(1)}
        return said | {"bytes": self.blob(1024).hex()}

    def pushed(self, what):
        return {"range": self.range(), "hops": self.number(1), "what": what()}

    def piece_ask(self):
        return {"guid": self.guid(), "piece": self.number(2), "fragments": self.number(8)}

    def parts(self):
        return {"guid": self.guid(), "list": self.flag(), "pieces": [self.number(8) for _ in range(4)]}

    def marks(self):
        return self.list(KNOWN, lambda: self.number(4))

    def card_ask(self):
        return {"range": self.range(), "known": self.marks()}

    def card_page(self):
        return {"range": self.range(), "cards": self.list(CARDS, self.card), "strange": self.marks()}

    # The kinds.

    def register(self):
        said = {"guid": self.guid(), "name": self.name(), "epoch": self.number(8), "incarnation": self.number(4)}
        return said | {"cookie": self.hex(16), "padding": self.padding()}

    def challenge(self):
        return {"cookie": self.hex(16), "echo": self.number(8)}

    def registered(self):
        said = {"echo": self.number(8), "guid": self.guid(), "name": self.name(), "epoch": self.number(8)}
        return said | {"incarnation": self.number(4), "seen": self.addr(), "state": self.state()}

    def hello(self):
        said = {"stamp": self.number(8), "state": self.state(), "horizon": self.number(8)}
        said["list"] = {"count": self.number(4), "hash": self.number(8)}
        said |= {"incarnation": self.number(4), "health": self.number(1), "clock": self.number(8)}
        said |= {"updates": self.list(UPDATES, self.update), "page_ask": self.option(self.card_ask)}
        said["page"] = self.option(self.card_page)
        return said | {"networks": self.list(NETWORKS, self.name), "padding": self.padding()}

    def hello_for(self):
        said = {"stamp": self.number(8), "guid": self.guid(), "addr": self.addr()}
        return said | {"errand": self.choice(["probe", "answered", "silent"])}

    def did_you_here(self):
        said = {"change": self.number(8), "count": self.number(4), "root": self.hex(8), "prefix": self.number(4)}
        said["symbols"] = [self.symbol() for _ in range(44)]
        return said | {"estimator": list(struct.unpack("<36h", self.take(72)))}

    def tell_me_more(self):
        said = {"guids": self.guids(GUIDS_PER_ASK), "pieces": self.list(PIECES_PER_ASK, self.piece_ask)}
        symbols = lambda: {"change": self.number(8), "first": self.number(4), "chunks": self.number(8)}
        page = lambda: {"id": self.number(4), "after": self.key(), "pages": self.number(1)}
        return said | {"symbols": self.option(symbols), "page": self.option(page)}

    def tell(self):
        said = {"records": self.list(32, self.record), "heads": self.list(16, self.head)}
        return said | {"fragments": self.list(8, self.fragment), "lacking": self.guids(GUIDS_PER_ASK)}

    def rumor(self):
        said = {"got": self.guids(HEARD), "records": self.list(32, lambda: self.pushed(self.record))}
        return said | {"heads": self.list(8, lambda: self.pushed(self.head))}

    def heard(self):
        said = {"got": self.guids(HEARD), "holds": self.guids(HEARD), "asks": self.guids(HEARD)}
        return said | {"parts": self.list(8, self.parts)}

    def leave(self):
        return {"restarting": self.flag()}

    def symbols(self):
        return {"change": self.number(8), "chunk": self.number(2), "symbols": self.list(MORE_SYMBOLS, self.symbol)}

    def holding(self):
        said = {"answer": self.number(4), "page": self.number(1), "next": self.key(), "last": self.flag()}
        return said | {"guids": self.guids(PAGE)}

    def nodes(self):
        said = {"network": self.name(), "after": self.guid(), "ask": self.flag(), "last": self.flag()}
        return said | {"cards": self.list(CARDS, self.card)}


# Most items of each list.
UPDATES, CARDS, KNOWN, NETWORKS, GUIDS_PER_ASK, PIECES_PER_ASK, MORE_SYMBOLS, PAGE, HEARD = 24, 24, 192, 4, 64, 16, 47, 70, 70

KINDS = {
    1: ("REGISTER", Body.register),
    2: ("CHALLENGE", Body.challenge),
    3: ("REGISTERED", Body.registered),
    4: ("HELLO", Body.hello),
    5: ("HELLO_BACK", Body.hello),
    6: ("HELLO_FOR", Body.hello_for),
    7: ("DID_YOU_HERE", Body.did_you_here),
    8: ("TELL_ME_MORE", Body.tell_me_more),
    9: ("TELL", Body.tell),
    10: ("RUMOR", Body.rumor),
    11: ("HEARD", Body.heard),
    12: ("LEAVE", Body.leave),
    13: ("SYMBOLS", Body.symbols),
    14: ("HOLDING", Body.holding),
    15: ("NODES", Body.nodes),
}


# ---- datagrams ----


def decode(keys, datagram):
    """What a datagram says, or why it says nothing."""
    try:
        if datagram[:1] == b"\x62":
            return beacon(keys, datagram)
        return session(keys, datagram)
    except Wrong as wrong:
        return {"error": str(wrong), "len": len(datagram)}


def session(keys, datagram):
    if not 48 <= len(datagram) <= 1472:
        raise Wrong("length")
    magic, version, kind, flags = datagram[:4]
    if magic != 0x67:
        raise Wrong("magic")
    if (version, flags) != (1, 0):
        raise Wrong("version")
    if datagram[4:8] != keys.key_id:
        raise Wrong("key_id")
    if not hmac.compare_digest(tag(keys.mac, datagram[:-16], 16), datagram[-16:]):
        raise Wrong("tag")
    if kind not in KINDS:
        raise Wrong("kind")
    src, dst, counter = struct.unpack("<QQQ", datagram[8:32])
    name, read = KINDS[kind]
    body = Body(datagram[32:-16])
    said = read(body)
    if body.at != len(body.data):
        raise Wrong("body")
    told = {"datagram": name, "len": len(datagram), "key_id": keys.key_id.hex(), "counter": counter, "body": said}
    return told | {"src_session": f"{src:016x}", "dst_session": f"{dst:016x}"}


def beacon(keys, datagram):
    if datagram[1:2] != b"\x01":
        raise Wrong("version" if len(datagram) > 1 else "length")
    if len(datagram) != 52:
        raise Wrong("length")
    iv, name_tag = datagram[2:18], datagram[48:]
    said = bytes(a ^ b for a, b in zip(datagram[18:48], tag(keys.beacon_cipher, iv, 32)))
    if not hmac.compare_digest(tag(keys.beacon_mac, datagram[:2] + said, 16), iv):
        named = keys.name is not None and tag(keys.name, datagram[:48], 4) == name_tag
        raise Wrong("namesake" if named else "tag")
    epoch, counter, port = struct.unpack("<QIH", said[16:])
    body = {"guid": name_of(said[:16]), "epoch": epoch, "counter": counter, "port": port}
    return {"datagram": "BEACON", "len": 52, "body": body}


# ---- vectors ----


def check(line):
    """One line of the file of vectors: what it is, what goes in, what comes out."""
    what, *fields = line.split(" ")
    data = lambda at: bytes.fromhex(fields[at])
    if what == "password":
        return f"password {fields[0]}: needs Argon2id"
    if what == "keys":
        keys = Keys(data(0))
        made = [keys.mac, keys.key_id, keys.digest, keys.beacon_mac, keys.beacon_cipher]
        assert [key.hex() for key in made] == fields[1:], line
    elif what == "name":
        assert name_key(data(0).decode()).hex() == fields[1], line
    elif what == "record":
        kind, date_time, origin, who_name = int(fields[0]), int(fields[1]), data(2), data(3).decode()
        msg = bytes.fromhex(fields[4].split("*")[0]) * int((fields[4].split("*") + ["1"])[1])
        sha2, pieces = hashes_of(msg)
        assert [sha2.hex(), pieces.hex()] == fields[5:7], line
        assert guid_of(kind, date_time, origin, who_name, len(msg), sha2, pieces).hex() == fields[7], line
    elif what == "place":
        assert hashlib.sha256(data(0)).digest()[:8].hex() == fields[1], line
    elif what == "list":
        assert f"{listed(data(0), int(fields[1]), fields[2]):016x}" == fields[3], line
    elif what == "sketch":
        symbols = fields[3].split(",")
        root, coded, estimator = sketch(data(0), [bytes.fromhex(g) for g in fields[1].split(",")], len(symbols))
        assert root.hex() == fields[2], line
        assert [symbol.hex() for symbol in coded] == symbols, line
        assert ",".join(map(str, estimator)) == fields[4], line
    elif what == "beacon":
        said = decode(Keys(data(1), fields[0]), data(6))
        body = {"guid": name_of(data(2)), "epoch": int(fields[3]), "counter": int(fields[4]), "port": int(fields[5])}
        assert said.get("body") == body, (line, said)
        other = decode(Keys(bytes(32), fields[0]), data(6))
        assert other["error"] == "namesake", other
    else:
        raise AssertionError(f"unknown: {line}")
    return f"{what}: as it says"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", metavar="FILE")
    parser.add_argument("--key", metavar="HEX")
    parser.add_argument("--network", metavar="NAME")
    args = parser.parse_args()
    if args.vectors:
        with open(args.vectors, encoding="ascii") as vectors:
            for line in vectors:
                if not line.startswith("#") and line.strip():
                    print(check(line.strip()))
        return
    if not args.key:
        parser.error("--key or --vectors is needed")
    keys = Keys(bytes.fromhex(args.key), args.network)
    for line in sys.stdin:
        if line.strip():
            print(json.dumps(decode(keys, bytes.fromhex(line.strip()))))


if __name__ == "__main__":
    main()

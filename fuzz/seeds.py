#!/usr/bin/env python3
"""Writes the seeds of the targets below corpus/: small, ordinary inputs to mutate. Run from anywhere.

The layout of each is described in properties/*.rs. The seed of `model` is the shipped model; run this again after
training.
"""

import gzip
import pathlib
import random
import shutil
import struct

HERE = pathlib.Path(__file__).parent

CONNECT = bytes.fromhex("100d00044d5154540402003c000161")
CONNECT5 = bytes.fromhex("100e00044d5154540502003c00000161")
CONNACK = bytes.fromhex("20020000")
REFUSED = bytes.fromhex("20020005")
PUBLISH = b"\x30\x05\0\x03a/b"
SUBSCRIBE = bytes.fromhex("8206000100012300")
PING = bytes.fromhex("c000")
DISCONNECT = bytes.fromhex("e000")


def ip(payload):
    """IPv4 and TCP from 10.0.0.1:40000 to 10.0.1.1:1883; checksums are not looked at."""
    tcp = struct.pack(">HHIIBBHHH", 40000, 1883, 1, 1, 0x50, 0x18, 1024, 0, 0) + payload
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0)
    return head + bytes([10, 0, 0, 1, 10, 0, 1, 1]) + tcp


def ip6(payload):
    """The same over IPv6, with a destination options header."""
    tcp = struct.pack(">HHIIBBHHH", 40000, 1883, 1, 1, 0x50, 0x18, 1024, 0, 0) + payload
    body = bytes([6, 0, 1, 4, 0, 0, 0, 0]) + tcp
    return struct.pack(">IHBB", 6 << 28, len(body), 60, 64) + bytes(15) + b"\1" + bytes(15) + b"\2" + body


def step(kind, time, payload=b"", place=1, flags=0x18, seq=1):
    """A segment of the `engine` target."""
    return bytes([kind, time, len(payload), place, flags]) + struct.pack(">H", seq) + payload


def session(place, answer, *packets):
    """SYN, SYN/ACK, CONNECT, its answer, packets, FIN."""
    out = step(16, 1, b"", place, 2, 0) + step(0, 1, b"", place, 0x12, 0)
    out += step(16, 1, CONNECT, place) + step(0, 1, answer, place)
    seq = 1 + len(CONNECT)
    for packet in packets:
        out += step(16, 1, packet, place, 0x18, seq)
        seq += len(packet)
    return out + step(16, 1, b"", place, 0x11, seq) + step(0, 1, b"", place, 0x11, 5)


def say(down, octets):
    """A step of the `websocket` and `tls` targets."""
    return bytes([down | len(octets) >> 8 << 1, len(octets) & 255]) + octets


def frame(first, payload, key=None):
    """A WebSocket frame."""
    if key is None:
        return bytes([first, len(payload)]) + payload
    masked = bytes(octet ^ key[at % 4] for at, octet in enumerate(payload))
    return bytes([first, 0x80 | len(payload)]) + key + masked


def upgrade(*fields):
    """Both heads of an upgrade."""
    more = b"".join(field + b"\r\n" for field in (b"Upgrade: websocket",) + fields) + b"\r\n"
    return say(0, b"GET /mqtt HTTP/1.1\r\nHost: b\r\n" + more) + say(1, b"HTTP/1.1 101 Switching\r\n" + more)


def record(kind, body):
    """A TLS record."""
    return struct.pack(">BHH", kind, 0x303, len(body)) + body


def extension(number, body):
    return struct.pack(">HH", number, len(body)) + body


def client_hello():
    """For TLS 1.3 or 1.2, to broker.example, asking for `mqtt`."""
    extensions = extension(0x2A2A, b"") + extension(0, b"\0\x11\0\0\x0ebroker.example")
    extensions += extension(16, b"\0\x05\x04mqtt") + extension(43, b"\x04\x03\x04\x03\x03")
    extensions += extension(13, b"\0\x04\x04\x03\x08\x04")
    body = b"\3\3" + b"r" * 32 + b"\0" + b"\0\x06\x2a\x2a\x13\x01\xc0\x2f" + b"\1\0"
    body += struct.pack(">H", len(extensions)) + extensions
    return b"\1\0" + struct.pack(">H", len(body)) + body


def server_hello(version13):
    extensions = extension(43, b"\3\4") if version13 else b""
    body = b"\3\3" + b"s" * 32 + b"\0" + (b"\x13\x01" if version13 else b"\xc0\x2f") + b"\0"
    body += struct.pack(">H", len(extensions)) + extensions
    return b"\2\0" + struct.pack(">H", len(body)) + body


# Ports of a turn, and what it does with its octets; see steps.rs.
PLAIN, TLS, WEBSOCKET, OTHER, COAP, MQTTSN = 0, 1, 2, 3, 6, 7
NEXT, OPEN, CLOSE, RESET, AGAIN, EARLY, BEHIND, MISSED = range(8)


def turn(up, port, octets=b"", manner=NEXT, device=1, time=1, bits=0):
    """A turn of a connection of the `engine` target. Bits: 64 repeats the octets, 128 sends two fragments."""
    return bytes([32 | up << 4 | bits, time, len(octets), device | port << 2 | manner << 5]) + octets


def talk(port, *turns, **more):
    """Opened, then turns of the client (True) and the server, then closed."""
    out = turn(True, port, manner=OPEN, **more)
    for up, octets in turns:
        out += turn(up, port, octets, **more)
    return out + turn(True, port, manner=CLOSE, **more) + turn(False, port, manner=CLOSE, **more)


# Version 5: every control packet in the order of a session, with most properties.
UP5 = [
    bytes.fromhex("101c00044d51545405c2003c081100000078210014000163000175000170"),
    b"\x82\x09\0\x01\x02\x0b\x07\0\x01#\x02",
    b"\x30\x0a\0\x03a/b\x03\x23\0\x01x",
    b"\x32\x09\0\0\0\x02\x03\x23\0\x01y",
    b"\x34\x14\0\x01t\0\x03\x0c\x01\x01\x26\0\x01k\0\x01v\x09\0\0xy",
    b"\x62\x02\0\x03",
    b"\xa2\x06\0\x04\0\0\x01#",
    b"\xf0\x06\x19\x04\x15\0\x01m",
    b"\xc0\0",
    b"\xe0\x07\x04\x05\x11\0\0\0\x09",
]
DOWN5 = [
    b"\x20\x0b\0\0\x08\x21\0\x05\x22\0\x02\x24\x01",
    b"\x90\x04\0\x01\0\x02",
    b"\x40\x02\0\x02",
    b"\x50\x04\0\x03\x10\0",
    b"\x70\x02\0\x03",
    b"\xb0\x04\0\x04\0\0",
    b"\xd0\0",
    b"\xe0\x02\x8e\0",
]
# What each side says, by turns.
SESSION5 = [said for up, down in zip(UP5, DOWN5) for said in [(True, up), (False, down)]] + [(True, o) for o in UP5[8:]]

KEY = b"\x37\xfa\x21\x3d"
MQTT = b"Sec-WebSocket-Protocol: mqtt"
FIELDS = b"Upgrade: websocket\r\n" + MQTT + b"\r\n\r\n"
REQUEST = b"GET / HTTP/1.1\r\n" + FIELDS
ANSWER = b"HTTP/1.1 101 Ok\r\n" + FIELDS


def saved(second, data, order="<", extra=b"", wire=None):
    """A record of a pcap file."""
    return struct.pack(order + "IIII", second, 7, len(data), wire or len(data)) + extra + data


def pcap(*records, order="<", magic=0xA1B2C3D4, link=101):
    """A pcap file."""
    return struct.pack(order + "IHHIIII", magic, 2, 4, 0, 0, 65535, link) + b"".join(records)


def block(kind, body, order="<"):
    """A block of a pcapng file."""
    body += bytes(-len(body) % 4)
    length = struct.pack(order + "I", 12 + len(body))
    return struct.pack(order + "I", kind) + length + body + length


def section(order="<"):
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(link, resolution=6, order="<"):
    options = struct.pack(order + "HHBxxxHHqHH", 9, 1, resolution, 14, 8, 3, 0, 0)
    return block(1, struct.pack(order + "HHI", link, 0, 65535) + options, order)


def enhanced(number, data, order="<"):
    return block(6, struct.pack(order + "IIIII", number, 0x5E000, 5, len(data), len(data)) + data, order)


def zstd(data):
    """A frame with one uncompressed block."""
    head = struct.pack("<IBH", 0xFD2FB528, 0x60, len(data) - 256)
    return head + struct.pack("<I", len(data) << 3 | 1)[:3] + data


MACS = bytes([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2])
PACKET = ip(CONNECT)
T = 1700000000


def packet(protocol, body, fragment=0):
    """IPv4 with any protocol."""
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), 7, fragment, 64, protocol, 0)
    return head + bytes([10, 0, 0, 1, 10, 0, 1, 1]) + body


def udp(port, body):
    return packet(17, struct.pack(">HHHH", 40000, port, 8 + len(body), 0) + body)


def raw(data):
    """A frame of the `decode` target under the link type of bare IP."""
    return bytes([3, 0]) + data


def ether(kind, data):
    return bytes([1, 0]) + MACS + struct.pack(">H", kind) + data


SEEDS = {
    "websocket": {
        "session": upgrade(MQTT)
        + say(0, frame(0x82, CONNECT, KEY))
        + say(1, frame(0x82, CONNACK))
        + say(0, frame(0x02, PUBLISH[:3], KEY) + frame(0x89, b"p", KEY) + frame(0x80, PUBLISH[3:], KEY)),
        "no-subprotocol": upgrade() + say(0, frame(0x81, CONNECT, KEY)),
        "compressed": upgrade(MQTT, b"Sec-WebSocket-Extensions: permessage-deflate")
        + say(0, frame(0xC2, b"xyz", KEY) + frame(0x82, PING, KEY)),
        "refused": say(0, b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n") + say(1, b"HTTP/1.1 401 No\r\n\r\n") + upgrade(MQTT),
        "not-mqtt": upgrade() + say(0, frame(0x81, b"hello", KEY)),
    },
    "tls": {
        "tls13": say(0, record(22, client_hello()))
        + say(1, record(22, server_hello(True)) + record(20, b"\1") + record(23, b"e" * 60))
        + say(0, record(23, b"f" * 53) + record(23, b"c" * 50))
        + say(1, record(23, b"a" * 21)),
        "tls12": say(0, record(22, client_hello()[:50]) + record(22, client_hello()[50:]))
        + say(1, record(22, server_hello(False)))
        + say(0, record(20, b"\1") + record(22, b"f" * 40))
        + say(1, record(20, b"\1") + record(22, b"f" * 40) + record(21, b"x" * 26)),
        "cut": say(0, record(22, client_hello()[:70]) + record(21, b"\2\x28")),
        "other": say(0, b"SSH-2.0-x\r\n"),
    },
    "capture_file": {
        "micro": pcap(saved(T, PACKET), saved(T + 1, PACKET), saved(T + 2, ip(PING))),
        "nano-big": pcap(*[saved(T, PACKET, ">", wire=900)] * 2, order=">", magic=0xA1B23C4D),
        "modified": pcap(*[saved(T, PACKET, extra=bytes(8))] * 2, magic=0xA1B2CD34),
        "sections": section() + interface(101) + interface(1, 9) + enhanced(0, PACKET) + enhanced(1, MACS + PACKET)
        + section(">") + interface(101, 0x94, ">") + enhanced(0, PACKET, ">"),
        "blocks": section() + interface(101) + block(3, struct.pack("<I", 40) + PACKET[:40])
        + block(2, struct.pack("<HHIIII", 0, 0, 1, 2, 40, 40) + PACKET[:40]) + block(5, struct.pack("<IIIHHQ", 0, 0, 0, 5, 8, 3)),
        "damaged": pcap(saved(T, PACKET), b"\xff" * 20, *[saved(T, PACKET)] * 3),
        "cut": pcap(saved(T, PACKET), saved(T, PACKET)[:30]),
        "gzip": gzip.compress(pcap(*[saved(T, PACKET)] * 3), mtime=0) + gzip.compress(saved(T, PACKET), mtime=0),
        "zstd": zstd(pcap(*[saved(T, PACKET)] * 5)),
    },
    "decode": {
        "ethernet": bytes([1, 0]) + MACS + b"\x08\0" + ip(CONNECT),
        "qinq": bytes([1, 0]) + MACS + bytes.fromhex("88a8000981000007") + b"\x08\0" + ip(b"x"),
        "raw-ipv6": bytes([3, 0]) + ip6(b"x"),
        "null": bytes([0, 0, 2, 0, 0, 0]) + ip(b"x"),
        "sll": bytes([4, 0]) + bytes.fromhex("0000000100060200000000010000") + b"\x08\0" + ip(b"x"),
        "sll2": bytes([5, 0]) + bytes.fromhex("0800000000000001000100060200000000010000") + ip(b"x"),
        "cut": bytes([1, 60]) + MACS + b"\x08\0" + ip(bytes(40)),
        "pppoe": ether(0x8864, b"\x11\0\0\x01\0\x20\0\x21" + ip(b"x")),
        "mpls": ether(0x8847, b"\0\x01\x01\x40" + ip(b"x")),
        "gre": raw(packet(47, b"\x20\0\x08\0\0\0\0\x07" + ip(b"x"))),
        "erspan": raw(packet(47, b"\x10\0\x88\xbe\0\0\0\x01" + bytes(8) + MACS + b"\x08\0" + ip(b"x"))),
        "vxlan": raw(udp(4789, b"\x08\0\0\0\0\0\x07\0" + MACS + b"\x08\0" + ip(b"x"))),
        "ip-in-ip": raw(packet(4, packet(41, ip6(b"x")))),
        "udp": raw(udp(5683, b"\x40\x01\0\x01")),
        "fragment": raw(packet(6, bytes(24), 0x2003)),
        "ppp": bytes([7, 0]) + b"\xff\x03\0\x21" + ip(b"x"),
        "hdlc": bytes([9, 0]) + b"\x0f\0\x08\0" + ip(b"x"),
    },
    "mqtt_round_trip": {
        f"random-{version}{n}": bytes([version, n * 30]) + random.Random(3 * n + version).randbytes(120 + 90 * n)
        for version in range(3)
        for n in range(3)
    },
    "stream": {
        "in-order": struct.pack(">I", 2**32 - 20) + b"".join(bytes([0, 0, n * 10, 10]) for n in range(9)),
        "early": bytes(4) + bytes([0, 0, 20, 10, 0, 0, 10, 10, 0, 0, 0, 10, 0, 0, 5, 60]),
        "lost": bytes(4) + bytes([0, 0, 0, 9, 0, 0, 30, 9, 1, 0, 39, 0, 0, 0, 9, 21, 4, 0, 39, 40]),
        "unheard": bytes(4) + b"".join(bytes([0, 0, 5 + 3 * n, 2]) for n in range(40)),
    },
    "fragment": {
        "in-order": b"".join(bytes([0, n * 4, 4, 0]) for n in range(4)),
        "reverse": b"".join(bytes([0x81, n * 10, 10, 1]) for n in reversed(range(11))),
        "over-one-another": b"".join(bytes([2, n * 3, 9, 0]) for n in range(64)),
        "late": bytes([0, 0, 5, 0, 0, 5, 20, 31]),
    },
    "mqtt_framer_split": {
        "session": bytes([3, 1, 14, 5]) + CONNECT + SUBSCRIBE + PUBLISH + PING + DISCONNECT,
        "version5": bytes([1, 9]) + CONNECT5 + PUBLISH,
        "every-type-up": bytes([3, 2, 20, 41]) + b"".join(UP5),
        "every-type-down": bytes([3, 1, 14, 5]) + b"".join(DOWN5),
        "long": bytes([2, 200, 200]) + b"\x30\xd8\x08" + b"\0\x01t" + bytes(1109) + PING,
        "bad-length": bytes([2, 2, 3]) + PING + b"\x30\xff\xff\xff\xff\x01" + PING,
    },
    "engine": {
        "session": session(1, CONNACK, SUBSCRIBE, PUBLISH, PING, DISCONNECT),
        "guesses": b"".join(session(place % 16 << 4 | 2, REFUSED) for place in range(16)),
        "flood": session(3, CONNACK, *[PUBLISH * 30] * 12) + bytes([5, 90, 0]),
        "scan": b"".join(step(16, 9, b"", p << 4 | 4, 2, 0) + step(0, 1, b"", p << 4 | 4, 0x14, 0) for p in range(16)),
        "clock": session(5, CONNACK, PUBLISH) + bytes([6, 3, 0]) + session(21, CONNACK) + bytes([7, 9, 0]),
        "early": step(16, 1, b"", 1, 2, 0) + step(16, 1, PUBLISH, 1, 0x18, 16) + step(16, 1, CONNECT, 1, 0x18, 1),
        "version5": talk(PLAIN, *SESSION5),
        "two-clients": turn(True, PLAIN, manner=OPEN, device=2) + turn(True, PLAIN, CONNECT, device=2)
        + turn(False, PLAIN, CONNACK, device=2) + talk(PLAIN, (True, CONNECT), (False, CONNACK), device=3)
        + turn(True, PLAIN, PUBLISH * 9, device=2, bits=64),
        "tricks": turn(True, PLAIN, manner=OPEN) + turn(True, PLAIN, CONNECT[:5]) + turn(True, PLAIN, b"\0" * 5, AGAIN)
        + turn(True, PLAIN, PUBLISH, EARLY) + turn(True, PLAIN, CONNECT[5:]) + turn(True, PLAIN, PING, BEHIND)
        + turn(True, PLAIN, SUBSCRIBE, MISSED) + turn(True, PLAIN, PUBLISH * 3) + turn(False, PLAIN, b"", RESET),
        "fast-open": turn(True, OTHER, CONNECT, OPEN) + turn(False, OTHER, CONNACK) + turn(True, OTHER, PUBLISH),
        "fragments": talk(PLAIN, (True, CONNECT), (False, CONNACK), (True, PUBLISH * 20), bits=128),
        "joined": turn(True, PLAIN, b"abc") + turn(True, PLAIN, PUBLISH * 3) + turn(False, PLAIN, b"\xd0\0"),
        "websocket": talk(WEBSOCKET, (True, REQUEST), (False, ANSWER), (True, frame(0x82, CONNECT, KEY)),
                          (False, frame(0x82, CONNACK)), (True, frame(0x82, PUBLISH + PING, KEY)),
                          (False, frame(0x81, b"\xd0\0"))),
        "tls": talk(TLS, (True, record(22, client_hello())), (False, record(22, server_hello(True))),
                    (True, record(23, b"f" * 53) + record(23, b"c" * 60)), (False, record(23, b"a" * 21))),
        "udp": turn(True, COAP, b"\x40\x01\0\x01\xb1a") + turn(False, COAP, b"\x60\x45\0\x01")
        + turn(True, MQTTSN, b"\x07\x04\x04\x01\0\x0aa") + turn(False, MQTTSN, b"\x03\x05\0"),
        "wrong": talk(PLAIN, (True, b"\x11" + CONNECT[1:]), (True, b"\x36\x05\0\x02a#\0"), (False, b"\x21\x02\x02\x07"),
                      (True, b"\x30\xff\xff\xff\xff\x01"), (True, b"\x82\x02\0\0"), (False, b"\xc0\0")),
    },
}

for target, seeds in SEEDS.items():
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    for name, octets in seeds.items():
        (folder / f"{name}.bin").write_bytes(octets)

(HERE / "corpus" / "model").mkdir(parents=True, exist_ok=True)
shutil.copy(HERE.parent / "models" / "default.onnx", HERE / "corpus" / "model" / "default.onnx")

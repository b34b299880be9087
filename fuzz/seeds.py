#!/usr/bin/env python3
"""Writes the seeds of the targets below corpus/: small, ordinary inputs to mutate. Run from anywhere.

The layout of each is described in properties/*.rs. The seed of `model` is the shipped model; run this again after
training.
"""

import gzip
import pathlib
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


KEY = b"\x37\xfa\x21\x3d"
MQTT = b"Sec-WebSocket-Protocol: mqtt"


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
    },
    "mqtt_framer_split": {
        "session": bytes([3, 1, 14, 5]) + CONNECT + SUBSCRIBE + PUBLISH + PING + DISCONNECT,
        "version5": bytes([1, 9]) + CONNECT5 + PUBLISH,
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
    },
}

for target, seeds in SEEDS.items():
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    for name, octets in seeds.items():
        (folder / f"{name}.bin").write_bytes(octets)

(HERE / "corpus" / "model").mkdir(parents=True, exist_ok=True)
shutil.copy(HERE.parent / "models" / "default.onnx", HERE / "corpus" / "model" / "default.onnx")

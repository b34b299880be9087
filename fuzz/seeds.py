#!/usr/bin/env python3
"""Writes the seeds of the targets below corpus/: small, ordinary inputs to mutate. Run from anywhere.

The layout of each is described in properties/*.rs. The seed of `model` is the shipped model; run this again after
training.
"""

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


MACS = bytes([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2])
SEEDS = {
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

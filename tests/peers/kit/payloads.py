"""The messages that every echo test sends: each edge of the length encoding, and text of one to four bytes a letter."""

import json
import random

MEBIBYTE = 1 << 20
# The lengths where the encoding of RFC 6455, 5.2 changes, their neighbours, nothing, and the largest message.
SIZES = (0, 1, 2, 124, 125, 126, 127, 128, 65534, 65535, 65536, 65537, MEBIBYTE - 1, MEBIBYTE)
CHINESE = "扩展协议：系在缆绳上的船"
TEXTS = ("hello", "", " ", "a\tb\u0000c", CHINESE, "é" * 63, "漢字" * 21 + "x", "🚢⚓" * 16, "\U0010ffff\ufeff\u200b",
         CHINESE * 2000)


def text_of(size):
    """ASCII text of exactly `size` bytes whose places can be told apart."""
    line = "0123456789 the quick brown fox jumps over the lazy dog; "
    return (line * (size // len(line) + 1))[:size]


def chinese_of(size):
    """UTF-8 text of exactly `size` bytes, of three-byte letters as far as they fit."""
    return CHINESE[0:1] * (size // 3) + "x" * (size % 3)


def binary_of(size):
    """Bytes of every value, in an order that does not repeat with a power of two."""
    block = bytes((17 * i + i // 251) & 0xFF for i in range(251 * 7))
    return (block * (size // len(block) + 1))[:size]


def everything():
    """All messages, as str or bytes."""
    yield from TEXTS
    for size in SIZES:
        yield text_of(size)
        yield chinese_of(size)
        yield binary_of(size)


def noise_of(size, seed=1):
    """Bytes that do not compress, the same on every run."""
    return random.Random(seed).randbytes(size)


QUOTES = json.dumps([{"symbol": f"HWS{i}", "bid": 10025 + i, "ask": 10050 + 3 * i, "size": 100 * i, "venue": "XETRA"}
                     for i in range(18)], separators=(",", ":"))


def compressible(bits, large):
    """What is sent where messages are compressed: nothing, little, the same twice, repetition, noise, and a repetition that
    lies half a window of `bits` back; with `large` also long ones. Noise grows when it is compressed, and the limit of a
    message holds before and after."""
    yield from ("", b"", "x", b"\0", QUOTES, QUOTES, "a" * 10000, noise_of(3000), CHINESE * 30)
    yield noise_of(1 << (bits - 1), bits) * 2
    if large:
        yield from (text_of(65536), text_of(MEBIBYTE), noise_of(MEBIBYTE - 4096), binary_of(MEBIBYTE))

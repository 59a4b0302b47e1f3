"""Bytes on the wire, written down by hand in golden.json, which the JavaScript peers read too. A frame is given without its
mask; the name of an order is what the response to the handshake says.

Response order is the order of operations of a sender: `x-rot13, x-checksum` rotates, then appends the CRC of the rotated
bytes; `x-checksum, x-rot13` appends the CRC, then rotates all, the letters among the four bytes of the CRC too. The first
two messages were chosen for a CRC with letters in it: 73a74752 is "s.GR", 706d5142 is "pmQB".

`fragmented` is the Chinese message in `pieces`. Python `websockets` ends a fragmented message with an empty frame of its
own, so the whole trailer of the checksum stands in that frame.

permessage-deflate is written in fixed Huffman codes (RFC 1951, 3.2.6), each fragment flushed and each message without
context takeover; "long" is eleven letters and one reference of 189 bytes to ten bytes before, where zlib puts it. Peers are
told to compress like that (Z_FIXED). How Hawser compresses is its own affair: `expect_hawser` of agreements.py looks inside.
"""

import itertools
import json
import os

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden.json"), encoding="utf-8") as file:
    _ALL = json.load(file)

MESSAGES = {name: message if isinstance(message, str) else bytes.fromhex(message["hex"])
            for name, message in _ALL["messages"].items()}
TEXT_MESSAGES = [name for name, message in MESSAGES.items() if isinstance(message, str)]
PIECES = tuple(_ALL["pieces"])

NONE, ROT13, CHECKSUM = (), ("x-rot13",), ("x-checksum",)
ROT13_CHECKSUM, CHECKSUM_ROT13 = ("x-rot13", "x-checksum"), ("x-checksum", "x-rot13")
DEFLATE = "permessage-deflate"
WITH_DEFLATE = tuple(order for count in (1, 2, 3) for order in itertools.permutations((DEFLATE, *ROT13_CHECKSUM), count)
                     if DEFLATE in order)


def whole(order, name):
    return bytes.fromhex(_ALL["whole"][", ".join(order)][name])


def fragmented(order):
    return bytes.fromhex(_ALL["fragmented"][", ".join(order)])

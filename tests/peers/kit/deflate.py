"""A judge of permessage-deflate: what two heads agreed on, and whether recorded frames keep to it. It decompresses by
Python's zlib and knows nothing of who wrote the bytes."""

import dataclasses
import zlib

from . import wire
from .registry import Failed, expect, expect_equal

NAME = "permessage-deflate"
# What the tool is told. Two of the presets have the largest windows and use two engines, where both are built in; NAME alone
# means a fourth.
SMALL, FAST, BALANCED = (f"{NAME}; preset={preset}" for preset in ("small", "fast", "balanced"))
TAIL = b"\x00\x00\xff\xff"
# The largest windows that each of them itself compresses in, if it is to be judged by how it uses them: ISA-L looks back as far,
# but not for everything.
JUDGED = {SMALL: 15, FAST: 0, BALANCED: 12, NAME: 12}
SHORT = 8 << 10  # bytes of compressed message up to which a window is judged to the byte


def elements(head):
    """[(name, {parameter: value or None})] of a head's Sec-WebSocket-Extensions."""
    found = []
    for element in ",".join(head.all("Sec-WebSocket-Extensions")).split(","):
        name, *parameters = (part.strip() for part in element.split(";"))
        if name:
            found.append((name, {key: value or None for key, _, value in (p.partition("=") for p in parameters)}))
    return found


@dataclasses.dataclass(frozen=True)
class Agreement:
    """The four parameters of a response, with what is true when they are absent."""

    server_takeover: bool = True
    client_takeover: bool = True
    server_bits: int = 15
    client_bits: int = 15


def agreement(response):
    """What a response says of permessage-deflate; None when it is not in there."""
    for name, parameters in elements(response):
        if name == NAME:
            return Agreement("server_no_context_takeover" not in parameters,
                             "client_no_context_takeover" not in parameters,
                             int(parameters.get("server_max_window_bits", 15)),
                             int(parameters.get("client_max_window_bits", 15)))
    return None


class Inflater:
    """Decompresses the messages of one direction, with a window of exactly the agreed size.

    zlib lets a reference reach over the window into what the same call has put out, so little is asked of a call: one byte
    in short messages, sixteen in long ones. The largest window is the largest distance that DEFLATE can express."""

    def __init__(self, bits, takeover, who):
        self._bits, self._takeover, self._who = bits, takeover, who
        self._history = b""

    def message(self, payload):
        """What a compressed message says."""
        history = self._history if self._takeover else b""
        step = 1 << 20 if self._bits == 15 else 1 if len(payload) <= SHORT else 16
        try:
            said = self._inflate(payload + TAIL, history, step)
        except zlib.error as error:
            raise Failed(f"{self._who}: {len(payload)} bytes are not DEFLATE with a window of {self._bits} bits: {error}") \
                from None
        self._history = (history + said)[-(1 << self._bits):]
        return said

    def _inflate(self, data, history, step):
        said = bytearray()
        while data:  # once, but for blocks with BFINAL set
            inflater = zlib.decompressobj(-self._bits, zdict=(history + bytes(said))[-(1 << self._bits):])
            for at in range(0, len(data), 256):
                rest = data[at:at + 256]
                while True:
                    got = inflater.decompress(rest, step)
                    said += got
                    rest = inflater.unconsumed_tail
                    if inflater.eof or (not rest and len(got) < step):
                        break
                if inflater.eof:
                    break
            data = (inflater.unused_data + data[at + 256:]) if inflater.eof else b""
            if data == TAIL:
                break  # the empty block that should follow was left out, which harms nobody
        return bytes(said)


def expect_first_only(frames, who):
    """P-02: RSV1 stands on the first frame of a message or nowhere."""
    for frame in frames:
        expect(frame.opcode in (wire.TEXT, wire.BINARY) or not frame.rsv & 4, f"{who} set RSV1 on opcode {frame.opcode}")


@dataclasses.dataclass
class Message:
    opcode: int
    compressed: bool
    size: int       # on the wire
    said: bytes


def read(frames, inflater, who):
    """The messages of one direction, decompressed; no other bit than RSV1 may be set."""
    expect_first_only(frames, who)
    found = []
    for opcode, rsv, payload in wire.messages(frames):
        expect(rsv in (0, 4), f"{who} set RSV {rsv}")
        found.append(Message(opcode, rsv == 4, len(payload), inflater.message(payload) if rsv else payload))
        if opcode == wire.TEXT:
            found[-1].said.decode()
    return found


def conversation(seen, wanted=None):
    """(sent, received) messages of the client of a transcript, after the agreement was looked at."""
    agreed = agreement(seen.response)
    expect(agreed is not None, f"permessage-deflate was not agreed: {seen.response.all('Sec-WebSocket-Extensions')}")
    if wanted is not None:
        expect_equal(agreed, wanted, "what was agreed")
    return (read(seen.sent, Inflater(agreed.client_bits, agreed.client_takeover, "the client"), "the client"),
            read(seen.received, Inflater(agreed.server_bits, agreed.server_takeover, "the server"), "the server"))

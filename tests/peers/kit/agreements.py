"""What the suites about extensions share: the orders, the tool's options, the look at what went over the wire."""

from . import golden, wire
from .registry import expect, expect_equal

ORDERS = (golden.ROT13, golden.CHECKSUM, golden.ROT13_CHECKSUM, golden.CHECKSUM_ROT13)
CONTROL = (wire.CLOSE, wire.PING, wire.PONG)


def flags(extensions):
    """The options of the tool, each extension with its parameters as it would stand in the header."""
    return [word for one in extensions for word in ("--extension", one)]


def data_frames(frames, masked, who):
    """The data frames of one direction, after a look at what holds for every frame."""
    for frame in frames:
        expect_equal(frame.masked, masked, f"a mask on a frame of the {who}")
        expect(frame.opcode not in CONTROL or frame.rsv == 0, f"the {who} set RSV {frame.rsv} on a control frame")
    return [frame for frame in frames if frame.opcode not in CONTROL]


def data_bytes(frames, masked, who):
    """The bytes of the data frames of one direction, without masks."""
    return b"".join(frame.plain for frame in data_frames(frames, masked, who))


def expect_wire(seen, *wanted, what):
    expect_equal(seen.hex(), b"".join(wanted).hex(), f"bytes on the wire, {what}")

"""What the suites about extensions share: the orders, the tool's options, the look at what went over the wire."""

import zlib

from . import deflate, golden, wire
from .extensions import ROT13
from .registry import expect, expect_equal, peer_test

ORDERS = (golden.ROT13, golden.CHECKSUM, golden.ROT13_CHECKSUM, golden.CHECKSUM_ROT13)
CONTROL = (wire.CLOSE, wire.PING, wire.PONG)


def flags(extensions):
    """The options of the tool for extensions by name."""
    return [word for one in extensions for word in ("--extension", deflate.SMALL if one == deflate.NAME else one)]


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


def names(response):
    """What a response agrees on, in its order, without the parameters."""
    return tuple(name for name, _ in deflate.elements(response))


BITS = {golden.DEFLATE: 4, "x-rot13": 2, "x-checksum": 1}


def expect_hawser(seen, masked, order, messages):
    """The golden messages `messages` were sent by Hawser under the agreement `order`, byte by byte. Where it compressed, the
    stages behind permessage-deflate are taken off and what was compressed must be golden."""
    who = "client" if masked else "server"
    frames = data_frames(seen.sent if masked else seen.received, masked, who)
    if golden.DEFLATE not in order:
        return expect_wire(b"".join(frame.plain for frame in frames), *(golden.whole(order, name) for name in messages),
                           what="sent by hawser")
    agreed = deflate.agreement(seen.response)
    inflater = deflate.Inflater(agreed.client_bits if masked else agreed.server_bits,
                                agreed.client_takeover if masked else agreed.server_takeover, "hawser")
    deflate.expect_first_only(frames, "hawser")
    at = order.index(golden.DEFLATE)
    sent = wire.messages(frames)
    expect_equal(len(sent), len(messages), "the number of messages")
    for (opcode, rsv, payload), name in zip(sent, messages):
        what = f"{name} under {order}, sent by hawser"
        expect_equal(rsv | BITS[golden.DEFLATE], sum(BITS[one] for one in order), f"the reserved bits of {what}")
        compressed = bool(rsv & BITS[golden.DEFLATE])
        expect(compressed or name != "long", f"{what} is not compressed")
        payload = undone(order[at:], compressed, payload, inflater, what)
        (wanted, *_), _ = wire.frames(golden.whole(order[:at], name))
        expect_equal((opcode, payload.hex()), (wanted.opcode, wanted.payload.hex()), what)


def undone(order, compressed, payload, inflater, what):
    """The payload as it was before the stages of `order` worked on it."""
    for stage in reversed(order):
        if stage == golden.DEFLATE:
            payload = inflater.message(payload) if compressed else payload
        elif stage == "x-rot13":
            payload = payload.translate(ROT13)
        else:
            expect_equal(payload[-4:].hex(), f"{zlib.crc32(payload[:-4]):08x}", f"the sum of {what}")
            payload = payload[:-4]
    return payload


def server_tests(peer, body, orders):
    """Registers the tests of a tool that serves `peer`: `body(bench, what the tool knows, *what the peer offers)`."""
    for wanted in orders:
        for tool in sorted({wanted, tuple(reversed(wanted))}):
            title = f"{peer}/server/{' then '.join(wanted) or 'no extension'}"
            peer_test(title + ("" if tool == wanted else ", the tool told in reverse"), args=(tool, wanted))(body)
    peer_test(f"{peer}/server/permessage-deflate alone and with both, in every order",
              args=(golden.WITH_DEFLATE[-1], *golden.WITH_DEFLATE))(body)


def client_tests(peer, body):
    """Registers the tests of a tool that connects to `peer`: `body(bench, what it offers, *what is answered)`. Where it
    offers nothing of its own it offers what is answered."""
    all_three = (order for order in golden.WITH_DEFLATE if len(order) == 3)
    rows = [(" then ".join(wanted), wanted, wanted) for wanted in ORDERS] + [
        ("offered in one order, answered in the other", golden.ROT13_CHECKSUM, golden.CHECKSUM_ROT13),
        ("offered in the other order, answered in the one", golden.CHECKSUM_ROT13, golden.ROT13_CHECKSUM),
        ("both offered, x-checksum answered", golden.ROT13_CHECKSUM, golden.CHECKSUM),
        ("both offered, none answered", golden.ROT13_CHECKSUM, golden.NONE),
        ("permessage-deflate alone and with both, in every order", (), *golden.WITH_DEFLATE),
        ("offered in one order, answered in every other, permessage-deflate among them", golden.WITH_DEFLATE[-1], *all_three)]
    for title, *args in rows:
        peer_test(f"{peer}/client/{title}", args=tuple(args))(body)

"""Each extension at work between two processes: `hawser connect` and `hawser echo`, alone and composed, its messages whole and
cut into fragments on the way.

    pairs_test.py each|composed|fragments|mixed|inband|timer|own_opcode|one_bit HAWSER

What is right is read from the bytes that each of them put on the wire: a relay between them records both directions, and the
formats of docs/wire are undone here in other code than ours.
"""

import ctypes
import dataclasses
import os
import pathlib
import signal
import struct
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "peers"))

from kit import deflate, raw, wire  # noqa: E402
from kit.children import EchoServer, Program  # noqa: E402
from kit.crc32c import crc32c  # noqa: E402
from kit.registry import expect, expect_equal  # noqa: E402
from kit.relay import FragmentingRelay, Relay  # noqa: E402

HAWSER = sys.argv[2]
PLUGINS = pathlib.Path(HAWSER).parent / "tests" / "plugins"
ACK, PARCEL = 11, 3

LINES = ["Hello", "", "\u7cfb\u5728\u7f06\u7ef3\u4e0a\u7684\u8239", "the rope holds the ship, " * 12,
         "and the ship holds the rope; " * 3000]
CONTEXTS = {"client": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "server": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"}


class Zstd:
    """The system's libzstd, asked without Hawser."""

    built_in = "no libzstd" not in subprocess.run([HAWSER, "ext", "info", "x-hawser-zstd"], stdin=subprocess.DEVNULL,
                                                   capture_output=True, text=True, timeout=30).stderr
    if built_in:
        _lib = ctypes.CDLL("libzstd.so.1")
        _lib.ZSTD_createDCtx.restype = ctypes.c_void_p
        _lib.ZSTD_decompress_usingDict.restype = ctypes.c_size_t
        _context = ctypes.c_void_p(_lib.ZSTD_createDCtx())

    @classmethod
    def read(cls, data, dictionary=b""):
        """What one frame says, or None when it is no such frame."""
        room = ctypes.create_string_buffer(1 << 20)
        size = cls._lib.ZSTD_decompress_usingDict(cls._context, room, ctypes.c_size_t(len(room)), data,
                                                  ctypes.c_size_t(len(data)), dictionary, ctypes.c_size_t(len(dictionary)))
        return room.raw[:size] if size <= len(room) else None


class Undo:
    """Takes off what one end of a connection put on its messages: stage by stage, from the wire to the application."""

    def __init__(self, answer, end, dictionary):
        self._end, self._dictionary = end, dictionary
        self.order = [name for name, _ in deflate.elements(answer)]
        agreed = deflate.agreement(answer)
        if agreed:
            self._inflater = deflate.Inflater(agreed.client_bits if end == "client" else agreed.server_bits,
                                              agreed.client_takeover if end == "client" else agreed.server_takeover, end)

    def message(self, opcode, rsv, payload):
        """(opcode, bits left, payload) as the application gave it."""
        for name in reversed(self.order):
            if opcode != PARCEL or name == "x-parcel":  # nobody is asked about another's opcode
                opcode, rsv, payload = getattr(self, name.replace("-", "_"))(opcode, rsv, payload)
        return opcode, rsv, payload

    def x_hawser_ack(self, *message):
        return message  # acknowledgements are frames of their own

    def x_hawser_checksum(self, opcode, rsv, payload):
        expect(rsv & 1, f"a message of the {self._end} without RSV3")
        expect_equal(payload[-4:], crc32c(payload[:-4]), f"the sum of a message of the {self._end}")
        return opcode, rsv & ~1, payload[:-4]

    def x_hawser_trace(self, opcode, rsv, payload):
        expect(rsv & 2, f"a message of the {self._end} without RSV2")
        expect_equal(payload[:26].hex(), CONTEXTS[self._end].replace("-", ""), f"the context of the {self._end}")
        return opcode, rsv & ~2, payload[26:]

    def permessage_deflate(self, opcode, rsv, payload):
        expect(rsv & 4 or len(payload) < 128, f"{len(payload)} bytes of the {self._end} are not compressed")
        return opcode, rsv & ~4, self._inflater.message(payload) if rsv & 4 else payload

    def x_hawser_zstd(self, opcode, rsv, payload):
        if not rsv & 4:
            expect(len(payload) < 64, f"{len(payload)} bytes of the {self._end} are not compressed")
            return opcode, rsv, payload
        said = Zstd.read(payload, self._dictionary)
        expect(said is not None, f"{len(payload)} bytes of the {self._end} are no Zstandard frame")
        expect(len(payload) < len(said), f"{len(said)} bytes of the {self._end} did not get shorter")
        if self._dictionary:
            expect(Zstd.read(payload) != said, f"the {self._end} has not used the dictionary")
        return opcode, rsv & ~4, said

    def x_parcel(self, opcode, rsv, payload):
        if len(payload) > 65 or rsv:
            return opcode, rsv, payload
        expect_equal((opcode, rsv), (PARCEL, 0), f"opcode and bits of {payload} of the {self._end}")
        return payload[0], rsv, payload[1:]


@dataclasses.dataclass
class Said:
    """What one end said: its messages and its extensions' control frames, with their bits, and how it closed."""

    messages: list  # (opcode, bits, payload)
    controls: list  # (opcode, bits, payload)
    close_code: int

    @classmethod
    def in_frames(cls, frames):
        return cls(wire.messages(frames, own=(PARCEL,)),
                   [(f.opcode, f.rsv, f.payload) for f in frames if f.opcode >= 8 and f.opcode != wire.CLOSE],
                   frames[-1].close_code)

    @classmethod
    def inside(cls, frames):
        """The same of messages that say in their first byte what a frame would have said; docs/wire/inband.md. The first
        one is the offer or the answer."""
        whole = wire.messages(frames)
        expect_equal({(opcode, rsv) for opcode, rsv, _ in whole}, {(wire.BINARY, 0)}, "opcodes and bits of the frames")
        told = [(payload[0] & 15, payload[0] >> 4, payload[1:]) for _, _, payload in whole[1:]]
        return cls([one for one in told if one[0] < 8], [one for one in told if one[0] >= 8], frames[-1].close_code)


def pair(server_words, client_words, agreed, relay=Relay, dictionary=b"", at_work=(), inband=False):
    """One connection: what is agreed, that all lines come and go as the extensions write them, and what the server says
    that it saw. What each end said."""
    server = EchoServer(HAWSER, "-vv", *server_words)
    between = relay(server.port)
    mode = ["--inband"] if inband else []
    tool = Program([HAWSER, "connect", *mode, *client_words, f"ws://127.0.0.1:{between.port}/"])
    for line in LINES:
        tool.write_line(line)
        expect_equal(tool.next_line(), line, f"what came back under {agreed}")
    tool.end_input()
    tool.expect_success()
    seen = between.closed()
    for name in at_work:
        server.find(rf" in   after {name} +text, 5 bytes: 'Hello'$", "err")
    server.stop()
    answer = seen.response
    if inband:
        expect_equal(seen.response.all("Sec-WebSocket-Extensions"), [], "what is agreed in the handshake")
        first, _, rest = wire.messages(seen.received)[0][2].decode().partition(", ")
        expect_equal(first, "ext1.hawser", "the beginning of the answer")
        answer = wire.Head("", [("Sec-WebSocket-Extensions", rest)])
    expect_equal(", ".join(answer.all("Sec-WebSocket-Extensions")), agreed, "what is agreed")
    return [expect_said(frames, end, answer, agreed, dictionary, inband)
            for frames, end in ((seen.sent, "client"), (seen.received, "server"))]


def expect_said(frames, end, answer, agreed, dictionary, inband):
    undo = Undo(answer, end, dictionary)
    said = Said.inside(frames) if inband else Said.in_frames(frames)
    expect_equal([undo.message(*message) for message in said.messages], [(wire.TEXT, 0, line.encode()) for line in LINES],
                 f"what the {end} sent under {agreed}")
    expect_equal(said.close_code, 1000, f"the last frame of the {end}")
    expect_equal({(opcode, rsv) for opcode, rsv, _ in said.controls},
                 {(ACK, 0)} if "x-hawser-ack" in undo.order else set(), f"control frames of the {end}")
    if said.controls:
        numbers = acknowledgements(said)
        expect_equal(numbers, sorted(set(numbers)), f"the acknowledgements of the {end} go forward")
        expect_equal(numbers[-1], len(LINES), f"what the {end} acknowledged in the end")
    return said


def acknowledgements(said):
    return [struct.unpack(">Q", payload)[0] for opcode, _, payload in said.controls if opcode == ACK]


def same(*words):
    """The options of both ends."""
    flags = [flag for word in words for flag in ("--extension", word)]
    return flags, flags


def traced(end):
    return ["--extension", f"x-hawser-trace; traceparent={CONTEXTS[end]}"]


def both(*words, first=()):
    """The options of the server and of the client: `first`, trace with the context of that end, then `words`."""
    return [same(*first)[0] + traced(end) + same(*words)[0] for end in ("server", "client")]


DEFLATE = "permessage-deflate; preset=small"
WINDOWS = "permessage-deflate"  # small takes what the other end says of itself
ACKS = "x-hawser-ack; every=2; within=60000"


def dictionary_file(folder):
    path = os.path.join(folder, "dictionary")
    content = "the rope holds the ship, and the ship holds the rope; ".encode() * 4
    pathlib.Path(path).write_bytes(content)
    return path, content


def rows(folder):
    """(server's options, client's options, agreement, dictionary, names of which the server must show the work)"""
    path, content = dictionary_file(folder)
    number = int.from_bytes(crc32c(content), "big")
    zstd = f"x-hawser-zstd; dictionary={path}"
    sum_, ack = "x-hawser-checksum", "x-hawser-ack; every=2; within=60000"
    alone = [
        (*same(sum_), sum_, b"", [sum_]),
        (*both(), "x-hawser-trace", b"", ["x-hawser-trace"]),
        (*same(ACKS), ack, b"", []),
        (*same("x-hawser-zstd"), "x-hawser-zstd; window=18", b"", []),
        (*same(zstd), f"x-hawser-zstd; window=18; dictionary={number}", content, []),
    ]
    together = [
        (*same(sum_, DEFLATE), f"{sum_}, {WINDOWS}", b"", [sum_]),
        (*same(DEFLATE, sum_), f"{WINDOWS}, {sum_}", b"", [sum_]),
        (*both(DEFLATE), f"x-hawser-trace, {WINDOWS}", b"", ["x-hawser-trace"]),
        (*same(ACKS, DEFLATE), f"{ack}, {WINDOWS}", b"", []),
        (*both("x-hawser-zstd", sum_, first=[ACKS]), f"{ack}, x-hawser-trace, x-hawser-zstd; window=18, {sum_}", b"",
         ["x-hawser-trace"]),
        (*both(zstd, sum_), f"x-hawser-trace, x-hawser-zstd; window=18; dictionary={number}, {sum_}", content,
         ["x-hawser-trace"]),
        (*both(DEFLATE, sum_, first=[ACKS]), f"{ack}, x-hawser-trace, {WINDOWS}, {sum_}", b"", ["x-hawser-trace"]),
    ]
    return [[row for row in some if Zstd.built_in or "zstd" not in row[2]] for some in (alone, together)]


def each():
    with tempfile.TemporaryDirectory() as folder:
        for server, client, agreed, dictionary, at_work in rows(folder)[0]:
            pair(server, client, agreed, dictionary=dictionary, at_work=at_work)


def composed():
    with tempfile.TemporaryDirectory() as folder:
        for server, client, agreed, dictionary, at_work in rows(folder)[1]:
            pair(server, client, agreed, dictionary=dictionary, at_work=at_work)


def fragments():
    """The same; what lies between them cuts every message, inside what the extensions put at its ends too."""
    with tempfile.TemporaryDirectory() as folder:
        alone, together = rows(folder)
        for server, client, agreed, dictionary, at_work in alone + together:
            pair(server, client, agreed, FragmentingRelay, dictionary, at_work)


def inband():
    """The same inside the messages of a subprotocol, whole and in fragments; what works on frames is declined, in words."""
    with tempfile.TemporaryDirectory() as folder:
        alone, together = rows(folder)
        for relay in (Relay, FragmentingRelay):
            for server, client, agreed, dictionary, at_work in alone + together:
                pair(server, client, agreed, relay, dictionary, at_work, inband=True)
    words = same("no-masking", "x-hawser-priority", "x-hawser-checksum")[0]
    server = EchoServer(HAWSER, "-v", *words)
    tool = Program([HAWSER, "connect", "-v", "--inband", *words, server.url])
    tool.end_input()
    tool.expect_success()
    for name in ("no-masking", "x-hawser-priority"):
        tool.find(f"extension {name}: declined by the server$", "err")
        server.find(f"extension {name}: declined: {name} works on frames, which in-band are not its own$", "err")
    server.stop()


def mixed():
    """x-hawser-priority, alone and behind a checksum and deflate: messages longer than what may be on the way, from both ends
    at once, put together here by channel. What each end sends stays within what the other has granted."""
    noise = "".join(chr(33 + (at * at * 7919 + at // 94 * 31) % 90) for at in range(150000))
    lines, window = [noise, "small", noise[::-1], "last"], 16384
    priority = f"x-hawser-priority; window={window}"
    for words in ([priority], ["x-hawser-checksum", "permessage-deflate; preset=low_memory", priority]):
        flags = same(*words)[0]
        server = EchoServer(HAWSER, "-vv", *flags)
        between = Relay(server.port)
        tool = Program([HAWSER, "connect", *flags, f"ws://127.0.0.1:{between.port}/"])
        for line in lines:
            tool.write_line(line)
        expect_equal(sorted(tool.next_line() for _ in lines), sorted(lines), "what came back")
        tool.end_input()
        tool.expect_success()
        seen = between.closed()
        server.find(r" in   frame +text, \d+ bytes.*, more follows, masked: '\\x00", "err")
        server.stop()
        for frames, answers, end in ((seen.sent, seen.received, "client"), (seen.received, seen.sent, "server")):
            expect_mixed(frames, answers, end, seen.response, lines, window)


def expect_mixed(frames, answers, end, response, lines, window):
    undo, halves, whole, sent = Undo(response, end, b""), {}, [], 0
    undo.order.remove("x-hawser-priority")
    for frame in frames:
        if frame.opcode >= 8:
            continue
        channel, part = frame.payload[0], frame.payload[1:]
        expect(channel < 4 and len(part) <= 16384, f"a frame of {len(part)} bytes on channel {channel}")
        expect_equal(channel in halves, frame.opcode == 0, f"whether channel {channel} of the {end} was half-way")
        message = halves.setdefault(channel, [frame.opcode, frame.rsv, b""])
        message[2] += part
        sent += len(part)
        if frame.fin:
            whole.append(undo.message(*halves.pop(channel))[2].decode())
    expect_equal((sorted(whole), halves), (sorted(lines), {}), f"what the {end} sent")
    grants = [int.from_bytes(frame.payload, "big") for frame in answers if frame.opcode == 15]
    expect(all(len(frame.payload) == 4 for frame in answers if frame.opcode == 15), "the length of grants")
    expect(sum(grants) <= sent <= sum(grants) + window, f"the {end} sent {sent} bytes and was granted {grants}")
    expect(len(grants) > 10, f"so few grants for the {end}: {grants}")


def timer():
    """Where so little is said that only the timer can have sent them, acknowledgements come from both ends all the same."""
    words, agreed = same("x-hawser-ack; every=1000; within=20")[0], "x-hawser-ack; every=1000; within=20"
    server = EchoServer(HAWSER, *words)
    between = Relay(server.port)
    tool = Program([HAWSER, "connect", *words, f"ws://127.0.0.1:{between.port}/"])
    for count in (1, 2):
        tool.write_line(f"line {count}")
        expect_equal(tool.next_line(), f"line {count}", "what came back")
        wanted = list(range(1, count + 1))

        def acknowledged(connections):
            seen = connections[0].transcript()
            return [acknowledgements(Said.in_frames(frames)) for frames in (seen.sent, seen.received)] == [wanted, wanted]

        between.wait(acknowledged, f"the acknowledgements {wanted} of both ends, with nothing else said")
    tool.end_input()
    tool.expect_success()
    seen = between.closed()
    expect_equal(", ".join(seen.response.all("Sec-WebSocket-Extensions")), agreed, "what is agreed")
    expect_equal([acknowledgements(Said.in_frames(frames)) for frames in (seen.sent, seen.received)], [[1, 2], [1, 2]],
                 "and no more of them")
    server.stop()


def own_opcode():
    """A plug-in that sends short messages on a data opcode of its own: by itself, and with others in front and behind."""
    parcel = ["--plugin", str(PLUGINS / "parcel.so")]
    sum_, ack = "x-hawser-checksum", "x-hawser-ack; every=2; within=60000"
    acks_deflate = same(ACKS, DEFLATE)[0]
    for relay in (Relay, FragmentingRelay):
        for words, agreed in ((parcel, "x-parcel"), (parcel + same(DEFLATE, sum_)[0], f"x-parcel, {WINDOWS}, {sum_}"),
                              (acks_deflate + parcel, f"{ack}, {WINDOWS}, x-parcel")):
            for inband in (False, True):
                for said in pair(words, words, agreed, relay, inband=inband):
                    expect_equal([opcode for opcode, _, _ in said.messages], [3, 3, 3, 1, 1], f"the opcodes under {agreed}")
    server = EchoServer(HAWSER, *parcel)
    client = raw.RawClient(server.port, "Sec-WebSocket-Extensions: x-parcel")
    client.send_frames(raw.plain(PARCEL, b"\x01He"), raw.plain(0x80, b"llo"), raw.plain(0x80 | PARCEL, b"\x05"))
    expect_equal(client.next_frame().plain, b"\x83\x06\x01Hello", "the echo of a parcel in two pieces")
    end = client.next_frame()
    expect_equal((end.close_code, end.payload[2:]), (1002, b"a parcel of neither text nor bytes"), "the close")
    client.close()
    stranger = raw.RawClient(server.port)
    stranger.send_frames(raw.plain(0x80 | PARCEL, b"\x01Hello"))
    stranger.expect_close(1002, "a parcel where that was not agreed on")
    server.stop()


def one_bit():
    """Two that want the same bit: the client's first choice is agreed on, and both ends say what became of the other."""
    zstd, zstd_agreed = "x-hawser-zstd", "x-hawser-zstd; window=18"
    orders = (((zstd, DEFLATE), zstd_agreed, WINDOWS), ((DEFLATE, zstd), WINDOWS, zstd))
    for words, agreed, other in orders if Zstd.built_in else ():
        server = EchoServer(HAWSER, "-v", *same(*reversed(words))[0])
        tool = Program([HAWSER, "connect", "-v", *same(*words)[0], server.url])
        tool.end_input()
        tool.expect_success()
        tool.find(f"extension {other}: declined by the server$", "err")
        expect(f"hawser: extension {agreed.split(';')[0]}: agreed as {agreed}" in tool.lines("err"), "what the client says")
        server.find(f"extension {other}: declined: .*RSV1", "err")
        server.stop()
        pair(same(*reversed(words))[0], same(*words)[0], agreed)


if __name__ == "__main__":
    os.setpgrp()
    try:
        globals()[sys.argv[1]]()
    finally:  # What a failed test leaves behind ends with it.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.killpg(0, signal.SIGTERM)

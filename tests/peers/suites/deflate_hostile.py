"""permessage-deflate as no peer of good will speaks it: raw frames and heads to both roles of the tool."""

import zlib

from kit import deflate, golden, payloads, raw, wire
from kit.agreements import flags, undone
from kit.extensions import ROT13
from kit.registry import expect, expect_equal, peer_test

TOOL, FAST = ("--extension", deflate.SMALL), ("--extension", deflate.FAST)  # two engines, where both are built in
OFFER = f"Sec-WebSocket-Extensions: {deflate.NAME}"
BOTH_ALONE = f"{OFFER}; server_no_context_takeover; client_no_context_takeover"
MEBIBYTE = payloads.MEBIBYTE


def packed(data, level=6):
    """A message, compressed."""
    maker = zlib.compressobj(level, zlib.DEFLATED, -15)
    return (maker.compress(data) + maker.flush(zlib.Z_SYNC_FLUSH))[:-4]


def client_of(server, *fields):
    client = raw.RawClient(server.port, *(fields or (OFFER,)))
    expect(deflate.agreement(client.response) is not None, f"permessage-deflate was not agreed for {fields}")
    agreed = deflate.agreement(client.response)
    return client, deflate.Inflater(agreed.server_bits, agreed.server_takeover, "hawser")


def echoed(client, inflater):
    """(opcode, what it says) of the next message."""
    frame = client.next_frame()
    expect(frame.fin and frame.rsv in (0, 4), f"a strange frame: {frame}")
    return frame.opcode, inflater.message(frame.payload) if frame.rsv else frame.payload


# P-19: RFC 7692, 7.2.3, and what follows from RFC 1951: the bytes of a message and what they say.
VECTORS = {
    "one block in fixed codes": ("f248cdc9c90700", b"Hello"),                       # 7.2.3.1
    "a block that is stored": ("000500faff48656c6c6f00", b"Hello"),                 # 7.2.3.3
    "BFINAL set": ("f348cdc9c9070000", b"Hello"),                                   # 7.2.3.4
    "two blocks": ("f248050000 00ffffcac9c90700", b"Hello"),                        # 7.2.3.5
    "nothing": ("00", b""),                                                         # 7.2.3.6
    "nothing, in a block of fixed codes": ("0200", b""),
    "nothing, BFINAL set": ("030000", b""),
    "BFINAL set, and a block behind it": ("f348cdc9c907 00 f248cdc9c90700", b"HelloHello"),
    "two stored blocks, BFINAL set in the second": ("000200fdff4865 010300fcff6c6c6f 00", b"Hello"),
    "empty stored blocks around": ("000000ffff 000500faff48656c6c6f 000000ffff 00", b"Hello"),
}


@peer_test("deflate/hostile/every kind of block is legal, cut anywhere", args=(TOOL,))
@peer_test("deflate/hostile/every kind of block is legal, cut anywhere, preset fast", args=(FAST,))
def vectors(bench, tool):
    server = bench.echo(*tool)
    client, inflater = client_of(server, BOTH_ALONE)
    for name, (bytes_in_hex, said) in VECTORS.items():
        payload = bytes.fromhex(bytes_in_hex)
        client.send_frames(raw.plain(0xC1, payload))
        expect_equal(echoed(client, inflater), (wire.TEXT, said), name)
        for cut in range(len(payload) + 1):
            client.send_frames(raw.plain(0x42, payload[:cut]), raw.plain(0x89, b"between"), raw.plain(0x80, payload[cut:]))
            expect_equal(client.next_frame().plain, raw.plain(0x8A, b"between"), "the pong between the fragments")
            expect_equal(echoed(client, inflater), (wire.BINARY, said), f"{name}, cut at {cut}")
    client.close()
    server.stop()


@peer_test("deflate/hostile/plain messages leave the window alone", args=(TOOL,))
@peer_test("deflate/hostile/plain messages leave the window alone, preset fast", args=(FAST,))
def takeover(bench, tool):
    """P-03, and the example of RFC 7692, 7.2.3.2."""
    server = bench.echo(*tool)
    client, inflater = client_of(server)
    for first, payload, said in ((0xC1, "f248cdc9c90700", b"Hello"), (0x81, "576f726c64", b"World"),
                                 (0xC1, "f200110000", b"Hello"), (0x82, "00", b"\0"), (0xC1, "00", b""),
                                 (0xC2, "f200110000", b"Hello")):
        client.send_frames(raw.plain(first, bytes.fromhex(payload)))
        expect_equal(echoed(client, inflater), (first & 15, said), f"{payload} behind the others")
    client.close()
    client, _ = client_of(server, BOTH_ALONE)
    client.send_frames(bytes.fromhex("c107f248cdc9c90700"), bytes.fromhex("c105f200110000"))
    client.next_frame()
    client.expect_close(1007, "a reference to the message before, without context takeover")
    server.stop()


BREACHES = [  # frames, close code
    (["41 03 f248cd", "c0 04 c9c90700"], 1002),           # P-02: RSV1 on a continuation
    (["01 03 48656c", "c0 02 6c6f"], 1002),               # P-02: the same in a plain message
    (["41 03 f248cd", "40 00", "80 04 c9c90700"], 1002),  # P-02: on one that is empty
    (["c9 00"], 1002), (["ca 00"], 1002), (["c8 02 03e8"], 1002), (["c9 07 f248cdc9c90700"], 1002),  # P-02: on a control
    (["c3 01 00"], 1002),                                 # F-02
    (["e1 01 00"], 1002), (["d1 01 00"], 1002),           # F-01: bits of nobody beside RSV1
    (["c1 01 07"], 1007),                                 # P-21: a type of block that there is not
    (["c2 05 0005000000"], 1007),                         # P-21: a length and its complement differ
    (["c2 03 030300"], 1007),                             # P-21: a reference to before the beginning
    (["41 01 07"], 1007),                                 # P-21: it need not wait for the end
    (["c2 04 f248cdc9"], 1002),                           # P-21: the end in the middle of a block
    (["c2 06 000600f9ff48"], 1002),                       # P-21: the end in the middle of what is stored
    (["42 02 f248", "80 00"], 1002),
    (["c1 04 7afe0700"], 1007),                           # P-04: UTF-8 is judged after decompression
    (["c1 07 000100feffff00"], 1007),                     # P-04: in what is stored
    (["c2 06 000100feff41"], 1002),                       # P-21: nothing behind the last block: what is added begins none
]


@peer_test("deflate/hostile/what is not DEFLATE fails the connection", args=(TOOL,))
@peer_test("deflate/hostile/what is not DEFLATE fails the connection, preset fast", args=(FAST,))
def breaches(bench, tool):
    server = bench.echo(*tool)
    for frames, code in BREACHES:
        for fields in ((OFFER,), (BOTH_ALONE,)):
            client, _ = client_of(server, *fields)
            client.send_frames(*map(bytes.fromhex, frames))
            client.expect_close(code, f"the answer to {frames}")
    server.stop()


def zeros(mebibytes):
    """So many MiB of zeros in about a thousandth of it."""
    maker = zlib.compressobj(9, zlib.DEFLATED, -15)
    piece = maker.compress(bytes(MEBIBYTE)) + maker.flush(zlib.Z_FULL_FLUSH)
    return piece * mebibytes + b"\0"


def peak_of(program):
    """The most memory that a process has had, in MiB."""
    with open(f"/proc/{program.process.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 1024


@peer_test("deflate/hostile/a bomb ends with 1009 before it has grown", args=(TOOL,))
@peer_test("deflate/hostile/a bomb ends with 1009 before it has grown, preset fast", args=(FAST,))
def bombs(bench, tool):
    """P-22, and the limit to the byte."""
    server = bench.echo(*tool)
    before = peak_of(server)
    bomb = zeros(900)
    expect(len(bomb) < MEBIBYTE, "the bomb is too long to be read")
    for frames in ([raw.plain(0xC2, bomb)], [raw.plain(0xC1, bomb)], [raw.plain(0x42, bomb)],
                   [raw.plain(0x42, bomb[:50000]), raw.plain(0, bomb[50000:])]):
        client, _ = client_of(server)
        client.send_frames(*frames)
        client.expect_close(1009, "the answer to 900 MiB of zeros")
    composed = bench.echo(*flags(golden.WITH_DEFLATE[-1]))
    client, _ = client_of(composed, f"{OFFER}, x-rot13, x-checksum")
    client.send_frames(raw.plain(0xF2, bomb.translate(ROT13) + zlib.crc32(bomb.translate(ROT13)).to_bytes(4, "big")))
    client.expect_close(1009, "the answer to a bomb inside of two other stages")
    composed.stop()
    expect(peak_of(server) < before + 32, f"{peak_of(server)} MiB after a bomb, {before} before")
    server.stop()
    for limit in (16, 1000, 16384, 100000):
        server = bench.echo(*tool, "--max-message", str(limit))
        client, inflater = client_of(server)
        for data in (bytes(limit), payloads.text_of(limit).encode()):
            client.send_frames(raw.plain(0xC2, packed(data)))
            expect_equal(echoed(client, inflater), (wire.BINARY, data), f"a message of exactly {limit}")
        client.send_frames(raw.plain(0xC2, packed(bytes(limit + 1))))
        client.expect_close(1009, f"a message of {limit + 1} where {limit} are allowed")
        server.stop()


@peer_test("deflate/hostile/no damaged bit changes a message under a checksum")
def damage(bench):
    """Each bit of a golden message is turned, the checksum inside or outside of the compression: what comes back is that
    message, because the bit says nothing, or 1002 or 1007."""
    server = bench.echo(*flags(golden.WITH_DEFLATE[-1]))
    said, failed = golden.MESSAGES["ascii"].encode(), 0
    for order in (("x-rot13", "x-checksum", golden.DEFLATE), (golden.DEFLATE, "x-checksum", "x-rot13"),
                  ("x-checksum", golden.DEFLATE, "x-rot13")):
        (whole, *_), _ = wire.frames(golden.whole(order, "ascii"))
        for bit in range(8 * len(whole.payload)):
            client, inflater = client_of(server, f"Sec-WebSocket-Extensions: {', '.join(order)}")
            damaged = bytearray(whole.payload)
            damaged[bit // 8] ^= 1 << bit % 8
            client.send_frames(raw.plain(whole.plain[0], bytes(damaged)))
            frame = client.next_frame(f"an answer to bit {bit} under {order}")
            if frame.opcode == wire.CLOSE:
                expect(frame.close_code in (1002, 1007), f"{frame.close_code} for bit {bit} under {order}")
                failed += 1
            else:
                expect_equal(undone(order, bool(frame.rsv & 4), frame.payload, inflater, "the echo"), said,
                             f"the echo after bit {bit} was turned under {order}")
            client.close()
    expect(failed > 300, f"{failed} failures only")
    server.stop()


OFFERS = [  # offers, status, answer; None: no extension
    ("", 101, ""),
    ("; server_no_context_takeover", 101, "; server_no_context_takeover"),                           # P-13
    ("; server_no_context_takeover=1", 101, None),
    ("; client_no_context_takeover", 101, "; client_no_context_takeover"),                           # P-14
    ("; client_no_context_takeover=x", 101, None),
    ("; server_no_context_takeover; server_no_context_takeover", 101, None),                         # P-11: twice
    ("; server_max_window_bits=9", 101, "; server_max_window_bits=9"),                               # P-15
    ('; server_max_window_bits="10"', 101, "; server_max_window_bits=10"),                           # N-02
    ("; server_max_window_bits", 101, None),
    ("; server_max_window_bits=09", 101, None), ("; server_max_window_bits=7", 101, None),
    ("; server_max_window_bits=16", 101, None), ("; server_max_window_bits=+9", 101, None),
    ("; server_max_window_bits=9.0", 101, None), ("; server_max_window_bits=4294967305", 101, None),
    ("; server_max_window_bits=9; server_max_window_bits=9", 101, None),
    ("; client_max_window_bits", 101, ""),                                                           # P-16
    ("; client_max_window_bits=11", 101, "; client_max_window_bits=11"),
    ("; client_max_window_bits=7", 101, None), ("; client_max_window_bits=16", 101, None),
    ("; client_max_window_bits=011", 101, None),
    ("; client_max_window_bits=11; client_max_window_bits", 101, None),
    ("; nope", 101, None), ("; Server_no_context_takeover", 101, None),                              # P-11, N-15
    (f"; nope, {deflate.NAME}; server_max_window_bits=77, {deflate.NAME}; server_max_window_bits=12", 101,
     "; server_max_window_bits=12"),                                                                 # P-10
    (f"; server_max_window_bits=12, {deflate.NAME}", 101, "; server_max_window_bits=12"),            # P-10: the first one
    ("; server_max_window_bits=12 ; client_no_context_takeover;server_no_context_takeover", 101,
     "; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12"),
    (";", 400, None), ("; server_max_window_bits=", 400, None), ("; =9", 400, None),                 # N-01
    ('; server_max_window_bits=""', 400, None), ('; server_max_window_bits="9', 400, None),          # N-02
    ("; server_max_window_bits=9 9", 400, None), (" server_max_window_bits=9", 400, None),
]


@peer_test("deflate/hostile/offers from hell get the answer of the RFC")
def offers(bench):
    server = bench.echo(*TOOL)
    for offer, status, answer in OFFERS:
        client = raw.RawClient(server.port, OFFER + offer)
        expect_equal(client.status, status, f"the status for {offer!r}")
        wanted = [] if answer is None else [parts(deflate.NAME + answer)]
        expect_equal([parts(value) for value in client.response.all("Sec-WebSocket-Extensions")], wanted,
                     f"the answer to {offer!r}")
        client.close()
    server.stop()


@peer_test("deflate/hostile/a window of 8 bits is kept to, or not agreed")
def eight_bits(bench):
    """P-20: zlib cannot compress in it. A server may decline, a client may send everything plain."""
    said = payloads.QUOTES[:300] * 3
    server = bench.echo(*TOOL)
    client = raw.RawClient(server.port, OFFER + "; server_max_window_bits=8")
    agreed = deflate.agreement(client.response)
    if agreed is not None:
        expect_equal(agreed.server_bits, 8, "the answer to a window of 8 bits")
        client.send_frames(raw.plain(0xC1, packed(said.encode())))
        expect_equal(echoed(client, deflate.Inflater(8, True, "hawser")), (wire.TEXT, said.encode()), "the echo")
    print(f"note: as a server it {'keeps to it' if agreed else 'declines'}")
    client.close()
    server.stop()
    far = raw.RawServer()
    tool = bench.connect(far.url, *TOOL)
    far.accept(OFFER + "; client_max_window_bits=8; server_max_window_bits=8")
    tool.write_line(said)
    frame = far.next_frame()
    expect_equal(deflate.Inflater(8, True, "hawser").message(frame.payload) if frame.rsv else frame.payload, said.encode(),
                 "what the client sends")
    print(f"note: as a client it {'keeps to it' if frame.rsv else 'sends plain messages'}")
    far.close()


def parts(value):
    """An element, in no order of its parameters."""
    name, *parameters = value.split("; ")
    return name, sorted(parameters)


# ---- client role -----------------------------------------------------------------------------------------------------
ANSWERS = [  # what the server says; P-12 and P-07: each one fails the connection
    "; nope", "; server_no_context_takeover=1", "; client_no_context_takeover=1", "; server_max_window_bits",
    "; server_max_window_bits=16", "; server_max_window_bits=7", "; server_max_window_bits=010", "; client_max_window_bits",
    "; client_max_window_bits=16", "; client_max_window_bits=3", "; server_no_context_takeover; server_no_context_takeover",
    "; server_max_window_bits=10; server_max_window_bits=11", f", {deflate.NAME}", ", x-nobody-offered", ";", "; =9",
    '; server_max_window_bits=""',
]


@peer_test("deflate/hostile/answers from hell fail the client")
def answers(bench):
    for answer in ANSWERS:
        server = raw.RawServer()
        tool = bench.connect(server.url, *TOOL)
        server.accept(OFFER + answer)
        expect_equal(tool.wait(), 1, f"the exit status after {answer!r}")
        expect_equal(len(tool.lines("err")), 1, f"lines of complaint after {answer!r}: {tool.lines('err')}")
        expect_equal([frame.opcode for frame in server.rest() if frame.opcode != wire.CLOSE], [], f"frames after {answer!r}")
    for answer in ("; server_no_context_takeover", "; client_no_context_takeover", "; server_max_window_bits=9",
                   "; client_max_window_bits=15", '; client_max_window_bits="9"', "; server_max_window_bits=8"):
        server = raw.RawServer()
        tool = bench.connect(server.url, *TOOL)
        server.accept(OFFER + answer)
        server.send(bytes.fromhex("c107f248cdc9c90700"))
        expect_equal(tool.next_line(), "Hello", f"what is printed after {answer!r}")
        server.close()
        tool.wait()


@peer_test("deflate/hostile/what is not DEFLATE fails the client")
def client_breaches(bench):
    for frames, code in [*BREACHES, ([raw.plain(0xC2, zeros(900)).hex()], 1009)]:
        server = raw.RawServer()
        tool = bench.connect(server.url, *TOOL)
        server.accept(OFFER)
        server.send(*map(bytes.fromhex, frames))
        expect_equal(server.next_frame().close_code, code, f"the answer to {[frame[:40] for frame in frames]}")
        server.close()
        expect_equal(tool.wait(), 1, "the exit status")

"""The same custom extensions, written twice: x-rot13 and x-checksum of the tool against ours for Python's `websockets`.

Every connection runs through a recording relay, and the bytes on the wire must equal those of golden.py: alone and
composed, in both orders of preference, in both roles, whole and fragmented.
"""

import asyncio

import websockets

from kit import golden, payloads, raw, wire
from kit.agreements import (ORDERS, client_tests, data_bytes, expect_hawser, expect_wire, flags, names, server_tests)
from kit.extensions import Checksum, ClientFactory, Rot13, client_factories, server_factories
from kit.registry import expect, expect_equal, peer_test
from kit.relay import Relay

BOTH = golden.ROT13_CHECKSUM


# ---- server role ---------------------------------------------------------------------------------------------------
def server_role(bench, tool_order, *orders):
    """One connection after the other, each with the extensions of one of `orders`."""
    server = bench.echo(*flags(tool_order))
    relay = Relay(server.port)

    async def talk(order):
        async with websockets.connect(f"ws://127.0.0.1:{relay.port}/", compression=None, ping_interval=None,
                                      extensions=client_factories(*order)) as peer:
            for message in golden.MESSAGES.values():
                await peer.send(message)
                expect_equal(await peer.recv(), message, "the echo")
            await peer.send(list(golden.PIECES))
            expect_equal(await peer.recv(), golden.MESSAGES["chinese"], "the echo of the fragments")
            await (await peer.ping(b"letters"))

    for index, order in enumerate(orders):
        asyncio.run(talk(order))
        seen = relay.closed(index)
        expect_equal(names(seen.response), order, "the agreement, in the client's order")
        whole = [golden.whole(order, name) for name in golden.MESSAGES]
        expect_wire(data_bytes(seen.sent, True, "client"), *whole, golden.fragmented(order), what=f"sent by the peer, {order}")
        expect_hawser(seen, False, order, [*golden.MESSAGES, "chinese"])
        pong = [frame.payload for frame in seen.received if frame.opcode == wire.PONG]
        expect_equal(pong, [b"letters"], "the pong, which no message stage may touch")
    server.stop()


server_tests("extensions", server_role, ORDERS)


@peer_test("extensions/server/only what the client offers is used")
def server_offers_less(bench):
    """One server that knows both; connections of all five kinds at the same time."""
    server = bench.echo(*flags(BOTH))

    async def talk(order, index):
        async with websockets.connect(server.url, compression=None, ping_interval=None,
                                      extensions=client_factories(*order) or None) as peer:
            expect_equal(peer.response_headers.get_all("Sec-WebSocket-Extensions"), [", ".join(order)] if order else [],
                         "the agreement")
            for turn in range(20):
                message = f"{index} {turn} {payloads.chinese_of(turn * 40)}"
                await peer.send(message if turn % 2 else message.encode())
                expect_equal(await peer.recv(), message if turn % 2 else message.encode(), f"the echo of {order}")

    async def all_of_them():
        orders = [golden.NONE, *ORDERS] * 8
        await asyncio.gather(*(talk(order, index) for index, order in enumerate(orders)))

    asyncio.run(all_of_them())
    server.stop()


@peer_test("extensions/server/every size, both composed", args=(golden.ROT13_CHECKSUM,))
@peer_test("extensions/server/every size, both composed in reverse", args=(golden.CHECKSUM_ROT13,))
def server_sizes(bench, order):
    server = bench.echo(*flags(BOTH))

    async def talk():
        async with websockets.connect(server.url, compression=None, ping_interval=None, max_size=4 << 20,
                                      extensions=client_factories(*order)) as peer:
            for message in payloads.everything():
                if len(message.encode() if isinstance(message, str) else message) > payloads.MEBIBYTE - 4:
                    continue  # the limit holds after each stage, and a stage may see the trailer of another
                await peer.send(message)
                expect_equal(await peer.recv(), message, f"the echo of {len(message)}")
            largest = payloads.binary_of(payloads.MEBIBYTE - 4)
            await peer.send(largest)
            expect_equal(await peer.recv(), largest, "the echo of the largest message with room for its trailer")
            for pieces in (2, 7, 100):
                message = payloads.binary_of(70000)
                size = -(-len(message) // pieces)
                await peer.send([message[at:at + size] for at in range(0, len(message), size)])
                expect_equal(await peer.recv(), message, f"the echo of {pieces} fragments")

    asyncio.run(talk())
    server.stop()


@peer_test("extensions/server/unknown names and parameters are declined")
def unknown_offers(bench):
    server = bench.echo(*flags(BOTH))

    class Unknown(Rot13):
        name = "x-nobody-knows"

    async def agreed(*factories):
        async with websockets.connect(server.url, compression=None, extensions=list(factories)) as peer:
            await peer.send("Hello, 缆绳")
            expect_equal(await peer.recv(), "Hello, 缆绳", "the echo")
            return peer.response_headers.get_all("Sec-WebSocket-Extensions")

    def check(factories, wanted):
        expect_equal(asyncio.run(agreed(*factories)), wanted, "the agreement")

    check([ClientFactory(Unknown), ClientFactory(Rot13)], ["x-rot13"])                              # N-09
    check([ClientFactory(Rot13, ("nope", "1"))], [])                                                # N-13
    check([ClientFactory(Rot13, ("nope", None)), ClientFactory(Checksum)], ["x-checksum"])
    check([ClientFactory(Unknown), ClientFactory(Checksum), ClientFactory(Unknown), ClientFactory(Rot13)],
          ["x-checksum, x-rot13"])
    server.stop()


@peer_test("extensions/server/odd offers get the answer of the RFC")
def odd_offers(bench):
    server = bench.echo(*flags(BOTH))
    table = [  # fields, status, agreement
        (["x-rot13; nope, x-rot13"], 101, "x-rot13"),               # N-10: alternatives of one name
        (["x-rot13, x-rot13"], 101, "x-rot13"),
        (["x-checksum", "x-rot13"], 101, "x-checksum, x-rot13"),    # N-04: two lines are one list
        ([" ,x-rot13 ,, x-checksum,"], 101, "x-rot13, x-checksum"),  # N-03
        (["X-Rot13"], 101, None),                                   # N-15: names match exactly
        (['x-rot13; a="b", x-checksum'], 101, "x-checksum"),
        (["x-rot13;"], 400, None), (["x-rot13; =1"], 400, None), (["x rot13"], 400, None),  # N-01
        (['x-rot13; a=""'], 400, None), (['x-rot13; a="b c"'], 400, None), (['x-rot13; a="b'], 400, None),  # N-02
    ]
    for fields, status, agreement in table:
        client = raw.RawClient(server.port, *(f"Sec-WebSocket-Extensions: {field}" for field in fields))
        expect_equal(client.status, status, f"the status for {fields}")
        expect_equal(client.response.one("Sec-WebSocket-Extensions"), agreement, f"the agreement for {fields}")
        client.close()
    server.stop()


@peer_test("extensions/server/a message may be cut anywhere")
def cut_anywhere(bench):
    """Golden bytes in two and in three fragments: the cut goes through letters, through the trailer and around it."""
    server = bench.echo(*flags(BOTH))
    for order in ORDERS:
        client = raw.RawClient(server.port, f"Sec-WebSocket-Extensions: {', '.join(order)}")
        for name in ("ascii", "chinese", "binary"):
            wanted = golden.whole(order, name)
            first, payload = wanted[0], wanted[2:]
            cuts = [(at, at) for at in range(len(payload) + 1)]
            cuts += [(at, at + 1) for at in range(len(payload))] + [(at, at + 3) for at in range(len(payload) - 2)]
            for one, two in cuts:
                pieces = [raw.plain(first & 0x7F, payload[:one]), raw.plain(0x89, b"between"),
                          raw.plain(0x00, payload[one:two]), raw.plain(0x80, payload[two:])]
                client.send_frames(*pieces)
                expect_equal(client.next_frame().plain, raw.plain(0x8A, b"between"), "the pong between the fragments")
                expect_equal(client.next_frame().plain.hex(), wanted.hex(), f"{name} cut at {one} and {two} under {order}")
        client.close()
    server.stop()


@peer_test("extensions/server/misused bits and wrong sums fail the connection")
def misuse(bench):
    server = bench.echo(*flags(BOTH))
    table = [  # agreement, frames, close code
        ("x-rot13", ["c1 01 41"], 1002),                    # F-01: RSV1 belongs to nobody
        ("x-rot13", ["91 05 41d3d99e8b"], 1002),            # F-01: RSV3 belongs to x-checksum, which is not agreed
        ("x-rot13", ["a9 00"], 1002),                       # F-01: RSV2 on a ping
        ("x-rot13", ["21 01 41", "a0 01 41"], 1002),        # F-01: RSV2 on a continuation
        ("x-rot13", ["a3 00"], 1002),                       # F-02
        ("x-rot13", ["a1 01 ff"], 1007),                    # F-11: UTF-8 is judged after the stages
        ("x-checksum", ["91 05 41d3d99e8c"], 1007),         # one bit of the sum
        ("x-checksum", ["91 05 42d3d99e8b"], 1007),         # one bit of the payload
        ("x-checksum", ["92 03 000000"], 1002),             # F-07: too short for a sum
        ("x-checksum", ["12 02 0000", "80 01 00"], 1002),
        ("x-checksum", ["91 05 ff" + "ff000000"], 1007),    # the right sum of what is not UTF-8
        ("x-rot13, x-checksum", ["b1 05 41d3d99e8c"], 1007),
    ]
    for agreement, frames, code in table:
        client = raw.RawClient(server.port, f"Sec-WebSocket-Extensions: {agreement}")
        expect_equal(client.response.one("Sec-WebSocket-Extensions"), agreement, "the agreement")
        client.send_frames(*map(bytes.fromhex, frames))
        client.expect_close(code, f"the answer to {frames} under {agreement}")
    client = raw.RawClient(server.port, "Sec-WebSocket-Extensions: x-checksum")
    client.send_frames(bytes.fromhex("91 05 41d3d99e8b"))
    expect_equal(client.next_frame().plain.hex(), "910541d3d99e8b", "the sum that the table damages")
    client.close()
    client = raw.RawClient(server.port, "Sec-WebSocket-Extensions: x-rot13")
    client.send_frames(bytes.fromhex("81 03 414243"))
    expect_equal(client.next_frame().plain.hex(), "a1034e4f50", "an unflagged message is taken as it stands")
    client.close()
    server.stop()


# ---- client role ---------------------------------------------------------------------------------------------------
class ServerPrefers(websockets.WebSocketServerProtocol):
    """Answers in the server's own order of preference, not in the order of the offers."""

    def process_extensions(self, headers, available_extensions):
        header, accepted = super().process_extensions(headers, available_extensions)
        known = [factory.name for factory in available_extensions]
        pairs = sorted(zip(accepted, (header or "").split(", ")), key=lambda pair: known.index(pair[0].name))
        return ", ".join(element for _, element in pairs) or None, [extension for extension, _ in pairs]



def client_role(bench, offered, *answers):
    """One connection after the other, each answered in another way."""
    for answered in answers:
        asyncio.run(client_talk(bench, offered or answered, answered))


async def client_talk(bench, offered, answered):
    heard = asyncio.Queue()

    async def handle(ws, path=None):
        for _ in golden.TEXT_MESSAGES:
            message = await ws.recv()
            await ws.send(message)
            heard.put_nowait(message)
        await ws.send(list(golden.PIECES))
        await ws.wait_closed()
        heard.put_nowait(("closed", ws.close_rcvd and ws.close_rcvd.code))

    server = await websockets.serve(handle, "127.0.0.1", 0, compression=None, ping_interval=None,
                                    extensions=server_factories(*answered), create_protocol=ServerPrefers)
    relay = Relay(server.sockets[0].getsockname()[1])
    tool = bench.connect(f"ws://127.0.0.1:{relay.port}/", "-v", *flags(offered))
    loop = asyncio.get_running_loop()
    for name in golden.TEXT_MESSAGES:
        tool.write_line(golden.MESSAGES[name])
        expect_equal(await loop.run_in_executor(None, tool.next_line), golden.MESSAGES[name], "what the tool printed")
        expect_equal(await asyncio.wait_for(heard.get(), 30), golden.MESSAGES[name], "what the server heard")
    expect_equal(await loop.run_in_executor(None, tool.next_line), golden.MESSAGES["chinese"], "the fragments, printed")
    tool.end_input()
    expect_equal(await asyncio.wait_for(heard.get(), 30), ("closed", 1000), "how the tool closed")
    await loop.run_in_executor(None, tool.expect_success)
    seen = await loop.run_in_executor(None, relay.closed)
    server.close()
    await server.wait_closed()

    expect_equal(names(seen.request), offered, "the offers")
    expect_equal(names(seen.response), answered, "the answer")
    expect_hawser(seen, True, answered, golden.TEXT_MESSAGES)
    whole = [golden.whole(answered, name) for name in golden.TEXT_MESSAGES]
    expect_wire(data_bytes(seen.received, False, "server"), *whole, golden.fragmented(answered),
                what=f"sent by the peer, {answered}")
    words = "\n".join(tool.lines("err"))
    for name in answered:
        expect(name in words, f"-v says nothing about {name}: {words!r}")


client_tests("extensions", client_role)

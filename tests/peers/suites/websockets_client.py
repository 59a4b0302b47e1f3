"""Server role against Python's `websockets` client (asyncio)."""

import asyncio

import websockets

from kit import payloads
from kit.registry import Failed, expect, expect_equal, peer_test

PREFIX = "server/websockets"


def connect(server, **options):
    options.setdefault("compression", None)
    return websockets.connect(server.url, max_size=4 << 20, ping_interval=None, **options)


def with_server(name, *options, seconds=60):
    """Registers a coroutine that gets a running echo server, which must end orderly afterwards."""

    def register(body):
        def test(bench):
            server = bench.echo(*options)
            asyncio.run(body(server))
            server.stop()

        peer_test(f"{PREFIX}/{name}", seconds)(test)
        return body

    return register


@with_server("every size comes back")
async def every_size(server):
    async with connect(server) as peer:
        for message in payloads.everything():
            await peer.send(message)
            expect_equal(await peer.recv(), message, f"the echo of {len(message)} {type(message).__name__}")


@with_server("every size comes back in 2 to 500 fragments")
async def fragments(server):
    async with connect(server) as peer:
        for message in (payloads.text_of(1000), payloads.chinese_of(65536), payloads.binary_of(65536)):
            for pieces in (2, 3, 64, 500):
                size = -(-len(message) // pieces)
                await peer.send([message[at:at + size] for at in range(0, len(message), size)])
                expect_equal(await peer.recv(), message, f"the echo of {pieces} fragments")
        await peer.send(["", "", ""])
        expect_equal(await peer.recv(), "", "the echo of three empty fragments")


@with_server("a message that is sent while it is made comes back")
async def streamed(server):
    """The fragments leave one by one; between them other frames go, and the other direction is awaited."""
    async with connect(server) as peer:
        async def parts():
            for part in ("系", "在", "缆绳", "上"):
                yield part
                await (await peer.ping(part))

        await peer.send(parts())
        expect_equal(await peer.recv(), "系在缆绳上", "the echo")


@with_server("pings are answered with their own payload")
async def pings(server):
    async with connect(server) as peer:
        for payload in (b"", b"\x00", "缆".encode(), payloads.binary_of(125)):
            await (await peer.ping(payload))
        waiters = [await peer.ping(str(number)) for number in range(50)]
        await asyncio.gather(*waiters)
        await peer.pong(b"nobody asked")
        await peer.send("still here")
        expect_equal(await peer.recv(), "still here", "the echo after an unasked pong")


@with_server("a close is answered with its code")
async def closes(server):
    for code, reason in ((1000, ""), (1000, "再见"), (1001, ""), (1011, "r" * 123), (1012, ""), (3999, "x"), (4000, "")):
        peer = await connect(server)
        await peer.close(code, reason)
        expect_equal(peer.close_rcvd and peer.close_rcvd.code, code, f"the code that came back for {code}")
        expect(not peer.close_rcvd_then_sent, "the server closed first")


@with_server("1000 messages of mixed kinds, sent and read at the same time", seconds=90)
async def many(server):
    messages = []
    for number in range(1000):
        size = (number * 7919) % 3000 if number % 50 else 100000 + number
        messages.append(payloads.text_of(size) if number % 2 else payloads.binary_of(size))
    async with connect(server) as peer:
        async def send():
            for message in messages:
                await peer.send(message)

        sending = asyncio.create_task(send())
        for number, message in enumerate(messages):
            expect_equal(await peer.recv(), message, f"echo {number}")
        await sending


@with_server("100 connections at once keep apart", "--threads", "2", "--driver", "epoll")
async def concurrent(server):
    async def talk(index):
        async with connect(server) as peer:
            for turn in range(10):
                message = f"{index}/{turn} " + payloads.chinese_of(index * 31 + turn)
                await peer.send(message)
                expect_equal(await peer.recv(), message, f"the echo on connection {index}")

    await asyncio.gather(*(talk(index) for index in range(100)))


@with_server("an offer of permessage-deflate is left unanswered and does no harm")
async def deflate_declined(server):
    """N-09: hawser echo was given no extension, so it answers none."""
    async with connect(server, compression="deflate") as peer:
        expect_equal(peer.response_headers.get("Sec-WebSocket-Extensions"), None, "the answer to permessage-deflate")
        await peer.send(payloads.text_of(5000))
        expect_equal(await peer.recv(), payloads.text_of(5000), "the uncompressed echo")


@with_server("one that stops reading harms no other")
async def not_reading(server):
    """The first peer sends 8 MiB and reads none of the echoes; the second is served meanwhile; nothing is lost."""
    async with connect(server, max_queue=1) as lazy, connect(server) as other:
        big = payloads.binary_of(1 << 18)

        async def send():
            for _ in range(32):
                await lazy.send(big)

        sending = asyncio.create_task(send())
        for number in range(200):
            await other.send(f"served {number}")
            expect_equal(await other.recv(), f"served {number}", "an echo beside the peer that does not read")
        for number in range(32):
            expect_equal(await lazy.recv(), big, f"late echo {number}")
        await sending


def going_away(bench):
    server = bench.echo()

    async def talk():
        peers = [await connect(server) for _ in range(20)]
        for peer in peers:
            await peer.send("up")
            await peer.recv()
        server.terminate()
        for peer in peers:
            try:
                raise Failed(f"a message after SIGTERM: {await peer.recv()!r}")
            except websockets.ConnectionClosed as closed:
                expect_equal(closed.rcvd and closed.rcvd.code, 1001, "the close code after SIGTERM")
            await peer.wait_closed()

    asyncio.run(talk())
    expect_equal(server.wait(server.SECONDS_TO_END), 0, "the exit status after SIGTERM")


peer_test(f"{PREFIX}/SIGTERM says 1001 to every peer")(going_away)


def broadcast(bench):
    """--broadcast: what one sends, every connection gets, in order, the sender too."""
    server = bench.echo("--broadcast")

    async def talk():
        peers = [await connect(server) for _ in range(10)]
        for peer in peers:
            await (await peer.ping())  # the pong proves that the server counts this peer in
        for number in range(100):
            await peers[number % 10].send(f"to all {number}")
            if number % 10 == 9:
                for peer in peers:
                    seen = sorted([await peer.recv() for _ in range(10)])
                    expect_equal(seen, sorted(f"to all {n}" for n in range(number - 9, number + 1)), "ten broadcasts")
        for peer in peers:
            await peer.close()

    asyncio.run(talk())
    server.stop()


peer_test(f"{PREFIX}/--broadcast reaches every connection")(broadcast)

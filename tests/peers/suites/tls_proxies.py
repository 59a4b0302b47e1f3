"""nginx and haproxy between WebSocket's ends: in front of our server, where TLS ends at them, is passed on, or begins anew
behind them, and behind our client. Where Hawser is at one end, a peer that we did not write is at the other."""

import asyncio

import websockets

from kit import payloads
from kit.authority import world
from kit.proxies import haproxy, nginx
from kit.registry import Failed, expect, expect_equal, peer_test
from kit.relay import Relay

from . import connect

PROXIES = {"nginx": nginx, "haproxy": haproxy}


async def talk(url, context):
    """Each kind of message through whatever is between, and a close."""
    async with websockets.connect(url, ssl=context, max_size=4 << 20, ping_interval=None) as peer:
        for message in payloads.everything():
            await peer.send(message)
            expect_equal(await peer.recv(), message, f"the echo of {len(message)} {type(message).__name__}")
        await (await peer.ping("through all of it"))
        await peer.close(4000, "done")
    expect_equal(peer.close_rcvd and peer.close_rcvd.code, 4000, "the code that came back")


async def twenty(url, context):
    async def one(index):
        async with websockets.connect(url, ssl=context, ping_interval=None) as peer:
            for turn in range(5):
                await peer.send(f"{index}/{turn}")
                expect_equal(await peer.recv(), f"{index}/{turn}", f"the echo on connection {index}")

    await asyncio.gather(*map(one, range(20)))


def converse(bench, root, url):
    """Our client."""
    tool = bench.connect(url, "--ca", root.certificate)
    for line in connect.LINES:
        tool.write_line(line)
        expect_equal(tool.next_line(), line, "the line that came back")
    tool.end_input()
    tool.expect_success()
    expect_equal(tool.lines("err"), [], "nothing on standard error without -v")


def all_of_them(bench, root, url):
    asyncio.run(talk(url, root.client_context()))
    asyncio.run(twenty(url, root.client_context()))
    converse(bench, root, url)


def ends_in_front(bench, name):
    with world() as (root, identity):
        server = bench.echo()
        all_of_them(bench, root, PROXIES[name](bench, str(root.folder), server.port, identity))
        server.stop()


def begins_anew(bench, name):
    with world() as (root, identity):
        server = bench.echo(*identity.options, "-v")
        all_of_them(bench, root, PROXIES[name](bench, str(root.folder), server.port, identity, root.certificate))
        # Its certificate counts: one for another host is refused by the proxy, and the server says so.
        other = bench.echo(*root.issue("other", "DNS:other.example").options, "-v")
        url = PROXIES[name](bench, str(root.folder), other.port, identity, root.certificate)
        tool = bench.connect(url, "--ca", root.certificate)
        tool.end_input()
        expect_equal(tool.wait(), 1, "the exit status where the proxy trusts no server")
        expect(any("50" in line for line in tool.lines("err")), tool.lines("err"))
        other.stop()
        server.stop()


def pages_through(bench, name):
    """G1: a page is of the same origin only where the server knows that there is TLS. Behind a proxy that ends it, the
    page's https:// must be allowed by its name, and the refusal says so."""
    async def ask(url, context, origin):
        async with websockets.connect(url, ssl=context, origin=origin) as peer:
            await peer.send("from a page")
            return await peer.recv()

    with world() as (root, identity):
        secure, plain = bench.echo(*identity.options), bench.echo()
        proxy = PROXIES[name]
        url = proxy(bench, str(root.folder), secure.port, identity, root.certificate)
        origin = "https" + url[3:-1]
        expect_equal(asyncio.run(ask(url, root.client_context(), origin)), "from a page", "the echo behind TLS")
        relay = Relay(plain.port)
        url = proxy(bench, str(root.folder), relay.port, identity)
        try:
            asyncio.run(ask(url, root.client_context(), "https" + url[3:-1]))
            raise Failed("a page of another origin was let in")
        except websockets.InvalidStatusCode as refused:
            expect_equal(refused.status_code, 403, "the status where TLS ended before")
        expect(b"allowed_origins" in relay.connections[0].down, "the refusal does not say what mends it")
        secure.stop()
        plain.stop()


def behind(bench, name):
    """Our client, a proxy's TLS, and a server of Python's websockets, over plain and over TLS."""
    with world() as (root, identity):
        for options in ({}, {"ssl": identity.server_context()}):
            server = connect.Server(connect.echo, **options)
            ca = root.certificate if options else None
            converse(bench, root, PROXIES[name](bench, str(root.folder), server.port, identity, ca))
            expect_equal(server.end(), (1000, 1000), "the close codes that the server saw")


def wrong_name(bench, name):
    with world() as (root, _):
        other = root.issue("other", "DNS:other.example")
        server = bench.echo()
        url = PROXIES[name](bench, str(root.folder), server.port, other)
        tool = bench.connect(url, "--ca", root.certificate)
        tool.end_input()
        expect_equal(tool.wait(), 1, "the exit status")
        said = tool.lines("err")
        expect(len(said) == 1 and "it is for other.example, not for 127.0.0.1" in said[0], said)
        tool = bench.connect(url, "--ca", root.certificate, "--server-name", "other.example")
        tool.write_line("by its name")
        expect_equal(tool.next_line(), "by its name", "the line that came back")
        tool.end_input()
        tool.expect_success()
        server.stop()


for each in PROXIES:
    for title, body in {
        "server/NAME in front of it ends TLS": ends_in_front,
        "server/NAME in front of it ends TLS and begins it anew, and verifies": begins_anew,
        "server/NAME in front of it passes the origin of pages on": pages_through,
        "client/NAME in front of websockets, plain and with TLS": behind,
        "client/NAME with a certificate for another host": wrong_name,
    }.items():
        peer_test("tls/" + title.replace("NAME", each), args=(each,))(body)


@peer_test("tls/server/haproxy in front of it passes TLS on")
def passed_on(bench):
    with world() as (root, identity):
        server = bench.echo(*identity.options)
        url = haproxy(bench, str(root.folder), server.port, tcp=True)
        all_of_them(bench, root, "wss" + url[2:])
        server.stop()

"""wss:// in both roles: Python's `websockets` and `websocket-client`, npm `ws`, Chromium. They are what judges here: on the
wire there is nothing to read."""

import asyncio
import contextlib
import ssl

import websocket
import websockets

from kit import payloads
from kit.authority import world
from kit.children import PATIENCE
from kit.registry import Failed, expect, expect_equal, peer_test

from . import connect, npm_ws_client, websocket_client_peer, websockets_client
from .chromium import Browser


@contextlib.contextmanager
def secure_echo(bench, *options):
    """The authority, the server's identity, and the server."""
    with world() as (root, identity):
        server = bench.echo(*identity.options, *options)
        yield root, identity, server
        server.stop()


# ---- websockets ------------------------------------------------------------------------------------------------------
@peer_test("tls/server/websockets sends every size, 1000 messages both ways, and closes", seconds=120)
def from_websockets(bench):
    async def talk(server, context):
        async with websockets.connect(server.url, ssl=context, max_size=4 << 20, ping_interval=None) as peer:
            for message in payloads.everything():
                await peer.send(message)
                expect_equal(await peer.recv(), message, f"the echo of {len(message)} {type(message).__name__}")
            messages = [payloads.binary_of((number * 7919) % 40000) for number in range(1000)]

            async def send():
                for message in messages:
                    await peer.send(message)

            sending = asyncio.create_task(send())
            for number, message in enumerate(messages):
                expect_equal(await peer.recv(), message, f"echo {number}")
            await sending
            await peer.close(4000, "再见")
        expect_equal(peer.close_rcvd.code, 4000, "the code that came back")

    with secure_echo(bench) as (root, _, server):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = root.client_context()
            context.minimum_version = context.maximum_version = version
            asyncio.run(talk(server, context))


@peer_test("tls/server/websockets that stops reading harms no other, and loses nothing")
def not_reading(bench):
    with secure_echo(bench) as (root, _, server):
        context = root.client_context()
        real = websockets_client.connect
        websockets_client.connect = lambda to, **options: real(to, ssl=context, **options)
        try:
            asyncio.run(websockets_client.not_reading(server))
        finally:
            websockets_client.connect = real


@peer_test("tls/client/websockets answers every line")
def to_websockets(bench):
    with world() as (root, identity):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = identity.server_context()
            context.minimum_version = context.maximum_version = version
            server = connect.Server(connect.echo, ssl=context)
            tool = bench.connect(server.url + "/", "--ca", root.certificate)
            for line in connect.LINES:
                tool.write_line(line)
                expect_equal(tool.next_line(), line, "the line that came back")
            tool.end_input()
            tool.expect_success()
            expect_equal(server.end(), (1000, 1000), "the close codes after the end of the input")
            expect_equal(tool.lines("err"), [], "nothing on standard error without -v")


# ---- websocket-client ------------------------------------------------------------------------------------------------
def open_websocket_client(server, root):
    """This version says http:// of its origin on wss:// too, which is another origin, so it is told the right one."""
    return websocket.create_connection(server.url, timeout=PATIENCE, origin=f"https://127.0.0.1:{server.port}",
                                       sslopt={"ca_certs": root.certificate})


@peer_test("tls/server/websocket-client sends every size")
def from_websocket_client(bench):
    with secure_echo(bench) as (root, _, server):
        peer = open_websocket_client(server, root)
        for message in payloads.everything():
            websocket_client_peer.send(peer, message)
            expect_equal(websocket_client_peer.receive(peer), message, f"the echo of {len(message)}")
        expect_equal(websocket_client_peer.close_and_read_answer(peer, 4000, "done"), b"\x0f\xa0", "the close's echo")
        peer.shutdown()
        try:
            websocket.create_connection(server.url, timeout=PATIENCE)
        except ssl.SSLCertVerificationError:
            return
        raise Failed("websocket-client took a certificate that it cannot know: this test would prove nothing")


# ---- npm ws ----------------------------------------------------------------------------------------------------------
def from_npm_ws(bench, name):
    with secure_echo(bench) as (root, _, server):
        bench.node("ws_client.mjs", name, server.url, env={"NODE_EXTRA_CA_CERTS": root.certificate}).expect_success()


for check in ("sizes", "fragments", "many", "concurrent", "closeBehindMessages", "rude"):
    peer_test(f"tls/server/npm-ws/{npm_ws_client.CHECKS[check]}", args=(check,))(from_npm_ws)


@peer_test("tls/client/npm-ws answers every line, pings, bursts, vanishes")
def to_npm_ws(bench):
    with world() as (root, identity):
        server = connect.NpmServer(bench, *identity)
        trust = ("--ca", root.certificate)
        tool = bench.connect(server.url + "/echo", *trust)
        server.next("open")
        for line in connect.LINES:
            tool.write_line(line)
            expect_equal(tool.next_line(), line, "the line that came back")
            expect_equal(server.next("message")["size"], len(line.encode("utf-8")), "bytes that the server heard")
        tool.end_input()
        tool.expect_success()
        expect_equal(server.next("close")["code"], 1000, "the close code")

        tool = bench.connect(server.url + "/pings", *trust)
        server.next("open")
        expect_equal([len(server.next("pong")["data"]) for _ in range(4)], [0, 1, 125, 4], "the payloads of the pongs")
        tool.end_input()
        tool.expect_success()
        server.next("close")

        tool = bench.connect(server.url + "/burst?count=3000", *trust)
        server.next("open")
        tool.wait()
        expect_equal(tool.lines("out"), [f"line {number}" for number in range(3000)], "the burst before a close")
        expect_equal(server.next("close")["code"], 1000, "the answer to the close behind the burst")

        tool = bench.connect(server.url + "/vanish", *trust)
        server.next("open")
        tool.write_line("go")
        expect_equal(tool.wait(), 1, "the exit status after a lost connection")
        expect_equal(len(tool.lines("err")), 1, f"lines of complaint in {tool.lines('err')}")


# ---- Chromium --------------------------------------------------------------------------------------------------------
@peer_test("tls/server/chromium/every size, 50 connections, a clean close", seconds=120)
def chromium(bench):
    with secure_echo(bench) as (_, identity, server):
        browser = Browser(bench, flags=[f"--ignore-certificate-errors-spki-list={identity.fingerprint()}"])
        page = f"https://127.0.0.1:{server.port}/"
        told = browser.play(page, "sizes")
        expect_equal(told, {"sent": 20, "echoed": 20, "closed": [4001, True], "extensions": ""}, "what the page was told")
        told = browser.play(page, "concurrent")
        expect_equal(told, {"codes": [1000] * 50}, "what the page was told of 50 connections")
        browser.close()


@peer_test("tls/server/chromium/one that does not trust it says so by an alert, and others go on", seconds=120)
def chromium_refuses(bench):
    with secure_echo(bench, "-v") as (root, _, server):
        browser = Browser(bench, f"https://127.0.0.1:{server.port}/")
        said = server.find(r"The client gave up with the TLS alert.*\((\d+)\)", "err")
        expect(int(said.group(1)) in (42, 46, 48), said.string)  # bad_certificate, certificate_unknown, unknown_ca
        peer = open_websocket_client(server, root)
        peer.send("unharmed")
        expect_equal(peer.recv(), "unharmed", "the echo beside it")
        peer.close()
        browser.close()

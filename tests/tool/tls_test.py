"""wss:// of the tool against what others wrote: OpenSSL's own programs, Python's ssl, websockets.

    tls_test.py peers|refused|clients|mixed_up HAWSER
"""

import asyncio
import contextlib
import http.client
import pathlib
import socket
import ssl
import subprocess
import sys

import websockets

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "peers"))

from kit.authority import WATCHDOG, Authority, world  # noqa: E402
from kit.children import EchoServer, Program  # noqa: E402
from kit.registry import expect, expect_equal  # noqa: E402

HAWSER = sys.argv[2]


def connect(*words, line="hello"):
    """Status, standard output and standard error of `hawser connect`."""
    made = subprocess.run([HAWSER, "connect", *words], input=line.encode() + b"\n", capture_output=True,
                          timeout=WATCHDOG)
    return made.returncode, made.stdout.decode(), made.stderr.decode()


# ---- peers
def peers():
    """Both roles, TLS 1.2 and 1.3, against Python's ssl and OpenSSL's s_client."""
    with world() as (root, (certificate, key)):
        server = EchoServer(HAWSER, "--cert", certificate, "--key", key)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = ssl.create_default_context(cafile=root.certificate)
            context.minimum_version = context.maximum_version = version
            asyncio.run(exchange(server.url, context))
        said = subprocess.run(["openssl", "s_client", "-quiet", "-verify_return_error", "-CAfile", root.certificate, "-connect",
                               f"127.0.0.1:{server.port}"], input=b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
                              capture_output=True, timeout=WATCHDOG).stdout
        expect(said.startswith(b"HTTP/1.1 200 "), f"s_client got {said[:40]}")
        page = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=WATCHDOG,
                                           context=ssl.create_default_context(cafile=root.certificate))
        page.request("GET", "/")
        expect_equal(page.getresponse().status, 200, "status of the page")
        status, out, err = connect("-v", "--ca", root.certificate, server.url)
        expect_equal((status, out), (0, "hello\n"), err)
        expect("TLS 1.3, " in err and "CN = server" in err, err)
        server.stop()
        path = str(root.folder / "socket")
        local = Program([HAWSER, "echo", "--listen", f"unix:{path}", "--cert", certificate, "--key", key])
        local.find("^listening on wss\\+unix:")
        expect_equal(connect("--ca", root.certificate, f"wss+unix:{path}")[:2], (0, "hello\n"), "over a Unix socket")
        local.kill()
        asyncio.run(serve_with_websockets(root, certificate, key))


async def exchange(url, context):
    async with websockets.connect(url, ssl=context, max_size=None) as ws:
        for size in (0, 1, 125, 16384, 70000, 1 << 20):
            await ws.send(b"x" * size)
            expect_equal(len(await ws.recv()), size, "bytes that came back")


async def serve_with_websockets(root, certificate, key):
    async def echo(ws, _path=None):
        async for message in ws:
            await ws.send(message)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    async with websockets.serve(echo, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        await asyncio.to_thread(converse, root, f"wss://127.0.0.1:{port}")


def converse(root, url):
    tool = Program([HAWSER, "connect", "--ca", root.certificate, url])
    for size in (1, 20_000, 100_000):
        tool.write_line("y" * size)
        expect_equal(len(tool.next_line()), size, "characters that came back")
    tool.end_input()
    tool.expect_success()


# ---- refused
def refused():
    """F1: each certificate that is wrong is one line that says what mends it, and the server goes on."""
    with world() as (root, good):
        other = Authority(root.folder, "other")
        weak = root.issue("weak", "IP:127.0.0.1", key=("rsa:1024",))
        expired = root.issue("expired", "IP:127.0.0.1", days="-1")
        table = [
            (good, (), root, 0, ""),
            (good, ("--server-name", "localhost"), root, 0, ""),
            (good, ("--server-name", "example.org"), root, 1, "127.0.0.1, localhost, not for example.org"),
            (good, (), other, 1, "--ca"),
            (root.issue("elsewhere", "DNS:example.org"), (), root, 1, "it is for example.org, not for 127.0.0.1"),
            (expired, (), root, 1, "it has expired"),
            (other.issue("alien", "IP:127.0.0.1"), (), root, 1, "other"),
        ]
        for (certificate, key), words, trusted, expected, complaint in table:
            server = EchoServer(HAWSER, "--cert", certificate, "--key", key, "-v")
            status, _, err = connect("--ca", trusted.certificate, *words, server.url)
            expect_equal(status, expected, err)
            expect(complaint in err, f"'{complaint}' is not in: {err}")
            expect_equal(len(err.splitlines()), expected, err)
            if expected:
                server.find("TLS alert", "err")
                anyone = connect("--dangerously-accept-any-certificate", *words, server.url)
                expect_equal(anyone[:2], (0, "hello\n"), anyone[2])
            server.stop()
        made = subprocess.run([HAWSER, "echo", *weak.options], capture_output=True, timeout=WATCHDOG)
        expect(made.returncode == 2 and b"too weak; it takes" in made.stderr, made.stderr)


# ---- clients
def clients():
    """A server that wants to know who comes."""
    with world() as (root, (certificate, key)):
        own, own_key = root.issue("client", "DNS:client")
        server = EchoServer(HAWSER, "--cert", certificate, "--key", key, "--client-ca", root.certificate, "-v")
        status, out, err = connect("--ca", root.certificate, "--cert", own, "--key", own_key, server.url)
        expect_equal((status, out), (0, "hello\n"), err)
        server.find("CN = client", "err")
        status, _, err = connect("--ca", root.certificate, server.url)
        expect_equal(status, 1, err)
        expect("--cert" in err or "certificate" in err, err)
        server.find("showed no certificate", "err")
        alien = Authority(root.folder, "alien")
        theirs, their_key = alien.issue("stranger", "DNS:stranger")
        status, _, err = connect("--ca", root.certificate, "--cert", theirs, "--key", their_key, server.url)
        expect_equal(status, 1, err)
        server.find("CN = alien", "err")
        server.stop()


# ---- mixed up
def mixed_up():
    """Plain where TLS is wanted, TLS where plain is, old versions, garbage: one line each, and nobody else is harmed."""
    with world() as (root, (certificate, key)):
        server = EchoServer(HAWSER, "--cert", certificate, "--key", key, "-v")
        waits = socket.create_connection(("127.0.0.1", server.port))  # Says nothing, all the time.
        status, _, err = connect("ws" + server.url[3:])
        expect_equal(status, 1, err)
        expect("Use wss://" in err, err)
        server.find("this port wants wss://", "err")
        for garbage in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x05hello", b"\x80\x2e\x01\x00\x02", bytes(2000)):
            with socket.create_connection(("127.0.0.1", server.port), timeout=WATCHDOG) as peer:
                peer.sendall(garbage)
                with contextlib.suppress(ConnectionResetError):
                    while peer.recv(4096):
                        pass
            server.find(r"refused: 127\.0\.0\.1:\d+: (?!127\.)", "err")
        expect_equal(connect("--ca", root.certificate, server.url)[:2], (0, "hello\n"), "beside all that")
        waits.close()
        server.stop()
        plain = EchoServer(HAWSER, "-v")
        status, _, err = connect("--ca", root.certificate, plain.url)
        expect_equal(status, 2, err)
        expect("write wss://" in err, err)
        status, _, err = connect("wss" + plain.url[2:])
        expect_equal(status, 1, err)
        expect("use ws://" in err, err)
        plain.stop()
        # A server that is too old, and one whose pages are no WebSocket.
        for words, complaint in ((("-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"), "version"), (("-www",), "HTTP/1.1")):
            with socket.create_server(("127.0.0.1", 0)) as taken:
                port = taken.getsockname()[1]
            old = Program(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", certificate, "-key", key, *words])
            old.find("ACCEPT")
            status, _, err = connect("--ca", root.certificate, f"wss://127.0.0.1:{port}")
            expect_equal(status, 1, err)
            expect(complaint in err, err)
            old.kill()


if __name__ == "__main__":
    globals()[sys.argv[1]]()

"""examples/asio, the protocol under a loop that is not ours, against peers that are not ours.

    embedding_test.py BUILD
"""

import asyncio
import http
import os
import pathlib
import socket
import sys
import zlib

import websocket
import websockets

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "peers"))

from kit.children import EchoServer, Program  # noqa: E402
from kit.raw import RawClient, masked  # noqa: E402

SIZES = (0, 1, 125, 126, 65535, 65536, 1 << 20)


def serve(build, *identity):
    program = Program([f"{build}/examples/asio/echo_server", "127.0.0.1", "0", *identity])
    program.url = program.find(r"wss?://\S+").group(0)
    program.port = int(program.url.rsplit(":", 1)[1])
    return program


async def asyncio_client(url, tls=None):
    """Python's websockets: compressed, in fragments, pings, a clean end."""
    async with websockets.connect(url, max_size=None, ssl=tls) as ws:
        assert ws.extensions, "permessage-deflate was not agreed"
        for size in SIZES:
            for message in ("x" * size, os.urandom(size)):
                await ws.send(message)
                assert await ws.recv() == message, f"{size} bytes came back otherwise"
        await ws.send(["in ", "three ", "pieces"])
        assert await ws.recv() == "in three pieces"
        await asyncio.wait_for(await ws.ping(b"there?"), 20)
    assert ws.close_code == 1000, ws.close_code
    ws = await websockets.connect(url, compression=None, max_size=None, ssl=tls)
    for size in SIZES:
        message = os.urandom(size)
        await ws.send(message)
        assert await ws.recv() == message, f"{size} plain bytes came back otherwise"
    await ws.send(bytes((1 << 20) + 1))
    try:
        await ws.recv()
        raise AssertionError("a message over the limit came back")
    except websockets.ConnectionClosedError as e:
        assert e.rcvd.code == 1009, e


def blocking_client(url, tls=None, **options):
    """Python's websocket-client."""
    ws = websocket.create_connection(url, timeout=20, sslopt=tls, **options)
    for message in ("hello", "x" * 70000):
        ws.send(message)
        assert ws.recv() == message
    ws.send_binary(b"\x00\xff")
    assert ws.recv() == b"\x00\xff"
    ws.ping("there?")
    assert ws.recv_data(control_frame=True) == (websocket.ABNF.OPCODE_PONG, b"there?")
    ws.close()


def our_client(build, url, *options):
    ours = Program([f"{build}/hawser", "connect", "-v", "--extension", "x-hawser-checksum", "--deflate", "small",
                    *options, url])
    ours.find("x-hawser-checksum", "err")
    ours.write_line("a letter " * 100)
    assert ours.next_line() == "a letter " * 100
    ours.end_input()
    ours.expect_success()


def refusals(port):
    for request, status in ((b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 400),
                            (b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n", 421),
                            (b"nonsense\r\n\r\n", 400)):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as s:
            s.sendall(request)
            answer = b""
            while piece := s.recv(4096):
                answer += piece
            assert answer.startswith(b"HTTP/1.1 %d " % status), answer
            assert answer.count(b"HTTP/1.1 ") == 1, answer


def reads_nothing(server, tls=None):
    """Who sends and does not read is not read from for ever."""
    batch = masked(b"\x82\x7e" + (1000).to_bytes(2, "big") + bytes(1000)) * 100
    ws = RawClient(server.port, tls=tls)
    ws._socket.settimeout(1)
    batches = 0
    try:
        while batches < 1000:
            ws._socket.sendall(batch)
            batches += 1
    except socket.timeout:
        pass
    assert batches < 1000, "100 MB were taken from who reads nothing"
    ws.close()


def reads_late(server, tls=None):
    """What was sent in little and comes back large waits where it is, and all of it comes once it is read."""
    count = 20000
    packed = zlib.compressobj(wbits=-15)
    small = (packed.compress(bytes(1000)) + packed.flush(zlib.Z_SYNC_FLUSH))[:-4]
    ws = RawClient(server.port, "Sec-WebSocket-Extensions: permessage-deflate", tls=tls)
    ws._socket.sendall(masked(bytes([0xC2, len(small)]) + small) * count)
    wanted = (b"\x82\x7e" + (1000).to_bytes(2, "big") + bytes(1000)) * count
    seen = bytearray(ws._left)
    while len(seen) < len(wanted):
        piece = ws._socket.recv(1 << 20)
        assert piece, "the server ended instead of an echo"
        seen += piece
    assert seen == wanted, "20 MB came back otherwise"
    peak = next(line for line in open(f"/proc/{server.process.pid}/status") if line.startswith("VmHWM"))
    assert int(peak.split()[1]) < 20480, f"and were kept: {peak}"
    ws.close()


def as_server(build):
    server = serve(build)
    asyncio.run(asyncio_client(server.url))
    blocking_client(server.url)
    our_client(build, server.url)
    refusals(server.port)
    reads_nothing(server)
    reads_late(server)
    greeter = Program([f"{build}/examples/asio/client", server.url])
    greeter.expect_success()
    page = (ROOT / "docs" / "embedding.md").read_text(encoding="utf-8")
    shown = page.split("$ build/release/examples/asio/client ws://127.0.0.1:9001/\n", 1)[1].split("\n```", 1)[0]
    assert greeter.lines() == shown.splitlines(), greeter.lines()
    server.terminate()
    server.expect_success()


def as_client(build):
    """Against our server, with both extensions; and against one that is not ours, which compresses and also refuses."""
    ours = EchoServer(f"{build}/hawser", "--extension", "x-hawser-checksum", "--deflate", "small")
    greeter = Program([f"{build}/examples/asio/client", ours.url])
    greeter.expect_success()
    agreed, *rest = greeter.lines()
    assert agreed.startswith("agreed: x-hawser-checksum, permessage-deflate"), agreed
    assert rest == ["received: hello", "closed: 1000"], rest
    ours.stop()
    asyncio.run(with_their_server(build))


async def with_their_server(build):
    async def echo(ws):
        async for message in ws:
            await ws.send(message)

    async def refuse(path, _):
        return (http.HTTPStatus.FORBIDDEN, [], b"no") if path == "/no" else None

    async with websockets.serve(echo, "127.0.0.1", 0, process_request=refuse) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        loop = asyncio.get_running_loop()
        greeter = Program([f"{build}/examples/asio/client", url])
        await loop.run_in_executor(None, greeter.expect_success)
        agreed, *rest = greeter.lines()
        assert agreed.startswith("agreed: permessage-deflate"), agreed
        assert rest == ["received: hello", "closed: 1000"], rest
        refused = Program([f"{build}/examples/asio/client", f"{url}/no"])
        assert await loop.run_in_executor(None, refused.wait) == 1
        assert "403" in refused.lines("err")[0], refused.lines("err")


if __name__ == "__main__":
    as_server(sys.argv[1])
    as_client(sys.argv[1])

"""examples/asio with TLS on it, against peers that are not ours.

    embedding_tls_test.py BUILD
"""

import asyncio
import http
import re
import shlex
import socket
import ssl
import subprocess
import sys

import websockets

import embedding_test as plain
from embedding_test import ROOT, EchoServer, Program, RawClient, masked
from kit import authority, wire
from kit.raw import RawServer, accept_of

CLOSE = b"\x88\x02\x03\xe8"


class ByHand:
    """One end whose records go onto the wire as the test likes: `flush` sends what TLS has made so far."""

    def __init__(self, connected, context, piece=1 << 20, **side):
        self._in, self._out, self._piece = ssl.MemoryBIO(), ssl.MemoryBIO(), piece
        self._tls = context.wrap_bio(self._in, self._out, **side)
        self.socket = connected
        self.socket.settimeout(30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._until(self._tls.do_handshake)

    def _until(self, call, *arguments):
        while True:
            try:
                result = call(*arguments)
                self.flush()
                return result
            except ssl.SSLWantReadError:
                self.flush()
                came = self.socket.recv(65536)
                self._in.write(came) if came else self._in.write_eof()

    def flush(self):
        made = self._out.read()
        for at in range(0, len(made), self._piece):
            self.socket.sendall(made[at:at + self._piece])

    def write(self, data):
        self._tls.write(data)

    def read(self, size):
        seen = b""
        while len(seen) < size:
            seen += self._until(self._tls.read, size - len(seen))
        return seen

    def say_end(self):
        """close_notify, which is not sent yet."""
        try:
            self._tls.unwrap()
        except ssl.SSLWantReadError:
            pass

    def expect_end(self):
        """The other end says close_notify, and only then ends its stream."""
        try:
            assert self._until(self._tls.read, 1) == b""
        except ssl.SSLZeroReturnError:
            pass
        assert self.socket.recv(1) == b""

    def head(self):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.read(1)
        return head.decode()


class ClientByHand(ByHand):
    """The same, as a client of the server at `port`."""

    def __init__(self, port, context, piece=1 << 20):
        super().__init__(socket.create_connection(("127.0.0.1", port)), context, piece, server_hostname="127.0.0.1")

    def upgrade(self):
        self.write(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                   b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
        self.flush()
        head = self.head()
        assert head.startswith("HTTP/1.1 101 "), head


def byte_by_byte(server, context):
    """Records that come one byte at a time; TLS 1.2 and 1.3."""
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context.minimum_version = context.maximum_version = version
        peer = ClientByHand(server.port, context, piece=1)
        peer.upgrade()
        peer.write(masked(b"\x81\x05hello"))
        assert peer.read(7) == b"\x81\x05hello"
        peer.socket.close()


def ends_in_one_piece(server, context):
    """A message, the close frame and close_notify in one segment; the stream below stays open. All of it is worked in."""
    peer = ClientByHand(server.port, context)
    peer.upgrade()
    peer.write(masked(b"\x81\x04last") + masked(CLOSE))
    peer.say_end()
    peer.flush()
    assert peer.read(10) == b"\x81\x04last" + CLOSE
    peer.expect_end()
    peer.socket.close()


def says_its_end(server, context):
    """The server ends TLS too, so that nobody can cut something off unseen."""
    ws = RawClient(server.port, tls=context)
    ws.send_frames(CLOSE)
    assert ws.next_frame().opcode == wire.CLOSE
    assert ws._socket.recv(1) == b"", "close_notify"  # Raises when the stream just ends.
    ws.close()


def words_of_server(build, root, identity, stranger):
    """Who is not let in is one line of the server's, and no other connection's business."""
    server = plain.serve(build, *identity)
    silent = socket.create_connection(("127.0.0.1", server.port))  # Stalls its handshake all the while.
    deceived = stranger.client_context()
    try:
        RawClient(server.port, tls=deceived)
        raise AssertionError("a client trusted a stranger's certificate")
    except ssl.SSLCertVerificationError:
        assert "unknown CA" in server.next_line("err")
    for bytes_in, answer, words in (
            (b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 400 Use wss:// on this port\r\n", "wants wss://, not ws://"),
            (b"\x00nonsense", b"", "wants wss://, not ws://"),
            (b"\x16\x03\x01\x00\x05nonsense", None, "The client sent what is no sound TLS, in the handshake (unexpected message)")):
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as s:
            s.sendall(bytes_in)
            seen = s.recv(4096)
            assert answer is None or seen.startswith(answer) and bool(seen) == bool(answer), (bytes_in, seen)
        line = server.next_line("err")
        assert words in line, (bytes_in, line)
    welcome = ClientByHand(server.port, root.client_context())
    welcome.upgrade()
    welcome.socket.close()
    silent.close()
    server.terminate()
    server.expect_success()


def as_server(build, root, identity):
    server = plain.serve(build, *identity)
    assert server.url.startswith("wss://"), server.url
    context = authority.strict(root.client_context())
    asyncio.run(plain.asyncio_client(server.url, context))
    plain.blocking_client(server.url, {"ca_certs": root.certificate},
                          origin=f"https://127.0.0.1:{server.port}")  # Its own says http, even here.
    plain.our_client(build, server.url, "--ca", root.certificate)
    greeter = client(build, f"wss://localhost:{server.port}/", root)
    greeter.expect_success()
    assert greeter.lines()[1:] == ["received: hello", "closed: 1000"], greeter.lines()
    ends_in_one_piece(server, context)
    says_its_end(server, context)
    plain.reads_nothing(server, context)
    plain.reads_late(server, context)
    byte_by_byte(server, root.client_context())
    server.terminate()
    server.expect_success()
    assert server.lines("err") == [], server.lines("err")
    missing = Program([f"{build}/examples/asio/echo_server", "127.0.0.1", "0", "nowhere.pem", identity.key])
    assert missing.wait() == 2 and "nowhere.pem" in missing.lines("err")[0], missing.lines("err")


def client(build, url, trusted):
    return Program([f"{build}/examples/asio/client", url, trusted.certificate])


def refused(build, url, trusted, words):
    greeter = client(build, url, trusted)
    assert greeter.wait() == 1, greeter.lines()
    assert words in greeter.lines("err")[0], (words, greeter.lines("err"))


def as_the_page_says(build, folder, stranger):
    """The commands of the page, and what it says they print."""
    page = (ROOT / "docs" / "embedding.md").read_text(encoding="utf-8")
    words = re.search(r"^openssl (req .*?[^\\])\n", page, re.M | re.S).group(1).replace("\\\n", " ")
    subprocess.run(["openssl", *shlex.split(words)], cwd=folder, check=True, capture_output=True, timeout=30)
    made = authority.Identity(f"{folder}/server.pem", f"{folder}/server.key")
    server = plain.serve(build, *made)
    url = f"wss://localhost:{server.port}/"
    client(build, url, made).expect_success()
    deceived = client(build, url, stranger)
    assert deceived.wait() == 1
    shown = "\n".join(deceived.lines() + deceived.lines("err")) + "\n"
    assert shown in page, f"docs/embedding.md shows something else than this:\n{shown}"
    server.kill()


def words_of_client(build, root, identity, stranger):
    """Why it was not connected, in words."""
    secret = EchoServer(f"{build}/hawser", *identity.options)
    refused(build, secret.url, stranger, "its authority, CN = root, is not among those trusted here")
    refused(build, secret.url.replace("wss", "ws"), root, "400 Use wss:// on this port")
    secret.stop()
    misplaced = EchoServer(f"{build}/hawser", *root.issue("elsewhere", "DNS:example.org").options)
    refused(build, misplaced.url, root, "is refused: it is for")
    misplaced.stop()
    open_to_all = EchoServer(f"{build}/hawser")
    refused(build, open_to_all.url.replace("ws", "wss"), root, "does not speak TLS on this port")
    open_to_all.stop()


def ends_of_servers(build, root, identity):
    """A server that ends TLS is left in peace, and told so in turn; one whose stream just ends has cut something off."""
    server = RawServer(tls=authority.strict(identity.server_context()))
    greeter = client(build, server.url, root)
    server.accept()
    assert server.next_frame().opcode == wire.TEXT
    server.send(b"\x81\x02hi")
    assert server.next_frame().opcode == wire.CLOSE
    server.send(CLOSE)
    server._socket.unwrap()  # Raises unless the client says close_notify too.
    server.close()
    greeter.expect_success()

    greeter = client(build, server.url, root)
    server.accept()
    assert server.next_frame().opcode == wire.TEXT
    socket.socket.shutdown(server._socket, socket.SHUT_WR)
    assert greeter.wait() == 1 and greeter.lines()[-1] == "closed: 1006", greeter.lines()
    assert "cut off without the end that TLS has" in greeter.lines("err")[0], greeter.lines("err")
    server.close()


def ends_of_server_in_one_piece(build, root, identity):
    """A message, the close and close_notify in one segment; the stream below stays open, and nothing comes behind. A client
    that waited for its end would do so for a minute, which is longer than it is given here."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        greeter = client(build, f"wss://127.0.0.1:{listener.getsockname()[1]}/", root)
        server = ByHand(listener.accept()[0], identity.server_context(), server_side=True)
        key = re.search(r"^Sec-WebSocket-Key: (\S+)", server.head(), re.M).group(1)
        server.write(f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     f"Sec-WebSocket-Accept: {accept_of(key)}\r\n\r\n".encode())
        server.write(b"\x81\x04last" + CLOSE)
        server.say_end()
        server.flush()
        greeter.expect_success()
        assert greeter.lines()[1:] == ["received: last", "closed: 1000"], greeter.lines()
        server.socket.close()


async def with_their_server(build, root, identity):
    async def echo(ws):
        async for message in ws:
            await ws.send(message)

    async def refuse(path, _):
        return (http.HTTPStatus.FORBIDDEN, [], b"no") if path == "/no" else None

    async with websockets.serve(echo, "127.0.0.1", 0, process_request=refuse, ssl=identity.server_context()) as server:
        url = f"wss://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        loop = asyncio.get_running_loop()
        greeter = client(build, url, root)
        await loop.run_in_executor(None, greeter.expect_success)
        agreed, *rest = greeter.lines()
        assert agreed.startswith("agreed: permessage-deflate"), agreed
        assert rest == ["received: hello", "closed: 1000"], rest
        await loop.run_in_executor(None, refused, build, f"{url}/no", root, "403")


def main(build):
    with authority.world() as (root, identity):
        stranger = authority.Authority(root.folder, "stranger")
        as_server(build, root, identity)
        words_of_server(build, root, identity, stranger)
        as_the_page_says(build, root.folder, stranger)
        words_of_client(build, root, identity, stranger)
        ends_of_servers(build, root, identity)
        ends_of_server_in_one_piece(build, root, identity)
        asyncio.run(with_their_server(build, root, identity))


if __name__ == "__main__":
    main(sys.argv[1])

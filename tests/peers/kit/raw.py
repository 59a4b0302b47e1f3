"""A bare client for what no peer can be made to send: handshake and frames as given, answers as recorded bytes."""

import base64
import hashlib
import os
import socket

from . import wire
from .registry import Failed, expect, expect_equal

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def accept_of(key):
    return base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()


class RawClient:
    def __init__(self, port, *fields, path="/", seconds=30.0, tls=None):
        self.key = base64.b64encode(os.urandom(16)).decode()
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=seconds)
        if tls is not None:
            self._socket = tls.wrap_socket(self._socket, server_hostname="127.0.0.1", suppress_ragged_eofs=False)
        self._left = b""
        lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Upgrade: websocket", "Connection: Upgrade",
                 f"Sec-WebSocket-Key: {self.key}", "Sec-WebSocket-Version: 13", *fields, "", ""]
        self._socket.sendall("\r\n".join(lines).encode("latin-1"))
        head = None
        while head is None:
            self._more("the response head")
            head, self._left = wire.split_head(self._left)
        self.response = head
        self.status = int(head.first.split(" ")[1])
        if self.status == 101:
            expect_equal(head.one("Sec-WebSocket-Accept"), accept_of(self.key), "Sec-WebSocket-Accept")

    def _more(self, what):
        try:
            data = self._socket.recv(65536)
        except socket.timeout:
            raise Failed(f"silence instead of {what}") from None
        if not data:
            raise Failed(f"the connection ended instead of {what}")
        self._left += data

    def send_frames(self, *plain_frames):
        """Sends frames that are given without a mask, each under a fresh key, in one write."""
        self._socket.sendall(b"".join(map(masked, plain_frames)))

    def next_frame(self, what="a frame"):
        while True:
            found, _ = wire.frames(self._left)
            if found:
                self._left = self._left[len(found[0].plain):]  # a server's frames carry no mask
                return found[0]
            self._more(what)

    def expect_close(self, code, what):
        frame = self.next_frame(f"a close with {code}")
        expect_equal((frame.opcode, frame.close_code), (wire.CLOSE, code), what)
        self._socket.close()

    def close(self):
        self._socket.close()


class RawServer:
    """The same for one client: a handshake answered as given, frames as given."""

    def __init__(self, seconds=30.0, tls=None):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(seconds)
        self.url = f"ws{'s' if tls else ''}://127.0.0.1:{self._listener.getsockname()[1]}/"
        self._left, self._seconds, self._tls = b"", seconds, tls

    def accept(self, *fields):
        self._socket, _ = self._listener.accept()
        self._socket.settimeout(self._seconds)
        if self._tls is not None:
            self._socket = self._tls.wrap_socket(self._socket, server_side=True, suppress_ragged_eofs=False)
        head = None
        while head is None:
            expect(self._more(), "the connection ended instead of a request")
            head, self._left = wire.split_head(self._left)
        self.request = head
        lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
                 f"Sec-WebSocket-Accept: {accept_of(head.one('Sec-WebSocket-Key'))}", *fields, "", ""]
        self._socket.sendall("\r\n".join(lines).encode("latin-1"))

    def _more(self):
        try:
            data = self._socket.recv(65536)
        except ConnectionResetError:
            return False
        self._left += data
        return bool(data)

    def send(self, *frames):
        self._socket.sendall(b"".join(frames))

    def next_frame(self):
        while True:
            found, _ = wire.frames(self._left)
            if found:
                size = len(found[0].plain) + 4  # a client's frames carry a mask
                self._left = self._left[size:]
                return found[0]
            expect(self._more(), "the connection ended instead of a frame")

    def rest(self):
        """All frames until the client is gone."""
        while self._more():
            pass
        return wire.frames(self._left)[0]

    def close(self):
        self._socket.close()


def plain(first, payload):
    """A frame without a mask: the first byte as given, the shortest length."""
    size = len(payload)
    if size < 126:
        return bytes([first, size]) + payload
    return bytes([first, 126 if size < 65536 else 127]) + size.to_bytes(2 if size < 65536 else 8, "big") + payload


def masked(frame):
    """The same frame as a client has to write it."""
    width = {126: 2, 127: 8}.get(frame[1], 0)
    key = os.urandom(4)
    return frame[:1] + bytes([frame[1] | 0x80]) + frame[2:2 + width] + key + wire.unmask(frame[2 + width:], key)

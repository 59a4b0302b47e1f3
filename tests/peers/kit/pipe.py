"""A program whose standard streams are one stream of bytes, such as openssl s_client: WebSocket is spoken through it by
hand."""

import base64
import os
import subprocess
import threading
import time

from . import wire
from .raw import accept_of, masked
from .registry import Failed, expect_equal

SECONDS = 30.0  # only a failure takes so long


class Pipe:
    def __init__(self, *argv):
        self.name = f"{argv[0]} {argv[1]}"
        self._process = subprocess.Popen([str(word) for word in argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         stderr=subprocess.STDOUT)
        self.seen = bytearray()
        self.ended = False
        self._at = 0
        self._changed = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while data := os.read(self._process.stdout.fileno(), 65536):
            with self._changed:
                self.seen += data
                self._changed.notify_all()
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    def write(self, data):
        try:
            self._process.stdin.write(data)
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # what it said to the end tells more

    def find(self, mark):
        """Waits until it has printed `mark`, and passes over everything up to there."""
        until = time.monotonic() + SECONDS
        with self._changed:
            while (at := self.seen.find(mark, self._at)) < 0:
                left = until - time.monotonic()
                if self.ended or left <= 0:
                    raise Failed(f"{self.name} did not print {mark!r} but\n{self.text()}")
                self._changed.wait(left)
            self._at = at + len(mark)
            return bytes(self.seen[self._at:])

    def text(self):
        return self.seen.decode("utf-8", "replace")

    def wait(self):
        """Everything it printed, once it has ended."""
        until = time.monotonic() + SECONDS
        with self._changed:
            while not self.ended:
                left = until - time.monotonic()
                if left <= 0:
                    raise Failed(f"{self.name} does not end\n{self.text()}")
                self._changed.wait(left)
        return self.text()

    def kill(self):
        self._process.kill()
        self._process.wait()

    # ---- WebSocket
    def upgrade(self, host):
        """As a client."""
        key = base64.b64encode(os.urandom(16)).decode()
        lines = ["GET / HTTP/1.1", f"Host: {host}", "Upgrade: websocket", "Connection: Upgrade",
                 f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", "", ""]
        self.write("\r\n".join(lines).encode())
        self.find(b"HTTP/1.1 101 ")
        self.find(f"Sec-WebSocket-Accept: {accept_of(key)}".encode())

    def accept(self):
        """As a server."""
        self.find(b"Sec-WebSocket-Key: ")
        rest = self.find(b"\r\n")
        key = bytes(self.seen[:len(self.seen) - len(rest) - 2]).rsplit(b" ", 1)[1].decode()
        self.write("\r\n".join(["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
                                f"Sec-WebSocket-Accept: {accept_of(key)}", "", ""]).encode())

    def echo_of(self, payload):
        """As a client: sends a text message and waits for the same back."""
        frame = bytes([0x81, len(payload)]) + payload  # up to 125 bytes
        self.write(masked(frame))
        self.find(frame)

    def expect_text(self, payload):
        """As a server: waits for a text message of a client."""
        until = time.monotonic() + SECONDS
        first = bytes([0x81, 0x80 | len(payload)])
        with self._changed:
            while True:
                at = self.seen.find(first, self._at)
                if at >= 0 and len(self.seen) >= at + 6 + len(payload):
                    break
                left = until - time.monotonic()
                if self.ended or left <= 0:
                    raise Failed(f"{self.name} passed on no frame of {len(payload)} bytes\n{self.text()}")
                self._changed.wait(left)
            self._at = at + 6 + len(payload)
            heard = wire.unmask(bytes(self.seen[at + 6:self._at]), bytes(self.seen[at + 2:at + 6]))
        expect_equal(heard, payload, "the payload of a client's frame")

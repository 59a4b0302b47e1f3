"""A TCP relay that records every byte it passes: the witness between a peer and Hawser."""

import socket
import threading
import time

from .registry import Failed
from .wire import frames, split_head, transcript, unmask

KEY = b"\x37\xfa\x21\x3d"  # as good as any where nobody listens


class Connection:
    """One relayed connection. `up` is what the connecting side sent, `down` what came back."""

    def __init__(self, relay, near, far):
        self._relay = relay
        self.up, self.down, self.open_ends = bytearray(), bytearray(), 2
        for source, target, log in ((near, far, self.up), (far, near, self.down)):
            threading.Thread(target=self._pump, args=(source, target, log), daemon=True).start()

    def _pump(self, source, target, log):
        passed_on = self._relay.passing()
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                with self._relay.changed:  # recorded before it is passed on: who got it can rely on the record
                    log += data
                    self._relay.changed.notify_all()
                target.sendall(passed_on(data))
        except OSError:
            pass
        for end, how in ((target, socket.SHUT_WR), (source, socket.SHUT_RD)):
            try:
                end.shutdown(how)
            except OSError:
                pass
        with self._relay.changed:
            self.open_ends -= 1
            self._relay.changed.notify_all()

    def transcript(self):
        with self._relay.changed:
            return transcript(bytes(self.up), bytes(self.down))


class Relay:
    """Listens on a free port and passes each connection on to `port`."""

    def __init__(self, port, host="127.0.0.1"):
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.changed = threading.Condition()
        self.connections = []
        threading.Thread(target=self._accept, daemon=True).start()

    def passing(self):
        """For one direction of one connection: a function that says what is passed on for what came."""
        return lambda data: data

    def _accept(self):
        while True:
            near, _ = self._listener.accept()
            try:
                far = socket.create_connection(self._target)
            except OSError:
                near.close()  # as the target itself would refuse
                continue
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.changed:
                self.connections.append(Connection(self, near, far))
                self.changed.notify_all()

    def wait(self, condition, what, seconds=30.0):
        """Waits until `condition(connections)` is true; looks again whenever bytes came or an end closed."""
        until = time.monotonic() + seconds
        with self.changed:
            while True:
                result = condition(self.connections)
                if result:
                    return result
                left = until - time.monotonic()
                if left <= 0:
                    raise Failed(f"not seen on the wire in {seconds} s: {what}")
                self.changed.wait(left)

    def closed(self, index=0):
        """The transcript of a connection, once both of its directions have ended."""
        self.wait(lambda all_of_them: len(all_of_them) > index and all_of_them[index].open_ends == 0,
                  f"the end of connection {index}")
        return self.connections[index].transcript()


class FragmentingRelay(Relay):
    """Passes data frames on in fragments: a byte, nothing, the middle in two, the last two bytes. What it records is what
    came."""

    def passing(self):
        return Fragmenter().pass_on


class Fragmenter:
    def __init__(self):
        self._left, self._in_frames = b"", False

    def pass_on(self, data):
        self._left += data
        if self._in_frames:
            return self._frames()
        head, rest = split_head(self._left)
        if head is None:
            return b""
        head_bytes, self._left, self._in_frames = self._left[:len(self._left) - len(rest)], rest, True
        return head_bytes + self._frames()

    def _frames(self):
        found, self._left = frames(self._left)
        return b"".join(map(self._cut, found))

    @staticmethod
    def _cut(frame):
        if frame.opcode >= 8 or not frame.payload:
            return written(frame.fin, frame.rsv, frame.opcode, frame.payload, frame.masked)
        size = len(frame.payload)
        ends = sorted({0, min(1, size), size // 2, max(size - 2, 0)}) + [size]
        pieces = [frame.payload[a:b] for a, b in zip(ends, ends[1:])]
        pieces.insert(1, b"")
        return b"".join(written(frame.fin and at == len(pieces) - 1, 0 if at else frame.rsv, 0 if at else frame.opcode, piece,
                                frame.masked) for at, piece in enumerate(pieces))


def written(fin, rsv, opcode, payload, mask):
    """A frame on the wire."""
    size = len(payload)
    length = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big") if size < 1 << 16 \
        else b"\x7f" + size.to_bytes(8, "big")
    first = bytes([fin << 7 | rsv << 4 | opcode])
    if not mask:
        return first + length + payload
    return first + bytes([length[0] | 0x80]) + length[1:] + KEY + unmask(payload, KEY)

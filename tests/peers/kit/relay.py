"""A TCP relay that records every byte it passes: the witness between a peer and Hawser."""

import socket
import threading
import time

from .registry import Failed
from .wire import transcript


class Connection:
    """One relayed connection. `up` is what the connecting side sent, `down` what came back."""

    def __init__(self, relay, near, far):
        self._relay = relay
        self.up, self.down, self.open_ends = bytearray(), bytearray(), 2
        for source, target, log in ((near, far, self.up), (far, near, self.down)):
            threading.Thread(target=self._pump, args=(source, target, log), daemon=True).start()

    def _pump(self, source, target, log):
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                with self._relay.changed:  # recorded before it is passed on: who got it can rely on the record
                    log += data
                    self._relay.changed.notify_all()
                target.sendall(data)
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

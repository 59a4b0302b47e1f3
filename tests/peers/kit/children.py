"""Child processes that are waited for by what they print, never by time."""

import collections
import os
import re
import signal
import subprocess
import threading
import time

from .registry import Failed, expect, expect_equal

PATIENCE = 30.0  # seconds until a missing line counts as missing; never a pause


class Program:
    """A child process. Its standard output and error are read as lines by two threads."""

    def __init__(self, argv, name=None, cwd=None, env=None, preexec=None, keep_files=()):
        self.name = name or os.path.basename(argv[0])
        self._lines = {"out": [], "err": []}
        self._raw = {"out": bytearray(), "err": bytearray()}
        self._next = collections.Counter()
        self._ended = set()
        self._changed = threading.Condition()
        environment = dict(os.environ, **(env or {}))
        environment["PYTHONUNBUFFERED"] = "1"
        self.process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            cwd=cwd, env=environment, preexec_fn=preexec, pass_fds=keep_files)
        for stream, pipe in (("out", self.process.stdout), ("err", self.process.stderr)):
            threading.Thread(target=self._read, args=(stream, pipe), daemon=True).start()

    def _read(self, stream, pipe):
        for line in pipe:
            with self._changed:
                self._raw[stream] += line
                self._lines[stream].append(line.rstrip(b"\r\n").decode("utf-8", "replace"))
                self._changed.notify_all()
        with self._changed:
            self._ended.add(stream)
            self._changed.notify_all()

    def next_line(self, stream="out", seconds=PATIENCE):
        """The next line that nobody has taken yet."""
        return self.find("", stream, seconds).string

    def find(self, pattern, stream="out", seconds=PATIENCE):
        """Waits for a line in which `pattern` is found, passing over the lines before it; returns the match."""
        regex = re.compile(pattern)
        until = time.monotonic() + seconds
        with self._changed:
            while True:
                while self._next[stream] < len(self._lines[stream]):
                    line = self._lines[stream][self._next[stream]]
                    self._next[stream] += 1
                    match = regex.search(line)
                    if match:
                        return match
                if stream in self._ended:
                    raise Failed(f"{self.name} ended without a line like /{pattern}/\n{self._log()}")
                left = until - time.monotonic()
                if left <= 0:
                    raise Failed(f"{self.name} printed no line like /{pattern}/ in {seconds} s\n{self._log()}")
                self._changed.wait(left)

    def write_line(self, text):
        self.write(text.encode("utf-8") + b"\n")

    def write(self, data):
        try:
            self.process.stdin.write(data)
            self.process.stdin.flush()
        except BrokenPipeError:
            self.wait()
            raise Failed(f"{self.name} reads no more\n{self._log()}") from None

    def end_input(self):
        self.process.stdin.close()

    def wait(self, seconds=PATIENCE):
        """Waits for the end of the process and of its output; returns its exit status."""
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name} did not end in {seconds} s\n{self._log()}") from None
        until = time.monotonic() + seconds
        with self._changed:
            while self._ended != {"out", "err"} and time.monotonic() < until:
                self._changed.wait(until - time.monotonic())
        return status

    def expect_success(self, seconds=PATIENCE):
        status = self.wait(seconds)
        if status != 0:
            raise Failed(f"{self.name} ended with status {status}\n{self._log()}")

    def lines(self, stream="out"):
        with self._changed:
            return list(self._lines[stream])

    def raw(self, stream="out"):
        with self._changed:
            return bytes(self._raw[stream])

    def terminate(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def _log(self):
        parts = []
        for stream in ("out", "err"):
            parts += [f"  {self.name} {stream}: {line[:300]}" for line in self._lines[stream][-20:]]
        return "\n".join(parts)


class EchoServer(Program):
    """`hawser echo --listen` on a free port of the loopback interface."""

    # The tool promises five seconds; the rest is for a busy machine.
    SECONDS_TO_END = 15

    def __init__(self, hawser, *options, host="127.0.0.1"):
        super().__init__([hawser, "echo", "--listen", f"{host}:0", *options], name="hawser echo")
        match = self.find(r"^listening on (wss?://(.+):(\d+))/?$")
        self.url, self.host, self.port = match.group(1) + "/", match.group(2), int(match.group(3))
        expect_equal(self.host, host, "the host that hawser echo printed")

    def stop(self):
        """SIGTERM must end it, orderly."""
        expect(self.process.poll() is None, f"hawser echo ended by itself\n{self._log()}")
        self.terminate()
        expect_equal(self.wait(self.SECONDS_TO_END), 0, "exit status of hawser echo after SIGTERM")


class Bench:
    """What a test gets: the tool under test, and children that die with the test."""

    def __init__(self, hawser, folder, build, seed):
        self.hawser, self.folder, self.build, self.seed = hawser, folder, build, seed
        self._programs = []

    def start(self, *argv, **named):
        return self._keep(Program([str(word) for word in argv], **named))

    def node(self, script, *argv, **named):
        return self.start("node", os.path.join(self.folder, script), *argv, name=script, **named)

    def script(self, script, *argv, **named):
        """A script for Bun where its name says so, for Node otherwise."""
        if not script.startswith("bun_"):
            return self.node(script, *argv, **named)
        bun = os.path.join(self.folder, "node_modules", ".bin", "bun")
        return self.start(bun, os.path.join(self.folder, script), *argv, name=script, **named)

    def echo(self, *options, **named):
        return self._keep(EchoServer(self.hawser, *options, **named))

    def connect(self, url, *options):
        return self.start(self.hawser, "connect", *options, url, name="hawser connect")

    def _keep(self, program):
        self._programs.append(program)
        return program

    def clean(self):
        for program in reversed(self._programs):
            program.kill()

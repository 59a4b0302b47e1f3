"""The tool as its users meet it: one line for each mistake, limits that do what their flags say, Ctrl-C, Unix sockets,
streams that cannot be written, a terminal, where the time went.

    command_test.py usage|limits|files|topics|polling|timings|interrupt|unix|simd|streams|terminal|ext|words|plugins
        HAWSER
"""

import http.client
import os
import pathlib
import pty
import re
import resource
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "peers"))

from kit import raw, wire  # noqa: E402
from prometheus_client.parser import text_string_to_metric_families  # noqa: E402
from kit.children import EchoServer, Program  # noqa: E402
from kit.registry import expect, expect_equal  # noqa: E402

WATCHDOG = 30.0  # seconds; only a failure meets it
HAWSER = sys.argv[2]
LEFT_OUT = os.environ.get("HAWSER_LEFT_OUT", "").split()  # Options that this build was made without.


def run(*words, **environment):
    """Status, standard output and standard error of the tool with nothing to read."""
    made = subprocess.run([HAWSER, *words], stdin=subprocess.DEVNULL, capture_output=True, timeout=WATCHDOG,
                          env={**os.environ, **environment})
    return made.returncode, made.stdout.decode(), made.stderr.decode()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


# ---- usage
def usage():
    """Each mistake is one line that says what was wrong and what to do; a wrong call ends with 2, all else with 1."""
    nobody = f"127.0.0.1:{free_port()}"
    table = [
        ([], 2, "no command", "echo", "connect"),
        (["ecko"], 2, "'ecko'", "echo", "connect"),
        (["--verbose"], 2, "--verbose"),
        (["connect"], 2, "URL"),
        (["connect", f"ws://{nobody}", "--verbos"], 2, "--verbos"),
        (["connect", "a", "b"], 2, "b"),
        (["connect", "localhost:9001"], 2, "ws://"),
        (["connect", "https://127.0.0.1"], 2, "wss://"),
        (["connect", "--key", "k.pem", "wss://127.0.0.1"], 2, "--cert"),
        (["echo", "--client-ca", "ca.pem"], 2, "--cert"),
        (["connect", "ws://::1:9001"], 2, "brackets", "[::1]"),
        (["connect", "ws://h/a b"], 2, "%20"),
        (["connect", f"ws://{nobody}"], 1, f"cannot connect to {nobody}: "),
        (["connect", "ws://no-such-host.invalid"], 1, "no-such-host.invalid", "name"),
        (["connect", "unix:/no/such/socket"], 1, "cannot connect to unix:/no/such/socket: "),
        (["connect", "unix:"], 2, "path"),
        (["echo", "--client"], 2, "--client", "URL"),
        (["echo", "--client", f"ws://{nobody}?x=1"], 2, "?"),
        (["echo", "--listen", "ws://127.0.0.1:0"], 2, "HOST:PORT", "without ws://"),
        (["echo", "--driver", "uring"], 2, "--driver: 'uring' is none of auto, epoll"),
        (["connect", "--deflate", "most", f"ws://{nobody}"], 2, "--deflate: 'most' is none of fast, balanced, small, low_memory"),
        (["echo", "--busy-poll", "0"], 2, "--busy-poll", "'0'", "from 1 to 1000000"),
        (["echo", "--busy-poll", "50us"], 2, "--busy-poll", "'50us'", "whole number"),
        (["echo", "--busy-poll", "1000001"], 2, "'1000001'", "from 1 to 1000000"),
        (["echo", "--busy-poll"], 2, "--busy-poll", "MICROSECONDS"),
        (["echo", "--client", f"ws://{nobody}", "--busy-poll", "50"], 2, "--busy-poll", "--client"),
        (["echo", "--threads", "0"], 2, "--threads", "'0'", "from 1 to 256"),
        (["echo", "--threads", "1", "--threads", "2"], 2, "--threads is given more than once"),
        (["echo", "--ca", "a.pem"], 2, "'--ca' is no option of hawser echo"),
        (["echo", "--cert"], 2, "--cert needs FILE behind it"),
        (["echo", "--driver"], 2, "--driver needs NAME behind it"),
        (["echo", "--client", f"ws://{nobody}", "--listen", "127.0.0.1:0"], 2, "--client", "--listen", "exclude each other"),
        (["connect", "a", "b", "c"], 2, "'b' is one word too many", "hawser connect --help"),
        (["ext", "test", "x-rot13", "--seed", "-1"], 2, "--seed", "'-1'", "hawser ext test --help"),
        *((["connect", "--server-name", name, "wss://127.0.0.1:1"], 2, "--server-name", f"'{name}'", "write example.org")
          for name in ("a.test:443", "https://a.test", "[::1]", "a b")),
        (["echo", "--max-message", "1k"], 2, "--max-message", "1k"),
        (["echo", "--extension", "x-rot31"], 2, "x-rot31", "x-rot13"),
        (["echo", "--extension", "x-rot13;a=1"], 2, "x-rot13", "no parameters"),
        (["echo", "--extension", "x-rot13;"], 2, "--extension", "'x-rot13;'"),
        (["ext"], 2, "ext list", "ext info", "ext test"),
        (["ext", "tset"], 2, "tset"),
        (["ext", "test"], 2, "NAME"),
        (["ext", "test", "x-rot31"], 2, "'x-rot31'", "x-rot13"),
        (["ext", "test", "x-rot13;a=1"], 2, "x-rot13", "no parameters"),
        (["ext", "test", "x-rot13", "--rounds", "0"], 2, "--rounds", "'0'"),
        (["ext", "info", "x-rot31"], 2, "'x-rot31'", "x-rot13"),
        *((["echo", "--extension", f"x-hawser-zstd;dictionary={file}"], 2, "x-hawser-zstd: dictionary", f"'{file}'", words)
          for file, words in (("/etc", "a folder"), ("/dev/zero", "a device"), ("/dev/null", "a device"),
                              ("/no/such/file", "No such file")) if "x-hawser-zstd" in run("ext", "info", "x-hawser-zstd")[1]),
        (["ext", "info", "/"], 2, "'/' is a folder, and no file"),
        (["ext", "info", "./.so"], 2, "./.so", "there is no such file"),
        (["echo", "--extension", "permessage-deflate;server_max_window_bits=08"], 2, "from 8 to 15", "leading zero", "'08'"),
        (["echo", "--extension", ""], 2, "--extension", "''"),
        (["echo", "--extension", "x-rot13", "--extension", "x-rot13"], 2, "x-rot13", "twice"),
    ]
    if "TLS" in LEFT_OUT:
        no_tls = (2, "this build has no TLS", "HAWSER_WITH_TLS=ON")
        table += [(words, *no_tls) for words in (["connect", "wss://127.0.0.1"], ["connect", "--ca", "a", "wss://127.0.0.1"],
                                                 ["echo", "--cert", "/no/such.pem"])]
    else:
        table += [(["connect", "--ca", "/no/such.pem", "wss://127.0.0.1"], 2, "--ca", "/no/such.pem"),
                  (["echo", "--cert", "/no/such.pem"], 2, "--cert", "/no/such.pem")]
    for words, status, *said in table:
        got, out, err = run(*words)
        expect_equal((got, out), (status, ""), f"status and output of {words}, which said {err!r}")
        expect_equal((err.count("\n"), err[:8]), (1, "hawser: "), f"lines of complaint of {words}: {err!r}")
        for word in said:
            expect(word in err, f"{words} should say {word!r}, not {err!r}")
        expect(err.count(nobody) <= 1, f"{words} says the address twice: {err!r}")
    for words in (["--help"], ["echo", "--help"], ["connect", "--help"], ["ext", "--help"], ["ext", "list", "--help"],
                  ["ext", "info", "--help"], ["ext", "test", "--help"]):
        got, out, err = run(*words)
        expect_equal((got, err), (0, ""), f"status and complaints of {words}")
        expect("Usage: hawser" in out and "Excludes" not in out and "TEXT" not in out, f"{words} prints {out}")
        expect(max(map(len, out.splitlines())) <= 80, f"{words} prints lines of over 80 columns")
    expect("echo" in run("--help")[1] and "--max-fragments N" in run("echo", "--help")[1], "what the help names")


# ---- limits
def fragments(count, piece):
    frames = [bytes([0x02, len(piece)]) + piece] + [bytes([0x00, len(piece)]) + piece] * (count - 2)
    return [*frames, bytes([0x80, len(piece)]) + piece]


def limits():
    """--max-fragments counts for fragments of any size: the score of tiny frames follows it (D20)."""
    server = EchoServer(HAWSER, "--max-fragments", "65536")
    for _ in range(2):
        client = raw.RawClient(server.port)
        client.send_frames(*fragments(65536, b"tiny"))
        expect_equal(len(client.next_frame().payload), 4 * 65536, "bytes of the message of 65,536 tiny fragments")
        client.send_frames(*fragments(65536, b""))
        expect_equal(client.next_frame().payload, b"", "the message of 65,536 empty fragments")
        client.send_frames(*fragments(65537, b"tiny"))
        client.expect_close(1008, "one fragment more")
    server.stop()
    server = EchoServer(HAWSER, "--max-fragments", "1024")  # The default, but said.
    client = raw.RawClient(server.port)
    client.send_frames(*fragments(1024, b"tiny"))
    expect_equal(len(client.next_frame().payload), 4 * 1024, "bytes of the message of 1,024 tiny fragments")
    client.close()
    server.stop()
    # What the help recommends for a conformance suite takes what such suites send.
    advice = run("echo", "--help")[1].split("  hawser echo ")[1].splitlines()[0].split()
    server = EchoServer(HAWSER, *advice)
    for frames in ([raw.plain(0x82, bytes(16 << 20))], fragments(65536, bytes(64))):
        client = raw.RawClient(server.port)
        size = sum(len(frame) for frame in frames) - (10 if len(frames) == 1 else 2 * len(frames))
        sender = threading.Thread(target=client.send_frames, args=frames)
        sender.start()
        expect_equal(len(client.next_frame().payload), size, f"bytes of a message in {len(frames)} frames")
        sender.join()
        client.close()
    server.stop()
    server = EchoServer(HAWSER)
    client = raw.RawClient(server.port)
    client.send_frames(*fragments(1024, b"tiny"))
    client.expect_close(1008, "1,024 tiny fragments within the default limits")
    server.stop()


# ---- files
def files():
    """The server takes what the system allows it when asked, not what a shell allows unasked."""
    few, most = 100, resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (few, most))
    server = EchoServer(HAWSER)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    clients = [raw.RawClient(server.port) for _ in range(2 * few)]
    expect_equal({client.status for client in clients}, {101}, f"the answers to {2 * few} clients")
    for client in clients:
        client.close()
    server.stop()


# ---- topics
def topics():
    """--broadcast: a message goes to those who connected to the same path, and to nobody else."""
    server = EchoServer(HAWSER, "--broadcast")
    paths = ("/", "/a", "/a?as=another", "/b", "/b/")
    clients = [raw.RawClient(server.port, path=path) for path in paths]
    for client in clients:
        client.send_frames(raw.plain(0x89, b"there"))  # the pong proves that the server counts this client in
        expect_equal(client.next_frame().payload, b"there", "the pong")
    for path, client in zip(paths, clients):
        client.send_frames(raw.plain(0x81, path.encode()))
        for other_path, other in zip(paths, clients):
            if other_path.split("?")[0] == path.split("?")[0]:
                expect_equal(other.next_frame().payload, path.encode(), f"what {other_path} hears of {path}")
    for path, client in zip(paths, clients):
        client.send_frames(raw.plain(0x89, b"end"))
        expect_equal(client.next_frame().payload, b"end", f"what is left for {path}")
        client.close()
    longest = raw.RawClient(server.port, path="/" + "p" * 254)
    longest.send_frames(raw.plain(0x81, b"heard"))
    expect_equal(longest.next_frame().payload, b"heard", "what a client of the longest path hears of itself")
    longest.close()
    raw.RawClient(server.port, path="/" + "p" * 255).expect_close(1008, "a path that cannot name a topic")
    server.stop()


# ---- polling
def sleeps_of(pid):
    """How often the process has given up its core to wait for something."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(status.split("\nvoluntary_ctxt_switches:")[1].split()[0])


def polling():
    """--busy-poll: after a message the loop does not sleep for a second, longer than a busy machine keeps us waiting.

    Without it the loop sleeps nearly 400 times, but nobody can promise how often.
    """
    server = EchoServer(HAWSER, "--busy-poll", "1000000")
    client = raw.RawClient(server.port)
    before = sleeps_of(server.process.pid)
    for _ in range(400):
        client.send_frames(raw.plain(0x82, b"awake?"))
        expect_equal(client.next_frame().payload, b"awake?", "the echo")
    sleeps = sleeps_of(server.process.pid) - before
    expect(sleeps < 100, f"a server that polls slept {sleeps} times during 400 echoes")
    client.close()
    server.stop()


# ---- timings
def fetched(port, path):
    """Status, content type and body of a plain GET."""
    asked = http.client.HTTPConnection("127.0.0.1", port, timeout=WATCHDOG)
    asked.request("GET", path)
    answer = asked.getresponse()
    return answer.status, answer.getheader("Content-Type"), answer.read().decode()


def timings():
    """connect --timings says four sums with their parts; echo --metrics answers GET /metrics, as Prometheus reads it."""
    server = EchoServer(HAWSER, "--metrics", "--threads", "2")
    made = subprocess.run([HAWSER, "connect", "--timings", server.url], input=b"one\ntwo\n", capture_output=True,
                          timeout=WATCHDOG)
    expect_equal((made.returncode, made.stdout), (0, b"one\ntwo\n"), "status and output")
    said = made.stderr.decode().splitlines()
    span = r"\d+(\.\d+)? (ns|us|ms|s)"
    for line, wanted in zip(said, (
            f"hawser: connecting: {span} = request {span} \\(name {span}, TCP {span}\\) \\+ response {span} "
            f"\\+ acknowledge {span}",
            f"hawser: receiving: {span} = receive {span} \\+ prepare {span} \\+ confirm {span} .*measured\\)",
            f"hawser: sending: {span} = prepare {span} \\+ send {span} .*measured\\)",
            "hawser: errors: none")):
        expect(re.fullmatch(wanted, line), f"it said {line!r}, not {wanted!r}")
    expect_equal(len(said), 4, f"how many lines it said: {said}")

    status, out, err = run("connect", "--timings", f"ws://127.0.0.1:{free_port()}")
    expect_equal((status, out), (1, ""), "status and output where nobody listens")
    expect(re.search(f"^hawser: connecting: not finished; name {span}\n.*^hawser: error: {span} = detect {span} \\+ ", err,
                     re.MULTILINE | re.DOTALL), f"where nobody listens it said {err!r}")

    status, kind, text = fetched(server.port, "/metrics")
    expect_equal((status, kind), (200, "text/plain; version=0.0.4; charset=utf-8"), "status and type of the page")
    samples = {(s.name, s.labels.get("part") or s.labels.get("reason"), s.labels.get("le")): s.value
               for family in text_string_to_metric_families(text) for s in family.samples}
    expect_equal(samples["hawser_connections_opened_total", None, None], 1, "connections")
    expect_equal(samples["hawser_messages_received_total", None, None], 2, "messages")
    expect_equal(samples["hawser_connections_closed_total", "clean", None], 1, "clean ends")
    expect_equal(samples["hawser_connect_seconds_count", "request", None], 1, "requests that were measured")
    expect_equal(samples["hawser_receive_seconds_bucket", "confirm", "+Inf"],
                 samples["hawser_receive_seconds_count", "confirm", None], "the last bucket")
    expect(0 < samples["hawser_connect_seconds_sum", "request", None] < WATCHDOG, f"the page is {text}")
    server.stop()

    server = EchoServer(HAWSER)
    expect_equal(fetched(server.port, "/metrics")[0], 426, "status without --metrics")
    server.stop()


# ---- interrupt
class FuzzingServer:
    """Gives three cases; in the `silent` one it says nothing. Keeps the targets that it was asked for."""

    def __init__(self, answers_close, silent="case=2", listener=None):
        self.targets, self.closes, self.in_case = [], [], threading.Event()
        self._answers_close, self._silent = answers_close, silent
        self._listener = listener or socket.create_server(("127.0.0.1", 0))
        name = self._listener.getsockname()
        self.url = f"ws+unix:{name}" if listener else f"ws://127.0.0.1:{name[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            peer, _ = self._listener.accept()
            with peer:
                try:
                    self._one(peer)
                except ConnectionResetError:
                    pass  # a client that was killed

    def _one(self, peer):
        data = b""
        while b"\r\n\r\n" not in data:
            data += peer.recv(4096)
        head, data = wire.split_head(data)
        target = head.first.split(" ")[1]
        self.targets.append(target)
        peer.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     b"Sec-WebSocket-Accept: " + raw.accept_of(head.one("Sec-WebSocket-Key")).encode() + b"\r\n\r\n")
        silent = self._silent in target
        if silent:
            self.in_case.set()
        else:
            peer.sendall(b"\x81\x013" if "Count" in target else bytes.fromhex("880203e8"))
        while True:
            closes = [f.close_code for f in wire.frames(data)[0] if f.opcode == wire.CLOSE]
            if closes:
                self.closes += closes
                if not silent or self._answers_close:
                    if silent or "Count" in target:
                        peer.sendall(bytes.fromhex("880203e9" if silent else "880203e8"))
                    return
            more = peer.recv(4096)
            if not more:
                return
            data += more


def interrupt():
    """Ctrl-C ends the run of `echo --client`, not only the case in hand; a second one does not wait for the server."""
    for number in (signal.SIGINT, signal.SIGTERM):
        server = FuzzingServer(answers_close=True)
        tool = Program([HAWSER, "echo", "--client", server.url])
        expect(server.in_case.wait(WATCHDOG), "the second case never came")
        tool.process.send_signal(number)
        expect_equal(tool.wait(), 128 + number, f"the exit status after signal {number}")
        expect_equal(tool.lines("err"), ["hawser: interrupted in case 2 of 3"], "what it said")
        expect_equal(len(server.targets), 3, f"connections, which asked for {server.targets}")
        expect_equal(server.closes[-1], 1001, "the code of the last close")
    server = FuzzingServer(answers_close=False)
    tool = Program([HAWSER, "echo", "--client", server.url])
    expect(server.in_case.wait(WATCHDOG), "the second case never came")
    tool.process.send_signal(signal.SIGINT)
    tool.find("interrupted", "err")
    tool.process.send_signal(signal.SIGINT)  # While the first one still waits: its close is not answered for 5 s.
    expect_equal(tool.wait(), -signal.SIGINT, "the exit status after the second Ctrl-C")
    server = EchoServer(HAWSER)
    client = raw.RawClient(server.port)  # It will not answer the close.
    server.terminate()
    expect_equal(client.next_frame().close_code, 1001, "the close that it was sent")
    server.terminate()
    expect_equal(server.wait(), -signal.SIGTERM, "the exit status after the second SIGTERM")


# ---- Unix sockets
def unix():
    """The line that `echo` prints can be pasted behind `connect`, and behind `echo --client`."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "socket")
        server = Program([HAWSER, "echo", "--listen", f"unix:{path}"])
        url = server.find(r"^listening on (\S+)$").group(1)
        expect_equal(url, f"ws+unix:{path}", "the URL that it prints")
        for form in (url, f"unix:{path}", f"{url}:/a/path?with=query"):
            tool = Program([HAWSER, "connect", "-v", form])
            tool.write_line("over a file")
            tool.end_input()
            tool.expect_success()
            expect_equal(tool.lines(), ["over a file"], f"what came back over {form}")
            expect(f"connected to {form}" in tool.lines("err")[0], f"what it said: {tool.lines('err')}")
        server.terminate()
        server.expect_success()
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path + ".cases")
            listener.listen()
            cases = FuzzingServer(answers_close=True, silent="none of them", listener=listener)
            expect_equal(run("echo", "--client", cases.url)[0], 0, "the exit status of a run over a file")
            wanted = ["/getCaseCount", *(f"/runCase?case={n}&agent=hawser" for n in (1, 2, 3)), "/updateReports?agent=hawser"]
            expect_equal(cases.targets, wanted, "what the server was asked for")


# ---- the width of registers
def simd():
    """HAWSER_SIMD names a level of registers; --version says which is in use. A wrong one is a line and status 2."""
    for level in ("avx3", "AVX2", "best"):
        got, out, err = run("--version", HAWSER_SIMD=level)
        expect_equal((got, out, err.count("\n")), (2, "", 1), f"status, output and lines for {level}, which said {err!r}")
        expect(err.startswith(f"hawser: HAWSER_SIMD={level}: this machine has scalar"), f"{level} said {err!r}")
    levels = err.strip().rpartition(" has ")[2].split(", ")
    for level in levels:
        got, out, err = run("--version", HAWSER_SIMD=level)
        expect_equal((got, err), (0, ""), f"status and complaints at {level}")
        expect(f"\nmasking by {level}, UTF-8 by " in out, f"{level} said {out!r}")
    for environment in ({}, {"HAWSER_SIMD": ""}):
        got, out, err = run("--version", **environment)
        expect_equal((got, err, out.count("\n")), (0, "", 2), f"status, complaints and lines of {out!r}")
        expect(out.startswith("hawser "), f"it said {out!r}")


# ---- streams
def streams():
    """What cannot be written ends it with status 1 and a line; nothing dies of a signal."""
    server = EchoServer(HAWSER)
    for target in ("/dev/full", "a closed pipe"):
        if target == "/dev/full":
            out = os.open(target, os.O_WRONLY)
        else:
            end, out = os.pipe()
            os.close(end)
        for words, lines in ((["connect", server.url], b"hello\n"), (["--help"], b""), (["--version"], b""),
                             (["echo", "--listen", "127.0.0.1:0"], b"")):
            made = subprocess.run([HAWSER, *words], input=lines, stdout=out, stderr=subprocess.PIPE, timeout=WATCHDOG)
            said = made.stderr.decode()
            expect_equal((made.returncode, said.count("\n")), (1, 1), f"status and lines of {words} into {target}: {said}")
            expect("cannot be written" in said, f"{words} into {target} said {said}")
        os.close(out)

    folder = os.open("/", os.O_RDONLY)
    made = subprocess.run([HAWSER, "connect", server.url], stdin=folder, capture_output=True, timeout=WATCHDOG)
    os.close(folder)
    expect_equal((made.returncode, made.stderr.count(b"\n")), (1, 1), "status and lines of an input that cannot be read")
    expect(b"cannot be read" in made.stderr, f"it said {made.stderr}")

    tool = Program([HAWSER, "connect", server.url])
    long_line = b"x" * 1048576
    tool.write(b"a\0b\n\xff\xfe\n" + long_line + b"\n\xe4\xbd\xa0\r\n")
    tool.end_input()
    expect_equal(tool.wait(), 1, "the exit status: a line was not sent")
    expect_equal(tool.raw(), b"a\0b\n" + long_line + b"\n\xe4\xbd\xa0\r\n", "what came back")
    expect_equal(tool.lines("err"), ["hawser: this line is not UTF-8 and was not sent"], "what it said")
    server.stop()


# ---- a terminal
class Terminal:
    """The tool on a pseudo-terminal, and all that a person would have seen."""

    def __init__(self, *words):
        self.seen = b""
        self.child, self.end = pty.fork()
        if self.child == 0:
            os.execve(HAWSER, [HAWSER, *words], dict(os.environ, TERM="xterm"))

    def type(self, data):
        os.write(self.end, data)

    def find(self, wanted):
        until = time.monotonic() + WATCHDOG
        while wanted not in self.seen:
            expect(self._read(until), f"wanted {wanted} on the terminal, saw {self.seen}")

    def finish(self):
        until = time.monotonic() + WATCHDOG
        while self._read(until):
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.child, 0)[1])

    def _read(self, until):
        if not select.select([self.end], [], [], max(0.0, until - time.monotonic()))[0]:
            os.kill(self.child, signal.SIGKILL)
            return False
        try:
            data = os.read(self.end, 65536)
        except OSError:  # the child's end is closed
            return False
        self.seen += data
        return bool(data)


def terminal():
    """A person at a terminal: a prompt, the echo marked, and a line that is finished whichever way it ends."""
    server = EchoServer(HAWSER)
    for key, title in ((b"\x04", "Ctrl-D"), (b"\x03", "Ctrl-C")):
        tool = Terminal("connect", server.url)
        tool.find(b"connected to " + server.url.encode() + b"; each line is sent, Ctrl-D closes")
        tool.find(b"> ")
        tool.type(b"hello\n")
        tool.find(b"< hello")
        tool.find(b"\n> ")
        tool.type(key)
        expect_equal(tool.finish(), 0, f"exit status after {title}")
        expect(tool.seen.endswith(b"\n"), f"{title} leaves an unfinished line: {tool.seen}")
        expect(not tool.seen.endswith(b"\n\r\n"), f"{title} leaves an empty line: {tool.seen}")

    # What comes while a line is being typed takes its place on the screen, and leaves nothing of it beside.
    others = EchoServer(HAWSER, "--broadcast")
    tool = Terminal("connect", others.url)
    tool.find(b"> ")
    tool.type(b"a line that is not finished")
    tool.find(b"finished")
    other = raw.RawClient(others.port)
    other.send_frames(raw.plain(0x81, b"news"))
    tool.find(b"\r\x1b[K< news\r\n> ")
    tool.type(b" yet\n")
    expect_equal(other.next_frame().payload, b"news", "what the other heard first")
    expect_equal(other.next_frame().payload, b"a line that is not finished yet", "the line, whole")
    tool.type(b"\x04")
    expect_equal(tool.finish(), 0, "exit status")
    other.close()
    others.stop()

    # A peer that never answers a close: the person hears what it waits for, and a second Ctrl-C does not wait.
    silent = FuzzingServer(answers_close=False)
    tool = Terminal("connect", silent.url + "/case=2")
    tool.find(b"> ")
    tool.type(b"\x04")
    tool.find(b"waiting for the peer")
    tool.type(b"\x03")
    expect_equal(tool.finish(), -signal.SIGINT, "exit status after a Ctrl-C while it waits")
    server.stop()


# ---- ext
def ext():
    """Every extension that `ext list` names can be explained, passes the kit, and can be spoken."""
    status, out, err = run("ext", "list")
    expect_equal((status, err), (0, ""), "status and complaints of ext list")
    names = [line.split()[0] for line in out.splitlines() if not line.startswith(" ")]
    expect("x-rot13" in names and "x-checksum" in names, f"the names are {names}")
    for name in names:
        status, out, err = run("ext", "info", name)
        if name == "x-hawser-zstd" and "ZSTD" in LEFT_OUT:
            expect_equal((status, out, err), (2, "", "hawser: x-hawser-zstd: this build has no libzstd\n"), "without it")
            continue
        expect_equal((status, err), (0, ""), f"status and complaints of ext info {name}")
        for word in ("parameters", "offered", "answered", "claims", "hooks", "charged while a text of 64 KiB leaves", "try it"):
            expect(word in out, f"ext info {name} should say {word!r}: {out}")
        status, out, err = run("ext", "test", name)
        expect_equal((status, err), (0, ""), f"status and complaints of ext test {name}, which printed {out}")
        lines = out.splitlines()
        checks = [line for line in lines if line.startswith("  PASS  ")]
        expect_equal(lines[-1], f"{name} passed: {len(checks)} of {len(checks)} checks", "the verdict")
        expect("\x1b" not in out, "no colours where nobody looks")
    first = run("ext", "test", "x-rot13", "--seed", "9", "--rounds", "3")[1]
    expect("seed 9, 3 rounds" in first, f"what the run says of itself: {first[:80]}")
    expect("'x-rot13;'" in run("ext", "info", "x-rot13;")[2], "words that cannot be read are shown")


# ---- words
def passing():
    """-vv shows each message between the extensions, and each frame."""
    server = EchoServer(HAWSER, "-vv", "--extension", "x-rot13")
    tool = Program([HAWSER, "connect", "-vv", "--extension", "x-rot13", server.url])
    tool.write_line("Hi")
    tool.find("^Hi$")
    tool.end_input()
    tool.expect_success()
    plain, turned = "text, 2 bytes: 'Hi'", "text, 2 bytes, RSV2"
    seen = [line[len("hawser: "):] for line in tool.lines("err") if re.match(r"hawser: (in|out) ", line)]
    expect_equal(seen, [f"{way:5}{place:26}{what}" for way, place, what in (
        ("out", "from application", plain), ("out", "after x-rot13", turned + ": 'Uv'"),
        ("out", "frame", turned + ", masked: 'Uv'"), ("in", "frame", turned + ": 'Uv'"),
        ("in", "from network", turned + ": 'Uv'"), ("in", "after x-rot13", plain),
        ("out", "frame", "close, 2 bytes, masked: 1000"), ("in", "frame", "close, 2 bytes: 1000"))], "what passes")
    number = server.find(r": connected to /, as (#\d+)$", "err").group(1)
    server.find(f"^hawser: {number} in   frame +{turned}, masked: 'Uv'$", "err")
    server.find(f"^hawser: {number} out  frame +close, 2 bytes: 1000$", "err")
    server.stop()


def page():
    """What docs/extensions.md shows of -vv is what is printed."""
    text = (ROOT / "docs" / "extensions.md").read_text(encoding="utf-8")
    command, *shown = text.split("\n```\n$ echo Hello | hawser ", 1)[1].split("\n```\n", 1)[0].splitlines()
    words, _, url = command.removesuffix(" > /dev/null").rpartition(" ")
    server = EchoServer(HAWSER, "--extension", "x-rot13", "--extension", "x-checksum")
    tool = Program([HAWSER, *words.split(), server.url.rstrip("/")])
    tool.write_line("Hello")
    tool.find("^Hello$")
    tool.end_input()
    tool.expect_success()
    expect_equal("\n".join(tool.lines("err")).replace(server.url.rstrip("/"), url), "\n".join(shown), "what -vv prints")
    server.stop()


def words():
    """-v says at both ends what was offered, what became of each extension and why, and who comes and goes."""
    server = EchoServer(HAWSER, "-v", "--extension", "x-checksum", "--extension", "x-rot13")
    tool = Program([HAWSER, "connect", "-v", "--extension", "x-rot13", "--extension", "x-checksum", "--extension",
                    "x-hawser-checksum", server.url + "room"])
    tool.write_line("hello")
    tool.find("^hello$")
    tool.end_input()
    tool.expect_success()
    offered = "x-rot13, x-checksum, x-hawser-checksum"
    order = "order of work, from the application to the wire: x-rot13, x-checksum"
    expect_equal(tool.lines("err"), [f"hawser: {line}" for line in (
        f"connected to {server.url}room", "no subprotocol", f"offered: {offered}",
        "extension x-rot13: agreed as x-rot13", "extension x-checksum: agreed as x-checksum",
        "extension x-hawser-checksum: declined by the server", order, "closed: 1000 (normal)")], "what the client says")
    who = server.find(r"^hawser: (127\.0\.0\.1:\d+): connected to /room$", "err").group(1)
    server.find(f"^hawser: {who}: closed with 1000$", "err")
    expect_equal(server.lines("err"), [f"hawser: {who}: {line}" for line in (
        "connected to /room", "no subprotocol", f"offered: {offered}", "extension x-rot13: accepted as x-rot13",
        "extension x-checksum: accepted as x-checksum", "extension x-hawser-checksum: not known here, ignored", order,
        "closed with 1000")], "what the server says")
    expect_equal(run("connect", "-v", server.url)[2].splitlines()[1:3], ["hawser: no subprotocol", "hawser: no extensions"],
                 "what a client says without extensions")
    server.find("extension x-rot13: not offered by the client$", "err")
    mixed = run("connect", "-v", "--extension", "x-rot13", "--deflate", "fast", "--plugin", "x-checksum", server.url)[2]
    expect(re.search("offered: x-rot13, permessage-deflate.*, x-checksum$", mixed, re.M) is not None,
           f"the order of the options is that of the offers: {mixed}")
    asking = http.client.HTTPConnection("127.0.0.1", server.port, timeout=WATCHDOG)
    asking.request("POST", "/")
    expect_equal(asking.getresponse().status, 405, "the status for a POST")
    server.find(r"^hawser: refused: 127\.0\.0\.1:\d+: ", "err")
    server.stop()
    passing()
    page()
    quiet = EchoServer(HAWSER)
    run("connect", quiet.url)
    quiet.stop()
    expect_equal(quiet.lines("err"), [], "without -v nothing is said")


# ---- plugins
def plugins():
    """--plugin at both ends, composed and in fragments; ext info and ext test of a file; one that is wrong does no harm."""
    folder = pathlib.Path(HAWSER).parent / "tests" / "plugins"
    xor = str(folder / "xor.so")
    server = EchoServer(HAWSER, "-v", "--plugin", xor, "--extension", "x-checksum")
    tool = Program([HAWSER, "connect", "-v", "--plugin", f"{xor};key=7", "--extension", "x-checksum", server.url])
    tool.find("extension x-xor: agreed as x-xor; key=7$", "err")
    tool.find("order of work, from the application to the wire: x-xor, x-checksum$", "err")
    for text in ("hello", "a line of a little more", "\N{SNOWMAN}" * 1000):
        tool.write_line(text)
        expect_equal(tool.next_line(), text, "what comes back")
    tool.end_input()
    tool.expect_success()
    # By hand, in fragments, with a ping between them: what the plug-in makes is summed by what stands behind it.
    turned = bytes(b ^ 7 for b in b"Hello, fragments")
    message = turned + zlib.crc32(turned).to_bytes(4, "big")
    client = raw.RawClient(server.port, "Sec-WebSocket-Extensions: x-xor; key=7, x-checksum")
    client.send_frames(raw.plain(0x31, message[:3]), raw.plain(0x89, b"?"), raw.plain(0x00, message[3:17]),
                       raw.plain(0x80, message[17:]))
    expect_equal(client.next_frame().payload, b"?", "the pong between")
    answer = client.next_frame()
    expect_equal((answer.plain[0], answer.payload), (0xB1, message), "the echo on the wire")
    client.close()
    server.stop()
    status, out, err = run("ext", "info", f"{xor};key=9")
    expect_equal((status, err), (0, ""), "status and complaints of ext info")
    for word in ("x-xor: every byte mixed with a key", "key=1..255", "x-xor; key=9", "in_place", "--plugin '"):
        expect(word in out, f"ext info should say {word!r}: {out}")
    status, out, err = run("ext", "test", xor)
    expect_equal((status, err), (0, ""), f"status and complaints of ext test, which printed {out}")
    broken_plugins(folder)


def broken_plugins(folder):
    for file, words in (("nowhere.so", "there is no such file"), ("no_entry.so", "no function hawser_plugin_v1"),
                        ("wrong_abi.so", "version 99"), ("bad_name.so", "no token"), ("null_hook.so", "in_place"),
                        ("xor.so;key=256", "key is a number from 1 to 255")):
        path = str(folder / file)
        for command in (["echo", "--plugin", path], ["connect", "--plugin", path, "ws://127.0.0.1:1"],
                        ["ext", "test", path], ["ext", "info", path]):
            status, out, err = run(*command)
            expect_equal((status, out, err.count("\n")), (2, "", 1), f"status, output and lines of {command}: {err}")
            expect(path.split(";")[0] in err and words in err, f"{command} should say {words!r}: {err}")
    status, out, _ = run("ext", "test", str(folder / "lying_step.so"))
    expect(status == 1 and "its transform consumed more than it was given" in out, f"the kit on a liar prints {out}")
    server = EchoServer(HAWSER, "--plugin", str(folder / "double_release.so"))
    client = raw.RawClient(server.port, "Sec-WebSocket-Extensions: x-broken")
    bystander = raw.RawClient(server.port)
    client.send_frames(raw.plain(0xA1, b"Hello"))
    end = client.next_frame()
    expect_equal((end.close_code, end.payload[2:]),
                 (1011, b"x-broken: used a body that it gave away, gave back or never had"), "the close")
    bystander.send_frames(raw.plain(0x81, b"still there"))
    expect_equal(bystander.next_frame().payload, b"still there", "what a bystander gets")
    bystander.close()
    server.stop()


if __name__ == "__main__":
    os.setpgrp()
    try:
        globals()[sys.argv[1]]()
    finally:  # What a failed test leaves behind ends with it.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.killpg(0, signal.SIGTERM)

#!/usr/bin/python3
"""The load generator gives no figure for a server that does not do the work, and the comparison judges rightly.

Nothing here is timed: short runs only show that the parts fit together. HAWSER_BUILD names the build folder.
"""
import base64
import hashlib
import importlib.machinery
import importlib.util
import json
import os
import pathlib
import queue
import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import unittest
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("HAWSER_BUILD", ROOT / "build" / "dev"))
LOAD, FLOOR, STAGES = BUILD / "bench" / "load", BUILD / "bench" / "floor", BUILD / "bench" / "stages"
RUN = ROOT / "bench" / "run"
CORE = str(min(os.sched_getaffinity(0)))
PATIENCE = 60
WITH_TLS = "HAWSER_WITH_TLS:BOOL=OFF" not in (BUILD / "CMakeCache.txt").read_text()


def import_program(name, file):
    loader = importlib.machinery.SourceFileLoader(name, str(file))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    sys.modules[name] = module
    sys.dont_write_bytecode = True
    loader.exec_module(module)
    return module


run = import_program("bench_run", RUN)
harness = run.harness
growth = import_program("bench_growth", ROOT / "bench" / "growth")
report = import_program("bench_report", ROOT / "bench" / "report")
instructions = import_program("bench_instructions", ROOT / "bench" / "instructions")


def load(port, *arguments):
    return subprocess.run([LOAD, "--port", str(port), "--json", *arguments], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=PATIENCE, check=False)


def floor(job):
    return harness.Server(f"{FLOOR} {job}", int(CORE))


class Peer:
    """A server with one fault. `answer(number, payload)` gives the bytes for each message; None ends the connection."""

    def __init__(self, answer, accept_key=None, extensions="", tls=None):
        self.answer, self.accept_key, self.tls = answer, accept_key, tls
        self.agreed = set()  # (version, cipher, whether a session was taken up) of each TLS connection
        self.extensions = extensions and f"Sec-WebSocket-Extensions: {extensions}\r\n"
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.messages = 0
        self.greeted = threading.Event()
        self.control = queue.Queue()
        self.connections = []  # in the order in which they were made
        self.acceptor = threading.Thread(target=self.accept, daemon=True)
        self.acceptor.start()

    def accept(self):
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return  # the listener was shut down
            self.connections.append(connection)
            self.greeted.set()
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        if self.tls:
            try:
                connection = self.tls.wrap_socket(connection, server_side=True)
            except OSError:
                return  # the client went in the midst of it
            self.agreed.add((connection.version(), connection.cipher()[0], connection.session_reused))
        with connection, connection.makefile("rb") as stream:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                line = stream.readline()
                if not line:
                    return
                head += line
            key = head.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0]
            digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
            accept = self.accept_key or base64.b64encode(digest)
            connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                               b"Sec-WebSocket-Accept: " + accept + b"\r\n" + self.extensions.encode() + b"\r\n")
            while start := stream.read(2):
                size = start[1] & 127
                if size >= 126:
                    size = int.from_bytes(stream.read(2 if size == 126 else 8), "big")
                key = stream.read(4)
                payload = bytes(b ^ key[i % 4] for i, b in enumerate(stream.read(size)))
                if start[0] & 8:
                    self.control.put((start[0] & 15, payload))
                    continue
                self.messages += 1
                reply = self.answer(self.messages, payload)
                if reply is None:
                    return
                connection.sendall(reply)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # A thread that is left in accept() could take a connection of the next listener, which may get the same number.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.acceptor.join(PATIENCE)
        self.listener.close()


def frame(payload, first=0x82, mask=0):
    size = len(payload)
    if size < 126:
        length = bytes([mask | size])
    else:
        length = bytes([mask | 126]) + size.to_bytes(2, "big") if size < 65536 else bytes([mask | 127]) + size.to_bytes(8, "big")
    return bytes([first]) + length + payload


class Deflate:
    """Echoes as permessage-deflate does, for each connection with states of its own; the `wrong`-th message in capitals."""

    def __init__(self, takeover, wrong=None):
        self.takeover, self.wrong = takeover, wrong
        self.restart()

    def restart(self):
        self.inflate, self.deflate = zlib.decompressobj(-15), zlib.compressobj(6, zlib.DEFLATED, -15)

    def __call__(self, number, payload):
        if number == 129 or not self.takeover:  # 128 messages verify, then there is another connection
            self.restart()
        text = self.inflate.decompress(payload + b"\x00\x00\xff\xff")
        if number == self.wrong:
            text = text.upper()
        return frame((self.deflate.compress(text) + self.deflate.flush(zlib.Z_SYNC_FLUSH))[:-4], first=0xc1)


class LoadTest(unittest.TestCase):
    def refused(self, status, words, answer, *arguments, **faults):
        with Peer(answer, **faults) as peer:
            result = load(peer.port, "--conns", "1", "--count", "20", *arguments)
        self.assertEqual(result.returncode, status, result.stderr)
        self.assertIn(words, result.stderr)
        self.assertEqual(result.stdout, "")

    def test_good_echo_is_counted(self):
        with Peer(lambda _, payload: frame(payload)) as peer:
            result = load(peer.port, "--conns", "1", "--count", "20", "--size", "300")
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(json.loads(result.stdout)["messages"], 20)
            self.assertEqual(peer.messages, 21)  # one to verify, twenty counted

    def test_changed_byte(self):
        self.refused(3, "came back changed", lambda _, payload: frame(payload[:-1] + b"!"))

    def test_wrong_accept_key(self):
        self.refused(3, "did not upgrade", lambda _, payload: frame(payload), accept_key=b"A" * 28)

    def test_other_size_after_the_first(self):
        self.refused(4, "another size", lambda n, payload: frame(payload if n == 1 else payload[1:]))

    def test_masked_reply(self):
        self.refused(4, "masked", lambda n, payload: frame(payload) if n == 1 else frame(b"1234" + payload, mask=128))

    def test_two_replies_for_one(self):
        self.refused(4, "more messages", lambda n, payload: frame(payload) * (1 if n == 1 else 2))

    def test_close_frame(self):
        self.refused(4, "close frame", lambda n, payload: frame(payload) if n == 1 else frame(b"\x03\xe9", first=0x88))

    def test_end_of_connection(self):
        self.refused(1, "ended a connection", lambda n, payload: frame(payload) if n == 1 else None)

    def test_silence(self):
        self.refused(5, "nothing for 5 s", lambda n, payload: frame(payload) if n == 1 else b"")

    def test_fragments_and_pings_are_lived_with(self):
        def answer(_, payload):
            return (frame(payload[:3], first=0x02) + frame(b"still there", first=0x89) + frame(b"", first=0x00) +
                    frame(payload[3:], first=0x00) + frame(b"", first=0x80))

        with Peer(answer) as peer:
            result = load(peer.port, "--conns", "1", "--count", "20")
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(json.loads(result.stdout)["messages"], 20)
            self.assertEqual(peer.control.get(timeout=PATIENCE), (10, b"still there"))

    def test_idle_ones_answer_pings(self):
        def answer(number, payload):
            if number == 3:  # The first to be idle has had its echo.
                peer.connections[1].sendall(frame(b"still there", first=0x89))
            return frame(payload)

        with Peer(answer) as peer:
            result = load(peer.port, "--mode", "idle", "--conns", "2", "--secs", "0")
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(peer.control.get(timeout=PATIENCE), (10, b"still there"))

    def test_compressed_echo_is_inflated_and_compared(self):
        alone = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
        for how, extensions in (("takeover", "permessage-deflate"), ("no_takeover", alone)):
            with self.subTest(how), Peer(Deflate(takeover=how == "takeover"), extensions=extensions) as peer:
                result = load(peer.port, "--deflate", how, "--conns", "1", "--count", "200", "--size", "1024")
                self.assertEqual(result.returncode, 0, result.stderr)
                figures = json.loads(result.stdout)
                self.assertEqual(figures["messages"], 200)
                self.assertGreater(figures["ratio"], 3 if how == "takeover" else 2)

    def test_compression_that_was_not_agreed(self):
        for how, extensions in (("takeover", ""), ("takeover", "permessage-deflate; server_no_context_takeover"),
                                ("no_takeover", "permessage-deflate")):
            with self.subTest(extensions):
                self.refused(3, "did not agree", lambda _, payload: frame(payload), "--deflate", how, "--size", "1024",
                             extensions=extensions)

    def test_wrong_compressed_echo(self):
        self.refused(3, "message 70 came back changed", Deflate(takeover=True, wrong=71), "--deflate", "takeover", "--size",
                     "1024", extensions="permessage-deflate")

    def test_usage(self):
        for arguments in (["--conns", "0"], ["--tls", "1"], ["--size"], ["--mode", "other"], ["--bogus", "1"], ["--secs", "x"],
                          ["--topics", "2"], ["--mode", "fanout", "--conns", "2", "--topics", "3"],
                          ["--deflate", "x"], ["--deflate", "takeover", "--text"],
                          ["--deflate", "takeover", "--mode", "churn"]):
            result = load(1, *arguments)
            self.assertEqual(result.returncode, 2, arguments)
            self.assertIn("usage: load", result.stderr)


    def test_no_figure_for_what_was_not_measured(self):
        with floor("echo") as server:
            plain = load(server.port, "--conns", "2", "--count", "20", "--secs", "0")
            self.assertNotIn("cpu_us", json.loads(plain.stdout))
            nobody = load(server.port, "--conns", "2", "--count", "20", "--secs", "0", "--pid", str(2**22 + 1))
            self.assertIn("no such process", nobody.stderr)
            self.assertEqual((nobody.returncode, nobody.stdout), (2, ""))
            alone = load(server.port, "--mode", "fanout", "--conns", "4", "--secs", "0.2", "--warmup", "0")
            self.assertNotEqual(alone.returncode, 0)
            self.assertEqual(alone.stdout, "")

    def test_that_does_not_sleep(self):
        with floor("echo --spin") as server:
            result = load(server.port, "--conns", "2", "--count", "200", "--spin")
            self.assertEqual(result.returncode, 0, result.stderr)
            figures = json.loads(result.stdout)
            self.assertEqual(figures["messages"], 200)
            self.assertGreaterEqual(figures["p99_us"], figures["p50_us"])


@unittest.skipUnless(WITH_TLS, "TLS was left out of this build")
class TlsLoadTest(unittest.TestCase):
    FULL = {("TLSv1.3", "TLS_AES_128_GCM_SHA256", False)}

    def setUp(self):
        options = harness.parse(harness.parser(""), ["--build", str(BUILD)], rounds=1)
        options.rivals = []
        folder = (bench := harness.Bench(options)).certificate_folder()
        self.addCleanup(bench.certificates.cleanup)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(f"{folder}/cert.pem", f"{folder}/key.pem")

    def test_good_echo_is_counted(self):
        for size in (300, 100000):
            with self.subTest(size), Peer(lambda _, payload: frame(payload), tls=self.context) as peer:
                result = load(peer.port, "--tls", "--conns", "2", "--count", "20", "--size", str(size))
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertEqual(json.loads(result.stdout)["messages"], 20)
                self.assertEqual((peer.messages, peer.agreed), (21, self.FULL))

    def test_changed_byte(self):
        with Peer(lambda _, payload: frame(payload[:-1] + b"!"), tls=self.context) as peer:
            result = load(peer.port, "--tls", "--conns", "1", "--count", "20")
        self.assertEqual((result.returncode, result.stdout), (3, ""))
        self.assertIn("came back changed", result.stderr)

    def test_end_of_connection(self):
        with Peer(lambda n, payload: frame(payload) if n == 1 else None, tls=self.context) as peer:
            result = load(peer.port, "--tls", "--conns", "1", "--count", "20")
        self.assertEqual((result.returncode, result.stdout), (1, ""))

    def test_every_handshake_is_a_full_one(self):
        with Peer(lambda _, payload: frame(payload), tls=self.context) as peer:
            result = load(peer.port, "--mode", "secure", "--conns", "2", "--count", "30")
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(json.loads(result.stdout)["messages"], 30)
            self.assertEqual((peer.messages, peer.agreed), (0, self.FULL))
            self.assertGreaterEqual(len(peer.connections), 30)

    def test_server_without_tls(self):
        with Peer(lambda _, payload: frame(payload)) as peer:
            threading.Thread(target=lambda: peer.greeted.wait(PATIENCE) and
                             peer.connections[0].sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"), daemon=True).start()
            result = load(peer.port, "--tls", "--conns", "1", "--count", "20")
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertIn("TLS handshake failed", result.stderr)

    def test_server_that_speaks_unasked(self):
        class Talking(Peer):
            def serve(self, connection):
                with self.tls.wrap_socket(connection, server_side=True) as secured:
                    secured.sendall(b"hello")
                    secured.recv(1)

        with Talking(None, tls=self.context) as peer:
            result = load(peer.port, "--mode", "secure", "--conns", "1", "--count", "5")
        self.assertEqual((result.returncode, result.stdout), (4, ""))
        self.assertIn("asked for nothing", result.stderr)


class FloorTest(unittest.TestCase):
    def test_every_size_and_job(self):
        for job in ("echo", "msg"):
            for size in (1, 2, 7, 125, 126, 1000, 65535, 65536, 600000, 1 << 20, 6 << 20):
                with self.subTest(job=job, size=size), floor(job) as server:
                    result = load(server.port, "--conns", "2", "--pipeline", "3", "--count", "24", "--size", str(size))
                    self.assertEqual(result.returncode, 0, result.stderr)
                    self.assertEqual(json.loads(result.stdout)["messages"], 24)

    def test_fan_reaches_everybody(self):
        with floor("fan") as server:
            result = load(server.port, "--mode", "fanout", "--conns", "20", "--count", "10")
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(json.loads(result.stdout)["messages"], 210)

    def test_fan_keeps_to_its_topic(self):
        with floor("fan") as server:
            result = load(server.port, "--mode", "fanout", "--conns", "20", "--topics", "4", "--count", "12")
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(json.loads(result.stdout)["messages"], 72)  # Five subscribers and the publisher, each time.

    def test_churn_and_idle(self):
        with floor("echo") as server:
            result = load(server.port, "--mode", "churn", "--conns", "4", "--count", "50")
            self.assertEqual(json.loads(result.stdout)["messages"], 50, result.stderr)
            result = load(server.port, "--mode", "idle", "--conns", "500", "--secs", "0", "--pid",
                          str(server.process.pid))
            self.assertGreater(json.loads(result.stdout)["rss_after"], 0, result.stderr)


class StagesTest(unittest.TestCase):
    """What is measured with extensions has them, or there is no figure."""

    def test_only_with_the_extensions(self):
        for kind in ("uninterested", "onlookers"):
            with self.subTest(kind), harness.Server(f"{STAGES} {kind}", int(CORE)) as server:
                self.assertNotEqual(load(server.port, "--conns", "2", "--count", "20", "--secs", "0").returncode, 0)
                with_them = load(server.port, "--offer", "x-a,x-b,x-c", "--conns", "2", "--count", "20", "--secs", "0")
                self.assertEqual(with_them.returncode, 0, with_them.stderr)

    def test_workload_starts_its_own_servers(self):
        workload = next(w for w in run.WORKLOADS if w.name == "stages-64x32")
        options = harness.parse(harness.parser(""), ["--build", str(BUILD)], rounds=1)
        options.rivals = []
        bench = harness.Bench(options)
        self.assertEqual(bench.server("hawser", workload).command, f"{STAGES} uninterested")
        self.assertEqual(bench.server("floor", workload).command, f"{STAGES} none")


class RunTest(unittest.TestCase):
    def comparison(self, *arguments):
        return subprocess.Popen([RUN, "--server-core", CORE, "--load-core", CORE, "--build", BUILD, "--warmup", "0.05",
                                 "--secs", "0.05", "--a", f"{FLOOR} {{job}}", *arguments], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def test_table(self):
        with self.comparison("--workload", "echo-512x32", "--rounds", "2") as process:
            out, errors = process.communicate(timeout=PATIENCE)
        self.assertIn(process.returncode, (0, 1), errors)  # Two short rounds may say anything about a bar.
        self.assertRegex(out, r"echo-512x32 +A +\S+ +\S+ +\d+\.\d{3}")

    def test_server_that_does_not_start(self):
        with self.comparison("--workload", "handshake", "--b", "/bin/false") as process:
            _, errors = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 2)
        self.assertIn("did not print", errors)

    def test_interrupt_leaves_nothing_behind(self):
        with self.comparison("--workload", "echo-64x32", "--secs", "30") as process:
            children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children")
            while len(pids := children.read_text().split()) < 2:
                self.assertIsNone(process.poll())
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 130, errors)
        self.assertEqual([pid for pid in pids if pathlib.Path(f"/proc/{pid}").exists()], [])

    def test_interval_holds_the_median_often_enough(self):
        self.assertIsNone(run.median_interval([1, 2, 3, 4, 5]))
        self.assertEqual(run.median_interval([6, 5, 4, 3, 2, 1]), (1, 6))
        self.assertEqual(run.median_interval(list(range(1, 9))), (1, 8))  # (2, 7) would hold it in 93 % of cases
        self.assertEqual(run.median_interval(list(range(1, 10))), (2, 8))

    def test_rows_compare_every_side_with_the_last_of_the_same_round(self):
        workload = run.Workload("w", "", "", bar=1.06)
        rows = list(run.summaries(workload, {"ours": [2, 4, 8], "rival": [3, 6, 30], "base": [1, 4, 4]}))
        self.assertEqual([row["side"] for row in rows], ["ours", "rival"])
        self.assertEqual([row["quotient"] for row in rows], [2, 3])  # of 2, 1, 2 and of 3, 1.5, 7.5
        self.assertEqual([row["verdict"] for row in rows], ["OVER", ""])

    def test_another_figure_is_told_beside(self):
        row = {"side": "ours"}
        run.tell_beside(row, "ratio", "base", [{"side": side, "ratio": ratio} for side, ratio in
                                               (("ours", 2), ("base", 7), ("ours", 4), ("ours", 3))])
        self.assertEqual((row["also"], row["also_base"]), (3, 7))

    def test_cheapest_of_the_others_is_the_base(self):
        workload = run.Workload("w", "", "", bar=1.05, against=(("x", ""), ("y", ""), ("z", "")))
        rows = list(run.summaries(workload, {"ours": [3, 3, 3], "x": [4, 4, 1], "y": [2, 2, 9], "z": [5, 5, 5]}))
        self.assertEqual([row["side"] for row in rows], ["ours", "x", "z"])
        self.assertEqual([row["quotient"] for row in rows], [1.5, 2, 2.5])
        self.assertEqual([(row["best"], row["verdict"]) for row in rows], [("y", "OVER"), ("y", ""), ("y", "")])

    def test_others_of_a_workload_unless_somebody_was_asked_for(self):
        workload = next(w for w in run.WORKLOADS if w.name == "tls-handshake")
        for arguments, sides in (([], ["hawser", "s_server"]), (["--a", "x"], ["A", "s_server"]), (["--b", "x"], ["hawser", "B"])):
            options = harness.parse(harness.parser(""), ["--build", str(BUILD), *arguments], rounds=1)
            options.rivals = []
            bench = harness.Bench(options)
            self.assertEqual(bench.sides_of(workload), sides)
        bench.options.b = None
        bench.certificate_folder()
        self.addCleanup(bench.certificates.cleanup)
        command = bench.server("s_server", workload).command
        self.assertNotIn("{", command)
        self.assertIn("BEGIN CERTIFICATE", pathlib.Path(re.search(r"-cert (\S+)", command)[1]).read_text())
        self.assertIn(bench.certificate_folder(), bench.server("hawser", workload).command)

    def test_rivals_that_a_workload_needs(self):
        workload = run.Workload("w", "", "", instead=("{build}/hawser", "{rivals}/lws deflate"))
        harness.RIVALS_FOLDER = BUILD / "no such folder"
        self.assertFalse(harness.Bench.can(workload))
        self.assertTrue(harness.Bench.can(run.Workload("w", "", "")))
        self.assertFalse(harness.Bench.can(run.Workload("w", "", "", against=(("x", "{rivals}/x"),))))
        self.assertTrue(harness.Bench.can(run.Workload("w", "", "", against=(("x", "x"),))))

    def test_what_cannot_be_done_is_said_before_anything_is_measured(self):
        growing = ROOT / "bench" / "growth"
        for program, words, complaint in (
                (RUN, ["--json", "/no/such/folder/x"], "folder is not there"),
                (RUN, ["--plot", "x.foo"], ".svg and .png"),
                (RUN, ["--instructions", "--workload", "idle-9000"], "no instructions are counted"),
                (growing, ["--most", "0"], "leaves nothing")):
            with self.subTest(words):
                done = subprocess.run([program, *words], capture_output=True, text=True, timeout=PATIENCE, check=False)
                self.assertEqual(done.returncode, 2)
                self.assertIn(complaint, done.stderr)
                self.assertEqual(done.stdout, "")

    def test_rival_that_was_not_built(self):
        harness.RIVALS_FOLDER = BUILD / "no such folder"
        options = run.parse(["--rival", "bun", "--build", str(BUILD), "--a", f"{FLOOR} {{job}}"])
        with self.assertRaisesRegex(harness.Failed, "bench/rivals/setup"):
            harness.Bench(options)

    def test_verdict(self):
        bar = run.Workload("w", "", "", bar=1.06)
        self.assertEqual(run.judge(bar, 1.05, (1.0, 1.06)), "met")
        self.assertEqual(run.judge(bar, 1.05, (1.0, 1.07)), "met, barely")
        self.assertEqual(run.judge(bar, 1.07, (1.0, 1.2)), "OVER")
        self.assertEqual(run.judge(run.Workload("w", "", ""), 9.0, None), "")


class GrowthTest(unittest.TestCase):
    SERIES = growth.Series("s", "", "", {1: None, 10: None}, by_size=True)

    @staticmethod
    def samples(**figures):
        return [{"series": "s", "x": x, "side": side, "round": index, "cpu_us": figure, "bytes_per_conn": 0}
                for side, points in figures.items() for x, values in points.items() for index, figure in enumerate(values)]

    def measured(self, *arguments):
        with tempfile.TemporaryDirectory() as folder:
            command = [ROOT / "bench" / "growth", "--server-core", CORE, "--load-core", CORE, "--build", BUILD, "--rounds", "1",
                       "--secs", "0.5", "--warmup", "0.05", "--a", f"{FLOOR} {{job}}", "--json", f"{folder}/json"]
            result = subprocess.run([*command, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                    timeout=PATIENCE, check=False)
            self.assertIn(result.returncode, (0, 1), result.stderr)
            again = subprocess.run([ROOT / "bench" / "growth", "--from", f"{folder}/json", "--plot", f"{folder}/plot.svg"],
                                   stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=False)
            self.assertTrue(pathlib.Path(folder, "plot.svg").exists() or "python3-matplotlib" in again.stderr, again.stderr)
        self.assertIn(again.stdout, result.stdout)
        return result.stdout

    def test_every_series(self):
        self.assertRegex(self.measured("--series", "connections", "--most", "16"), r"\n +16 +\S+ +\S+ +\d+\.\d{3}")
        self.assertRegex(self.measured("--series", "payload", "--most", "64"), r"\n +64 B +\S+ +\S+ +\d+\.\d{3}")
        self.assertRegex(self.measured("--series", "topics", "--most", "10"), r"\n +10 +\S+ +\S+ +\d+\.\d{3}")

    def test_growth_is_against_the_cheapest_before(self):
        samples = self.samples(A={1: [4], 10: [20], 100: [100], 1000: [2000]}, B={1: [4], 10: [20], 100: [100], 1000: [2000]})
        rows = growth.rows_of(self.SERIES, samples, ["A", "B"])
        self.assertEqual([row["growth"] for row in rows], [1, 0.5, 0.5, 2])
        self.assertEqual([row["verdict"] for row in rows], ["", "", "", "grows as the base does"])

    def test_what_the_base_does_not_suffer_is_growth(self):
        samples = self.samples(A={1: [4, 4], 10: [60, 60]}, B={1: [4, 4], 10: [40, 40]})
        self.assertEqual([row["verdict"] for row in growth.rows_of(self.SERIES, samples, ["A", "B"])], ["", "GROWS"])
        # Not because it was better than the base before.
        samples = self.samples(A={1: [2], 10: [40]}, B={1: [4], 10: [40]})
        self.assertEqual(growth.rows_of(self.SERIES, samples, ["A", "B"])[1]["verdict"], "grows as the base does")

    def test_point_that_was_interrupted_is_left_out(self):
        samples = self.samples(A={1: [4], 10: [40]}, B={1: [4]})
        self.assertEqual([row["x"] for row in growth.rows_of(self.SERIES, samples, ["A", "B"])], [1])

    def test_labels(self):
        self.assertEqual([self.SERIES.label(x) for x in (16, 1024, 1 << 20, 16 << 20)], ["16 B", "1 KiB", "1 MiB", "16 MiB"])


class ReportTest(unittest.TestCase):
    CIRCUMSTANCES = {"date": "today", "commit": "c", "machine": "m", "kernel": "k", "compiler": "g", "rounds": 9, "secs": 1.5}

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file, self.page = pathlib.Path(folder.name, "json"), pathlib.Path(folder.name, "page.md")

    def write(self, kind, rows, *sides):
        self.file.write_text(json.dumps({"kind": kind, "rows": rows, "sides": dict.fromkeys(sides, "server"), "samples": [1],
                                         "circumstances": self.CIRCUMSTANCES}))

    def test_comparison_gives_others_by_their_ratio(self):
        workload = run.Workload("w", "about it", "", bar=1.5)
        figures = {"ours": [2.0] * 6, "rival": [3.0] * 6, "floor": [1.0] * 6}
        self.write("comparison", list(run.summaries(workload, figures)), *figures)
        self.assertEqual(report.tables_of(self.file).splitlines()[2],
                         "| about it | 1.00 | 2.00 | 2.000 | 2.00 to 2.00 | 1.5 **over** | 3.00 |")

    def test_compressing_servers_are_shown_with_their_ratios(self):
        workload = run.Workload("w", "about it", "", bar=1.5, also="ratio")
        rows = [{**row, "also": 3.333, "also_base": 3.85}
                for row in run.summaries(workload, {"ours": [2.0] * 6, "floor": [1.0] * 6})]
        plain = run.summaries(run.Workload("p", "plain", "", bar=9), {"ours": [2.0] * 6, "floor": [1.0] * 6})
        self.write("comparison", [*rows, *plain], "ours", "floor")
        self.assertEqual(report.tables_of(self.file).splitlines()[2:4],
                         ["| about it | 1.00 | 2.00 | 2.000 | 2.00 to 2.00 | 1.5 **over** | 1/3.33 | 1/3.85 |",
                          "| plain | 1.00 | 2.00 | 2.000 | 2.00 to 2.00 | 9 met |  |  |"])

    def test_workloads_with_rivals_of_their_own_have_a_table_of_their_own(self):
        secured = run.Workload("s", "secured", "", bar=1.05, against=(("x", ""), ("y", "")))
        memory = run.Workload("m", "memory", "", bar=3, absolute=True, against=(("y", ""),))
        rows = [*run.summaries(run.Workload("p", "plain", "", bar=9), {"ours": [2.0] * 6, "floor": [1.0] * 6}),
                *run.summaries(secured, {"ours": [2.0] * 6, "x": [2.0] * 6, "y": [4.0] * 6}),
                *run.summaries(memory, {"ours": [2.0] * 6, "y": [4.0] * 6})]
        self.write("comparison", rows, "ours", "floor")
        lines = report.tables_of(self.file).splitlines()
        self.assertEqual(lines[2], "| plain | 1.00 | 2.00 | 2.000 | 2.00 to 2.00 | 9 met |")
        self.assertEqual(lines[4:8],
                         ["|  | best of the others | ours | ratio | 95 % of it | bar | x | y |", "|---|---:|---:|---:|---:|---:|---:|---:|",
                          "| secured | 2.00 (x) | 2.00 | 1.000 | 1.00 to 1.00 | 1.05 met | 1 | 2.00 |",
                          "| memory | 4.00 (y) | 2.00 |  | 2.00 to 2.00 | 3 met | - | 4.00 |"])
        self.write("comparison", rows[1:], "ours", "floor")
        self.assertTrue(report.tables_of(self.file).startswith("|  | best of the others | ours |"))

    def test_two_servers_of_ours_have_no_bar(self):
        figures = {"A": [2.0] * 6, "B": [1.0] * 6}
        self.write("comparison", list(run.summaries(run.Workload("w", "about it", "", bar=1.5), figures)), *figures)
        self.assertIn("| about it | 1.00 | 2.00 | 2.000 | 2.00 to 2.00 |\n\nA: `server`", report.tables_of(self.file))

    def test_growth(self):
        samples = GrowthTest.samples(A={1: [4], 10: [60]}, B={1: [4], 10: [40]})
        self.write("growth", growth.rows_of(GrowthTest.SERIES, samples, ["A", "B"]), "A", "B")
        self.assertIn("| 10 B | 40.00 | 60.00 | 1.500 |  | 1.50 | 1.00 |\n", report.tables_of(self.file))

    def test_instructions(self):
        row = {"series": "s", "label": "10 B", "about": "about it", "figure": 600.0, "base": 40.0, "growth": 1.5, "base_growth": 1}
        for kind, line in (("growth of instructions", "| 10 B | 40 | 600 | 1.50 | 1.00 |"),
                           ("instructions", "| about it | 40 | 600 |")):
            self.write(kind, [row], "A", "B")
            self.assertIn(line, report.tables_of(self.file))

    def test_page_of_the_project_shows_figures_everywhere(self):
        page = (ROOT / "docs" / "performance.md").read_text()
        places = re.findall(r"<!-- figures: (\S+) -->(.*?)<!-- end -->", page, re.DOTALL)
        self.assertEqual(page.count("<!-- figures:"), len(places))
        self.assertEqual([name for name, figures in places if "|---|" not in figures], [])
        for picture in re.findall(r"!\[.*?\]\((.*?)\)", page):
            self.assertTrue((ROOT / "docs" / picture).exists(), picture)

    def test_page_keeps_what_is_not_figures(self):
        self.file.write_text('{"g++": {"a-part": 7.0}}')
        self.page.write_text("before\n<!-- figures: x -->\nold\n<!-- end -->\nafter\n")
        report.put_into(self.page, [f"x={self.file}"])
        self.assertEqual(self.page.read_text(), "before\n<!-- figures: x -->\n\n|  | g++ |\n|---|---:|\n| a-part | 7 |\n\n"
                                                "<!-- end -->\nafter\n")
        for wrong in (f"y={self.file}", "x", f"x={self.page}"):
            with self.assertRaises(harness.Failed):
                report.put_into(self.page, [wrong])


class InstructionsTest(unittest.TestCase):
    def test_three_percent_more_are_too_many(self):
        self.assertFalse(instructions.is_worse(103, 100))
        self.assertTrue(instructions.is_worse(103.1, 100))
        self.assertFalse(instructions.is_worse(10**9, None))
        self.assertIn("OVER", instructions.row("mask-32", 40, 30))

    def test_every_part_runs(self):
        for name in instructions.names(BUILD / "bench" / "parts"):
            with self.subTest(name):
                subprocess.run([BUILD / "bench" / "parts", name, "64"], check=True, timeout=PATIENCE)
        self.assertEqual(subprocess.run([BUILD / "bench" / "parts", "other", "1"], capture_output=True).returncode, 2)


if __name__ == "__main__":
    unittest.main()

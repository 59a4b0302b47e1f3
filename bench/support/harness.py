"""What `run` and `growth` share: workloads, servers, the load generator, rounds, intervals, progress."""
import argparse
import ctypes
import datetime
import json
import math
import os
import pathlib
import re
import select
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).resolve().parents[2]
RIVALS_FOLDER = ROOT / "build" / "rivals"
LISTENING = re.compile(rb"listening on wss?://\S*:(\d+)")


@dataclass(frozen=True)
class Workload:
    """What one line of the table measures. `bar` is the highest allowed quotient, or figure where `absolute`."""

    name: str
    about: str
    load: str
    job: str = "echo"  # of the floor
    options: str = ""  # of hawser echo
    instead: tuple[str, str] | None = None  # other commands for hawser and the floor; {build}, {rivals}: the folders
    # Servers of others, in place of the floor and of what was asked for: the cheapest is the base. {cert}, {key}: files.
    against: tuple[tuple[str, str], ...] = ()
    also: str = ""  # another figure of the load that is told beside
    rivals: tuple[str, ...] = ()  # which rivals can do it; empty: all
    figure: str = "cpu_us"
    bar: float | None = None
    absolute: bool = False
    stretch: float = 1  # how many times as long a run takes
    counts: tuple[int, int] | None = None  # numbers of messages between which instructions are counted


# Servers that others wrote, as bench/rivals/setup leaves them. {rivals} is its folder.
RIVALS = {
    "libwebsockets": "{rivals}/lws",
    "beast": "{rivals}/beast",
    "beast-tuned": "{rivals}/beast tuned",
    "websocketpp": "{rivals}/websocketpp",
    "ws": "node {rivals}/ws.mjs {job}",
    "bun": "{rivals}/node_modules/.bin/bun {rivals}/bun.mjs {job}",
    "deno": "{rivals}/node_modules/.bin/deno run --allow-net {rivals}/deno.mjs",
}


class Failed(Exception):
    """One line for the person at the terminal."""


class Children:
    """Every process that this program starts. Each is pinned, and ends with this program whatever ends that."""

    INTERRUPTS = {signal.SIGINT, signal.SIGTERM}

    def __init__(self):
        self.all = []

    def start(self, command, core, **streams):
        libc = ctypes.CDLL(None)

        def setup():  # in the child
            libc.prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
            os.sched_setaffinity(0, {core})
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

        # An interrupt waits until the new process is in the list: otherwise nobody would end it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, self.INTERRUPTS)
        try:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       start_new_session=True, preexec_fn=setup, **streams)
            self.all.append(process)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return process

    def end(self, process, patience=0.0):
        """Ends one: asked first, if there is patience, then killed."""
        if process.poll() is None and patience > 0:
            process.terminate()
            try:
                process.wait(patience)
            except subprocess.TimeoutExpired:
                pass
        if process.poll() is None:
            process.kill()
        process.wait()
        if process in self.all:
            self.all.remove(process)

    def end_all(self):
        for process in list(self.all):
            self.end(process)


CHILDREN = Children()


class Server:
    """A server that is ours: started, asked for its port, and ended. Use it in a `with`."""

    def __init__(self, command, core, patience=15.0):
        self.command, self.core, self.patience = command, core, patience
        self.port = None
        if "{port}" in command:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
            self.command = command.replace("{port}", str(self.port))

    def __enter__(self):
        self.errors = tempfile.TemporaryFile()
        try:
            self.process = CHILDREN.start(shlex.split(self.command), self.core, stderr=self.errors)
        except OSError as error:
            raise Failed(f"cannot start `{self.command}`: {error.strerror}") from error
        try:
            if self.port is None:
                self.port = self.read_port()
            else:
                self.wait_until_connectable()
        except BaseException:
            self.__exit__()
            raise
        return self

    def read_port(self):
        text, deadline = b"", time.monotonic() + self.patience
        while (left := deadline - time.monotonic()) > 0:
            if not select.select([self.process.stdout], [], [], left)[0]:
                break
            chunk = os.read(self.process.stdout.fileno(), 4096)
            text += chunk
            if found := LISTENING.search(text):
                return int(found[1])
            if not chunk:
                break
        raise Failed(f"`{self.command}` did not print `listening on ws://HOST:PORT`: {self.said() or text.decode()}")

    def wait_until_connectable(self):
        deadline = time.monotonic() + self.patience
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                return socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.02)
        raise Failed(f"`{self.command}` does not listen on port {self.port}: {self.said()}")

    def said(self):
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace").strip()

    def stop(self):
        CHILDREN.end(self.process, patience=6)

    def __exit__(self, *_):
        self.stop()
        self.process.stdout.close()
        self.errors.close()


class Bench:
    def __init__(self, options):
        self.options = options
        build = pathlib.Path(options.build)
        self.load_program = build / "bench" / "load"
        hawser, floor = build / "hawser", build / "bench" / "floor"
        self.sides = {"A" if options.a else "hawser": options.a or f"{hawser} echo --listen 127.0.0.1:0 {{options}}"}
        for name in options.rivals:
            self.sides[name] = RIVALS[name].replace("{rivals}", str(RIVALS_FOLDER))
            if not (RIVALS_FOLDER / "built").exists():
                raise Failed("the rivals are not there yet: bench/rivals/setup installs and builds them")
        self.sides["B" if options.b else "floor"] = options.b or f"{floor} {{job}}"
        self.first, self.base = next(iter(self.sides)), list(self.sides)[-1]
        self.certificates = None
        for program in {self.load_program} | ({hawser} if not options.a else set()) | ({floor} if not options.b else set()):
            if not program.exists():
                raise Failed(f"{program} is not there: cmake --preset release && cmake --build --preset release")

    def server(self, side, workload, prefix=""):
        command = dict(self.peers_of(workload)).get(side) or self.sides[side]
        if workload.instead and not (self.options.a or self.options.b) and side in ("hawser", "floor"):
            command = workload.instead[side == "floor"].replace("{build}", str(self.options.build))
        command = command.replace("{rivals}", str(RIVALS_FOLDER))
        command = command.replace("{job}", workload.job).replace("{options}", workload.options)
        if "{cert}" in command:
            folder = self.certificate_folder()
            command = command.replace("{cert}", f"{folder}/cert.pem").replace("{key}", f"{folder}/key.pem")
        return Server(prefix + command, self.options.server_core, patience=60 if prefix else 15)

    @staticmethod
    def can(workload):
        """Whether all that the workload needs has been built."""
        commands = [*(workload.instead or ()), *(command for _, command in workload.against)]
        wanted = any("{rivals}" in command for command in commands)
        return not wanted or (RIVALS_FOLDER / "built").exists()

    def certificate_folder(self):
        """With cert.pem and key.pem: an ECDSA certificate by itself, made when it is wanted first."""
        if self.certificates is None:
            made = tempfile.TemporaryDirectory()
            command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                       "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout",
                       f"{made.name}/key.pem", "-out", f"{made.name}/cert.pem"]
            try:
                done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
            except OSError as error:
                raise Failed(f"no certificate can be made: openssl: {error.strerror}") from error
            if done.returncode != 0:
                raise Failed(f"no certificate can be made: {done.stderr.strip()}")
            self.certificates = made
        return self.certificates.name

    def peers_of(self, workload):
        """Those whom the workload names itself, unless somebody else was asked for."""
        return () if self.options.b else workload.against

    def sides_of(self, workload):
        """Who can do it: the first and the last always."""
        if workload.against:
            return [self.first, *(name for name, _ in self.peers_of(workload)), *([self.base] if self.options.b else [])]
        return [name for name in self.sides if name not in RIVALS or not (workload.rivals or workload.instead)
                or name in workload.rivals]

    def drive(self, server, arguments, seconds):
        """Runs the load generator; its figures, or Failed with what it said."""
        command = [str(self.load_program), "--port", str(server.port), "--json", *shlex.split(arguments)]
        load = CHILDREN.start(command, self.options.load_core, stderr=subprocess.PIPE)
        try:
            out, errors = load.communicate(timeout=seconds)
        except subprocess.TimeoutExpired as error:
            raise Failed(f"the load generator did not end within {seconds:.0f} s") from error
        finally:
            CHILDREN.end(load)
        if load.returncode != 0:
            said = errors.decode(errors="replace").strip() or f"ended with status {load.returncode}"
            raise Failed(f"{said} (server: `{server.command}` {server.said()})")
        return json.loads(out)

    def measure(self, side, workload):
        seconds = 0 if workload.absolute else self.options.secs * workload.stretch
        with self.server(side, workload) as server:
            arguments = (f"{workload.load} --secs {seconds} --warmup {self.options.warmup * workload.stretch} "
                         f"--pid {server.process.pid} --server-cpu {self.options.server_core}")
            return self.drive(server, arguments, seconds + 90)

    def instructions(self, side, workload):
        """User-space instructions a message: what more messages cost more, so that start and handshakes drop out."""
        totals = []
        for count in workload.counts:
            with tempfile.TemporaryDirectory() as scratch:
                prefix = f"valgrind --tool=callgrind --callgrind-out-file={scratch}/out "
                with self.server(side, workload, prefix) as server:
                    figures = self.drive(server, f"{workload.load} --count {count} --warmup 0 --secs 0", 700)
                    server.stop()
                    found = re.search(r"Collected : (\d+)", server.said())
                    if not found:
                        raise Failed(f"callgrind gave no count: {server.said()}")
                    totals.append((int(found[1]), figures["messages"]))
        (few, messages_few), (many, messages_many) = totals
        return (many - few) / (messages_many - messages_few)


def median_interval(values):
    """The median's 95 % interval by order statistics, which supposes nothing about the noise; None under six values."""
    ordered, n = sorted(values), len(values)
    inside, missed = None, 0.0
    for k in range(n // 2):
        missed += 2 * math.comb(n, k) / 2**n
        if missed > 0.05:
            break
        inside = (ordered[k], ordered[n - 1 - k])
    return inside


def number(value):
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.2f}" if value >= 1 else f"{value:.4f}"


class Progress:
    """A line that changes on a terminal; a line for each workload elsewhere."""

    def __init__(self):
        self.live = sys.stderr.isatty()

    def show(self, text):
        if self.live:
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)

    def settle(self, text):
        self.show("")
        print(text, file=sys.stderr, flush=True)


def run_rounds(bench, workload, rounds, progress):
    sides = bench.sides_of(workload)
    figures = {side: [] for side in sides}
    samples = []
    for index in range(rounds):
        # Who goes first changes, so that a machine that slows down or warms up favours nobody.
        turn = index % len(sides)
        for side in sides[turn:] + sides[:turn]:
            progress.show(f"{workload.name}: round {index + 1} of {rounds}, {side}")
            sample = bench.measure(side, workload)
            samples.append({"workload": workload.name, "side": side, "round": index, **sample})
            figures[side].append(sample[workload.figure])
    return figures, samples


def parser(about):
    """The options that every comparison takes."""
    made = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--a", metavar="CMD", help="the first server; default: hawser echo of the build. {job}, {options} "
                      "and {port} in a command are filled in; without {port} it must print `listening on "
                      "ws://HOST:PORT`")
    made.add_argument("--b", metavar="CMD", help="the last one, the base; default: the floor of the build")
    made.add_argument("--plot", metavar="FILE", help="draw the figures (.svg, .png); wants python3-matplotlib")
    made.add_argument("--build", default=str(ROOT / "build" / "release"), metavar="DIR", help="default: build/release")
    made.add_argument("--rounds", type=int, metavar="N", help="default: %(default)s; an interval needs 6")
    made.add_argument("--secs", type=float, default=1.5, help="measured seconds of a run (default: %(default)s)")
    made.add_argument("--warmup", type=float, default=0.4, help="seconds before (default: %(default)s)")
    made.add_argument("--quick", action="store_true", help="3 rounds of half a second: a glance, not a figure")
    made.add_argument("--json", metavar="FILE", help="write every sample there, for bench/report")
    made.add_argument("--server-core", type=int, default=0)
    made.add_argument("--load-core", type=int, default=1)
    made.add_argument("--list", action="store_true", help="list what can be measured")
    return made


def parse(made, arguments, rounds):
    made.set_defaults(rounds=rounds, rivals=[])
    options = made.parse_args(arguments)
    if options.quick:
        options.rounds, options.secs, options.warmup = 3, 0.5, 0.2
    if options.rounds < 1:
        made.error("--rounds wants at least 1")
    missing = {options.server_core, options.load_core} - os.sched_getaffinity(0)
    if missing:
        made.error(f"core {min(missing)} is not ours to use: --server-core and --load-core choose others")
    # Known before anything is measured, so that no figure is lost for it.
    for file in filter(None, (options.json, options.plot)):
        if not pathlib.Path(file).resolve().parent.is_dir():
            made.error(f"{file} cannot be written: its folder is not there")
    if options.plot and pathlib.Path(options.plot).suffix not in (".svg", ".png"):
        made.error(f"--plot writes .svg and .png, not {options.plot}")
    return options


def said_by(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False).stdout.strip()
    except OSError:
        return ""


def circumstances(options):
    """What a reader of the figures wants to know about them."""
    model = re.search(r"^model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    hawser = pathlib.Path(options.build) / "hawser"
    compiler = re.search(r"\[ *\w+\]\s+(.+)", said_by("readelf", "-p", ".comment", str(hawser)))
    return {"date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
            "commit": said_by("git", "describe", "--always", "--dirty"),
            "machine": f"{os.cpu_count()} cores, {model[1] if model else os.uname().machine}",
            "kernel": f"{os.uname().sysname} {os.uname().release}", "compiler": compiler[1] if compiler else "unknown",
            "rounds": options.rounds, "secs": options.secs, "warmup": options.warmup}


def write_json(options, bench, samples, kind, rows):
    if options.json and rows:
        sides = {side: command.replace(f"{ROOT}/", "") for side, command in bench.sides.items()}
        content = {"circumstances": circumstances(options), "sides": sides, "kind": kind, "rows": rows,
                   "samples": samples}
        pathlib.Path(options.json).write_text(json.dumps(content, indent=1) + "\n")


def plotting():
    try:
        import matplotlib
    except ImportError as error:
        raise Failed("--plot wants matplotlib: install python3-matplotlib") from error
    matplotlib.use("Agg")
    # Letters stay letters, and the same figures give the same file.
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "hawser"})
    from matplotlib import pyplot, ticker
    return pyplot, ticker


def save_plot(figure, file):
    figure.savefig(file, metadata={"Date": None} if file.endswith(".svg") else None)


def interrupted(*_):
    raise KeyboardInterrupt


def run(work, options):
    """Calls work(bench, options), says in one line what went wrong, ends every child; the exit status."""
    if os.getloadavg()[0] > 1:
        print(f"note: load average {os.getloadavg()[0]:.1f}: others are at work here, expect wide intervals", file=sys.stderr)
    if options.server_core == options.load_core:
        print("note: server and load share a core, and wait for each other: these are no figures", file=sys.stderr)
    return report_failure(lambda: work(Bench(options), options))


def report_failure(work):
    signal.signal(signal.SIGTERM, interrupted)
    try:
        return work()
    except Failed as failure:
        print(f"bench: {failure}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return 130
    finally:
        CHILDREN.end_all()

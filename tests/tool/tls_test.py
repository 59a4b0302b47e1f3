"""wss:// of the tool against what others wrote: OpenSSL's own programs, Python's ssl, websockets.

    tls_test.py peers|refused|clients|mixed_up|files|first_steps|passphrase|secrets|pipes HAWSER
"""

import asyncio
import contextlib
import http.client
import os
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile

import websockets

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "peers"))

from kit.authority import WATCHDOG, Authority, openssl, world  # noqa: E402
from kit.children import EchoServer, Program  # noqa: E402
from kit.registry import expect, expect_equal  # noqa: E402

HAWSER = sys.argv[2]


def connect(*words, line="hello"):
    """Status, standard output and standard error of `hawser connect`."""
    made = subprocess.run([HAWSER, "connect", *words], input=line.encode() + b"\n", capture_output=True,
                          timeout=WATCHDOG)
    return made.returncode, made.stdout.decode(), made.stderr.decode()


# ---- peers
def peers():
    """Both roles, TLS 1.2 and 1.3, against Python's ssl and OpenSSL's s_client."""
    with world() as (root, (certificate, key)):
        server = EchoServer(HAWSER, "--cert", certificate, "--key", key)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = ssl.create_default_context(cafile=root.certificate)
            context.minimum_version = context.maximum_version = version
            asyncio.run(exchange(server.url, context))
        said = subprocess.run(["openssl", "s_client", "-quiet", "-verify_return_error", "-CAfile", root.certificate, "-connect",
                               f"127.0.0.1:{server.port}"], input=b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
                              capture_output=True, timeout=WATCHDOG).stdout
        expect(said.startswith(b"HTTP/1.1 200 "), f"s_client got {said[:40]}")
        page = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=WATCHDOG,
                                           context=ssl.create_default_context(cafile=root.certificate))
        page.request("GET", "/")
        expect_equal(page.getresponse().status, 200, "status of the page")
        status, out, err = connect("-v", "--ca", root.certificate, server.url)
        expect_equal((status, out), (0, "hello\n"), err)
        expect("TLS 1.3, " in err and "CN = server" in err, err)
        server.stop()
        path = str(root.folder / "socket")
        local = Program([HAWSER, "echo", "--listen", f"unix:{path}", "--cert", certificate, "--key", key])
        local.find("^listening on wss\\+unix:")
        expect_equal(connect("--ca", root.certificate, f"wss+unix:{path}")[:2], (0, "hello\n"), "over a Unix socket")
        local.kill()
        asyncio.run(serve_with_websockets(root, certificate, key))


async def exchange(url, context):
    async with websockets.connect(url, ssl=context, max_size=None) as ws:
        for size in (0, 1, 125, 16384, 70000, 1 << 20):
            await ws.send(b"x" * size)
            expect_equal(len(await ws.recv()), size, "bytes that came back")


async def serve_with_websockets(root, certificate, key):
    async def echo(ws, _path=None):
        async for message in ws:
            await ws.send(message)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    async with websockets.serve(echo, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        await asyncio.to_thread(converse, root, f"wss://127.0.0.1:{port}")


def converse(root, url):
    tool = Program([HAWSER, "connect", "--ca", root.certificate, url])
    for size in (1, 20_000, 100_000):
        tool.write_line("y" * size)
        expect_equal(len(tool.next_line()), size, "characters that came back")
    tool.end_input()
    tool.expect_success()


# ---- refused
def refused():
    """F1: each certificate that is wrong is one line that says what mends it, and the server goes on."""
    with world() as (root, good):
        other = Authority(root.folder, "other")
        weak = root.issue("weak", "IP:127.0.0.1", key=("rsa:1024",))
        expired = root.issue("expired", "IP:127.0.0.1", days="-1")
        table = [
            (good, (), root, 0, ""),
            (good, ("--server-name", "localhost"), root, 0, ""),
            (good, ("--server-name", "example.org"), root, 1, "127.0.0.1, localhost, not for example.org"),
            (good, (), other, 1, "--ca"),
            (root.issue("elsewhere", "DNS:example.org"), (), root, 1, "it is for example.org, not for 127.0.0.1"),
            (expired, (), root, 1, "it has expired"),
            (other.issue("alien", "IP:127.0.0.1"), (), root, 1, "other"),
        ]
        for (certificate, key), words, trusted, expected, complaint in table:
            server = EchoServer(HAWSER, "--cert", certificate, "--key", key, "-v")
            status, _, err = connect("--ca", trusted.certificate, *words, server.url)
            expect_equal(status, expected, err)
            expect(complaint in err, f"'{complaint}' is not in: {err}")
            expect_equal(len(err.splitlines()), expected, err)
            if expected:
                server.find("TLS alert", "err")
                anyone = connect("--dangerously-accept-any-certificate", *words, server.url)
                expect_equal(anyone[:2], (0, "hello\n"), anyone[2])
            server.stop()
        made = subprocess.run([HAWSER, "echo", *weak.options], capture_output=True, timeout=WATCHDOG)
        expect(made.returncode == 2 and b"too weak; it takes" in made.stderr, made.stderr)


# ---- clients
def clients():
    """A server that wants to know who comes."""
    with world() as (root, (certificate, key)):
        own, own_key = root.issue("client", "DNS:client")
        server = EchoServer(HAWSER, "--cert", certificate, "--key", key, "--client-ca", root.certificate, "-v")
        status, out, err = connect("--ca", root.certificate, "--cert", own, "--key", own_key, server.url)
        expect_equal((status, out), (0, "hello\n"), err)
        server.find("CN = client", "err")
        status, _, err = connect("--ca", root.certificate, server.url)
        expect_equal(status, 1, err)
        expect("--cert" in err or "certificate" in err, err)
        server.find("showed no certificate", "err")
        alien = Authority(root.folder, "alien")
        theirs, their_key = alien.issue("stranger", "DNS:stranger")
        status, _, err = connect("--ca", root.certificate, "--cert", theirs, "--key", their_key, server.url)
        expect_equal(status, 1, err)
        server.find("CN = alien", "err")
        server.stop()


# ---- mixed up
def mixed_up():
    """Plain where TLS is wanted, TLS where plain is, old versions, garbage: one line each, and nobody else is harmed."""
    with world() as (root, (certificate, key)):
        server = EchoServer(HAWSER, "--cert", certificate, "--key", key, "-v")
        waits = socket.create_connection(("127.0.0.1", server.port))  # Says nothing, all the time.
        status, _, err = connect("ws" + server.url[3:])
        expect_equal(status, 1, err)
        expect("Use wss://" in err, err)
        server.find("this port wants wss://", "err")
        for garbage in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x05hello", b"\x80\x2e\x01\x00\x02", bytes(2000)):
            with socket.create_connection(("127.0.0.1", server.port), timeout=WATCHDOG) as peer:
                peer.sendall(garbage)
                with contextlib.suppress(ConnectionResetError):
                    while peer.recv(4096):
                        pass
            server.find(r"refused: 127\.0\.0\.1:\d+: (?!127\.)", "err")
        expect_equal(connect("--ca", root.certificate, server.url)[:2], (0, "hello\n"), "beside all that")
        waits.close()
        server.stop()
        plain = EchoServer(HAWSER, "-v")
        status, _, err = connect("--ca", root.certificate, plain.url)
        expect_equal(status, 2, err)
        expect("write wss://" in err, err)
        status, _, err = connect("wss" + plain.url[2:])
        expect_equal(status, 1, err)
        expect("use ws://" in err, err)
        plain.stop()
        # A server that is too old, and one whose pages are no WebSocket.
        for words, complaint in ((("-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"), "version"), (("-www",), "HTTP/1.1")):
            with socket.create_server(("127.0.0.1", 0)) as taken:
                port = taken.getsockname()[1]
            old = Program(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", certificate, "-key", key, *words])
            old.find("ACCEPT")
            status, _, err = connect("--ca", root.certificate, f"wss://127.0.0.1:{port}")
            expect_equal(status, 1, err)
            expect(complaint in err, err)
            old.kill()


# ---- files
def refuse(words, *said):
    """A call that is wrong: status 2, and one line in which all of `said` stands."""
    made = subprocess.run([HAWSER, *words], stdin=subprocess.DEVNULL, capture_output=True, timeout=WATCHDOG)
    err = made.stderr.decode()
    expect_equal((made.returncode, made.stdout, err.count("\n"), err[:8]), (2, b"", 1, "hawser: "), f"{words} said {err!r}")
    for word in said:
        expect(word in err, f"{words} should say {word!r}, not {err!r}")


def files():
    """What is no certificate or no key is one line with the option, the file and what is wrong with it."""
    with world() as (root, (certificate, key)):
        empty, text, der, digit, request, bare, public, damaged, trusted, older = (
            str(root.folder / name) for name in ("empty", "text", "der", "digit", "request", "bare", "public", "damaged", "trusted",
                                                 "older"))
        pathlib.Path(empty).touch()
        pathlib.Path(text).write_text("this is not a -----BEGIN CERTIFICATE-----\n", encoding="utf-8")
        openssl("x509", "-in", certificate, "-outform", "DER", "-out", der)
        pathlib.Path(digit).write_text("0: nothing in PEM\n", encoding="utf-8")
        openssl("x509", "-in", certificate, "-trustout", "-out", trusted)
        pathlib.Path(older).write_bytes(pathlib.Path(root.certificate).read_bytes().replace(b"CERTIFICATE", b"X509 CERTIFICATE"))
        openssl("req", "-new", "-key", key, "-subj", "/CN=server", "-out", request)
        openssl("pkey", "-in", key, "-out", bare)
        openssl("pkey", "-in", key, "-pubout", "-out", public)
        pathlib.Path(damaged).write_text(pathlib.Path(bare).read_text(encoding="utf-8").replace("\nM", "\n!"), encoding="utf-8")
        for file, wrong in ((empty, "is empty"), (text, "holds no certificate in PEM; none of its lines"),
                            (public, "called PUBLIC KEY"), (der, "DER"), (digit, "none of its lines"), (bare, "for --key"),
                            (trusted, "called TRUSTED CERTIFICATE, of which openssl x509 makes a certificate"),
                            (request, "called CERTIFICATE REQUEST"), ("/etc", "is a folder"), ("/dev/zero", "longer than 16 MiB"),
                            ("/no/such", "No such file")):
            refuse(["echo", "--cert", file, "--key", key], f"--cert {file} ", wrong)
            refuse(["echo", "--cert", certificate, "--key", key, "--client-ca", file], f"--client-ca {file} ", wrong)
            refuse(["connect", "--ca", file, "wss://127.0.0.1:1"], f"--ca {file} ", wrong)
        refuse(["echo", "--cert", certificate], f"--cert {certificate} holds no private key", "--key")
        for file, wrong in ((certificate, "holds no private key in PEM; what it begins with is called CERTIFICATE"),
                            (der, "DER"), (public, "PUBLIC KEY"), (damaged, "cannot be read: it is damaged"),
                            (empty, "is empty"), ("/etc", "is a folder"), (root.folder / "root.key", "is not the key")):
            refuse(["connect", "--cert", certificate, "--key", str(file), "wss://127.0.0.1:1"], "--key", str(file), wrong)
        # An unset variable in quotes names no file: it must not leave the door open, or trust everybody the system does.
        for option in ("--cert", "--key", "--client-ca", "--passphrase-file"):
            refuse(["echo", "--cert", certificate, "--key", key, option, ""], option)
        refuse(["echo", "--cert", ""], "--cert", "empty")
        refuse(["echo", "--cert", certificate, "--key", key, "--client-ca", ""], "--client-ca: the name is empty")
        for option in ("--ca", "--server-name"):
            refuse(["connect", option, "", "wss://127.0.0.1:1"], f"{option}: the name is empty")
        server = EchoServer(HAWSER, "--cert", certificate, "--key", key)
        for words in ((root.certificate, server.url.replace("wss", "WSS")), (older, server.url)):
            status, out, err = connect("--ca", *words)
            expect_equal((status, out), (0, "hello\n"), f"capitals in the scheme, the older name of a certificate: {err}")
        server.stop()


# ---- what the help says
def first_steps():
    """The commands that `hawser --help` names for TLS do what it says."""
    said = subprocess.run([HAWSER, "--help"], capture_output=True, timeout=WATCHDOG, check=True).stdout.decode()
    make, serve, join = re.findall(r"^  (?:openssl|hawser) (?:.*\\\n)*.*$", said.partition("Over TLS")[2], re.MULTILINE)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["bash", "-c", make], cwd=folder, capture_output=True, check=True, timeout=WATCHDOG)
        server = Program([HAWSER, *serve.split()[1:], "--listen", "127.0.0.1:0"], cwd=folder)
        port = server.find(r"^listening on wss://.*:(\d+)$").group(1)
        made = subprocess.run([HAWSER, *join.replace("9001", port).split()[1:]], cwd=folder, input=b"hello\n",
                              capture_output=True, timeout=WATCHDOG)
        expect_equal((made.returncode, made.stdout), (0, b"hello\n"), made.stderr)
        server.terminate()
        server.expect_success()


# ---- passphrase
def passphrase():
    """--passphrase-file opens an encrypted key at both ends; without it, or with a wrong one, a line says what to do."""
    with world() as (root, (certificate, key)):
        right, wrong, windows, long, empty = (str(root.folder / name) for name in ("right", "wrong", "windows", "long", "empty"))
        for path, content in ((right, "open sesame\nnot this\n"), (wrong, "open barley\n"), (windows, "open sesame\r\n"),
                              (long, 1025 * "x"), (empty, "\nopen sesame\n")):
            pathlib.Path(path).write_text(content, encoding="utf-8", newline="")
        modern, old, both = (str(root.folder / name) for name in ("modern.key", "old.key", "both.pem"))
        openssl("pkey", "-in", key, "-aes256", "-passout", f"file:{right}", "-out", modern)
        openssl("ec", "-in", key, "-aes128", "-passout", f"file:{right}", "-out", old)
        expect("Proc-Type" in pathlib.Path(old).read_text(encoding="utf-8"), "the older form of an encrypted key")
        pathlib.Path(both).write_bytes(pathlib.Path(certificate).read_bytes() + pathlib.Path(modern).read_bytes())
        opened = (("--cert", certificate, "--key", modern), ("--cert", certificate, "--key", old), ("--cert", both))
        for words in opened:
            server = EchoServer(HAWSER, *words, "--passphrase-file", right, "--client-ca", root.certificate)
            status, out, err = connect("--ca", root.certificate, *words, "--passphrase-file", windows, server.url)
            expect_equal((status, out), (0, "hello\n"), err)
            server.stop()
            for command in (["echo", *words], ["connect", *words, "wss://127.0.0.1:1"]):
                refuse(command, " ".join(words[-2:]), "is encrypted", "--passphrase-file")
                refuse([*command, "--passphrase-file", wrong], " ".join(words[-2:]), f"--passphrase-file {wrong}: that is another passphrase")
        pathlib.Path(both).write_text(pathlib.Path(modern).read_text(encoding="utf-8").replace("\nM", "\n!"), encoding="utf-8")
        refuse(["echo", "--cert", certificate, "--key", both, "--passphrase-file", right], "--key", "or the key is damaged")
        for path, said in ((long, "longer than 1024"), (empty, "first line is empty"), ("/dev/zero", "longer than 1024"),
                           ("/etc", "is a folder"), ("/no/such", "No such file")):
            refuse(["echo", *opened[0], "--passphrase-file", path], f"--passphrase-file {path}", said)
        refuse(["echo", "--passphrase-file", right], "--passphrase-file requires --cert")
        refuse(["connect", "--cert", certificate, "--passphrase-file", right, "ws://127.0.0.1:1"], "wss://")
        # It is read from a pipe line by line: what follows is for who reads next.
        server = EchoServer(HAWSER, "--cert", certificate, "--key", key, "--passphrase-file", right)  # Not needed, no harm.
        made = subprocess.run([HAWSER, "connect", "--ca", root.certificate, *opened[0], "--passphrase-file", "/dev/stdin",
                               server.url], input=b"open sesame\nhello\n", capture_output=True, timeout=WATCHDOG)
        expect_equal((made.returncode, made.stdout), (0, b"hello\n"), made.stderr)
        server.stop()


# ---- secrets
def memory_of(process):
    """All that the process may write to, but what is a machine's worth of addresses and not of memory."""
    with open(f"/proc/{process.pid}/maps", encoding="utf-8") as maps, open(f"/proc/{process.pid}/mem", "rb", 0) as memory:
        for line in maps:
            begin, end = (int(number, 16) for number in line.split()[0].split("-"))
            if line.split()[1].startswith("rw") and end - begin < 1 << 28:
                memory.seek(begin)
                with contextlib.suppress(OSError):
                    yield memory.read(end - begin)


def secrets():
    """What opens a key, and a key that came through a pipe, are in memory no more when the tool serves or is connected."""
    with world() as (root, (certificate, key)):
        for passphrase in ("short one", "a passphrase that has no room in a string itself"):
            opens, closed = str(root.folder / "opens"), str(root.folder / "closed.key")
            pathlib.Path(opens).write_text(passphrase + "\n", encoding="utf-8")
            openssl("pkey", "-in", key, "-aes256", "-passout", f"file:{opens}", "-out", closed)
            text = pathlib.Path(key).read_text(encoding="utf-8").split("\n", 2)[2]  # OpenSSL leaves single lines behind.
            for own, secret in ((f"--key {closed}", passphrase), (f"--key <(cat {closed})", passphrase), (f"--key <(cat {key})", text)):
                words = f"--cert {certificate} {own} --passphrase-file {opens}"
                server = Program(["bash", "-c", f"exec {HAWSER} echo --listen 127.0.0.1:0 {words} --client-ca {root.certificate}"])
                url = server.find(r"^listening on (\S+)").group(1)
                tool = Program(["bash", "-c", f"exec {HAWSER} connect -v --ca {root.certificate} {words} {url}"])
                tool.find("connected to", "err")
                for end in (server, tool):
                    seen = b"".join(memory_of(end.process))
                    expect(b"--passphrase-file" in seen, "the memory that was looked at")
                    expect(secret.encode() not in seen, f"{own}: '{secret}' is in the memory of {end.process.args[-1]}")
                tool.end_input()
                tool.expect_success()
                server.terminate()
                server.expect_success()


# ---- pipes
def pipes():
    """Files may be pipes, as a shell makes them of <(command); one that nobody writes does not keep Ctrl-C from ending."""
    with world() as (root, identity):
        certificate, key = identity
        both = identity.in_one_file()
        for words in (f"--cert <(cat {certificate}) --key <(cat {key}) --client-ca <(cat {root.certificate})",
                      f"--cert <(cat {both}) --client-ca <(cat {root.certificate})"):
            server = Program(["bash", "-c", f"exec {HAWSER} echo --listen 127.0.0.1:0 {words}"])
            url = server.find(r"^listening on (\S+)").group(1)
            made = subprocess.run(["bash", "-c", f"{HAWSER} connect --ca <(cat {root.certificate}) --cert <(cat {both}) {url}"],
                                  input=b"hello\n", capture_output=True, timeout=WATCHDOG)
            expect_equal((made.returncode, made.stdout), (0, b"hello\n"), made.stderr)
            server.terminate()
            server.expect_success()
        pipe = str(root.folder / "pipe")
        os.mkfifo(pipe)
        url = "wss://127.0.0.1:1"
        for words in (["echo", "--cert", pipe], ["echo", "--cert", certificate, "--key", pipe], ["connect", "--ca", pipe, url],
                      ["echo", *identity.options, "--client-ca", pipe], ["connect", "--cert", both, "--key", pipe, url],
                      ["echo", *identity.options, "--passphrase-file", pipe]):
            tool = Program([HAWSER, *words])
            end = os.open(pipe, os.O_WRONLY)  # Waits until the tool has opened it, which then waits for what is never written.
            tool.process.send_signal(signal.SIGINT)
            expect_equal(tool.wait(), -signal.SIGINT, f"the exit status of {words}")
            os.close(end)


if __name__ == "__main__":
    globals()[sys.argv[1]]()

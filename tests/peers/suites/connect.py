"""Client role: `hawser connect` against the servers of Python's `websockets` and of npm `ws`."""

import asyncio
import base64
import hashlib
import http
import json
import os
import signal
import socket
import threading

import websockets

from kit import payloads, wire
from kit.registry import expect, expect_equal, peer_test

LINES = ["hello", "你好", "", "  two spaces  ", "tab\there", *(payloads.text_of(n) for n in (125, 126, 127, 65535, 65536)),
         payloads.chinese_of(65537), payloads.text_of(payloads.MEBIBYTE), "🚢 last"]


class Server:
    """A `websockets` server on a thread of its own. Each connection runs `scene(ws)`; its end is kept in `ends`."""

    def __init__(self, scene, **options):
        self._loop = asyncio.new_event_loop()
        self.ends, self.requests = [], []
        self.changed = threading.Condition()
        started = threading.Event()

        async def handle(ws, path=None):
            self.requests.append((ws.path, ws.request_headers))
            try:
                await scene(ws)
            except websockets.ConnectionClosed:
                pass
            await ws.wait_closed()
            with self.changed:
                self.ends.append((ws.close_rcvd and ws.close_rcvd.code, ws.close_sent and ws.close_sent.code))
                self.changed.notify_all()

        async def serve():
            options.setdefault("compression", None)
            self._server = await websockets.serve(handle, "127.0.0.1", 0, max_size=32 << 20, ping_interval=None, **options)
            self.port = self._server.sockets[0].getsockname()[1]
            self.url = f"{'wss' if 'ssl' in options else 'ws'}://127.0.0.1:{self.port}"
            started.set()

        def run():
            self._loop.run_until_complete(serve())
            self._loop.run_forever()

        threading.Thread(target=run, daemon=True).start()
        started.wait(30)

    def end(self):
        """(code received, code sent) of the first connection that ended."""
        with self.changed:
            expect(self.changed.wait_for(lambda: self.ends, 30), "the connection did not end")
            return self.ends[0]


async def echo(ws):
    async for message in ws:
        await ws.send(message)


@peer_test("client/websockets/every line comes back")
def lines(bench):
    server = Server(echo)
    tool = bench.connect(server.url + "/")
    for line in LINES:
        tool.write_line(line)
        expect_equal(tool.next_line(), line, "the line that came back")
    tool.end_input()
    tool.expect_success()
    expect_equal(server.end(), (1000, 1000), "the close codes after the end of the input")
    expect_equal(tool.lines("out"), LINES, "clean lines, nothing else, in a pipe")
    expect_equal(tool.lines("err"), [], "nothing on standard error without -v")


@peer_test("client/websockets/the request is as asked")
def request(bench):
    server = Server(echo, subprotocols=["chat.v2"])
    tool = bench.connect(f"{server.url}/a/b%20c?x=1&y=%E7%BC%86", "-v", "-H", "X-Token: abc def", "-H", "X-Empty:",
                         "--subprotocol", "chat.v3", "--subprotocol", "chat.v2")
    tool.write_line("up")
    tool.find("^up$")
    tool.end_input()
    tool.expect_success()
    path, headers = server.requests[0]
    expect_equal(path, "/a/b%20c?x=1&y=%E7%BC%86", "the target")
    expect_equal(headers.get_all("Host"), [server.url[5:]], "Host")
    expect_equal(headers.get_all("X-Token"), ["abc def"], "a header of -H")
    expect_equal(headers.get_all("X-Empty"), [""], "an empty header of -H")
    expect_equal(headers.get_all("Sec-WebSocket-Version"), ["13"], "Sec-WebSocket-Version")
    expect_equal(len(base64.b64decode(headers["Sec-WebSocket-Key"], validate=True)), 16, "the size of the key")
    expect_equal(headers.get_all("Sec-WebSocket-Extensions"), [], "extensions that nobody asked for")
    offered = [name.strip() for value in headers.get_all("Sec-WebSocket-Protocol") for name in value.split(",")]
    expect_equal(offered, ["chat.v3", "chat.v2"], "the subprotocols, in the order given")
    expect("chat.v2" in "\n".join(tool.lines("err")), "-v does not name the subprotocol")


@peer_test("client/websockets/two connections never use one key")
def keys(bench):
    server = Server(echo)
    for _ in range(4):
        tool = bench.connect(server.url + "/")
        tool.end_input()
        tool.expect_success()
    seen = [headers["Sec-WebSocket-Key"] for _, headers in server.requests]
    expect_equal(len(set(seen)), 4, "different keys of four connections")


@peer_test("client/websockets/pings are answered, fragments put together")
def pings_and_fragments(bench):
    async def scene(ws):
        for payload in (b"", b"x", payloads.binary_of(125)):
            await asyncio.wait_for(await ws.ping(payload), 30)

        async def pieces():
            for piece in ("缆", "", "绳", "x" * 70000):
                yield piece
                await asyncio.wait_for(await ws.ping(), 30)

        await ws.send(pieces())
        await ws.recv()

    server = Server(scene)
    tool = bench.connect(server.url + "/")
    expect_equal(tool.next_line(), "缆绳" + "x" * 70000, "the message put together")
    tool.write_line("thanks")
    tool.end_input()
    tool.expect_success()
    expect_equal(server.end()[0], 1000, "the close code")


@peer_test("client/websockets/a close by the server is answered")
def server_closes(bench):
    for code, reason in ((1000, ""), (1000, "再见"), (1001, "restart"), (1011, "r" * 123), (4000, "enough")):
        async def scene(ws, code=code, reason=reason):
            await ws.send("last words")
            await ws.close(code, reason)

        server = Server(scene)
        tool = bench.connect(server.url + "/")
        expect_equal(tool.next_line(), "last words", "the message before the close")
        tool.wait()  # without an end of its input
        expect_equal(server.end(), (code, code), f"the close codes, received and sent, of a close with {code}")


@peer_test("client/websockets/an HTTP refusal is one clear line")
def http_refusal(bench):
    for status in (401, 403, 404, 503):
        async def refuse(path, headers, status=status):
            return http.HTTPStatus(status), [], b"no\n"

        server = Server(echo, process_request=refuse)
        tool = bench.connect(server.url + "/")
        expect_equal(tool.wait(), 1, f"the exit status after {status}")
        complaint = tool.lines("err")
        expect(len(complaint) == 1 and str(status) in complaint[0], f"wanted one line with {status}, got {complaint}")
        expect_equal(tool.lines("out"), [], "nothing on standard output")


@peer_test("client/websockets/permessage-deflate on the server does no harm")
def deflate(bench):
    server = Server(echo, compression="deflate")
    tool = bench.connect(server.url + "/")
    tool.write_line(payloads.text_of(5000))
    expect_equal(tool.next_line(), payloads.text_of(5000), "the uncompressed echo")
    tool.end_input()
    tool.expect_success()


# ---- npm ws --------------------------------------------------------------------------------------------------------
class NpmServer:
    def __init__(self, bench, *identity):
        self._program = bench.node("ws_server.mjs", *identity)
        self.url = self._program.find(r"^listening on (wss?://.*)$").group(1)

    def next(self, event):
        """The next thing that the server saw, which must be `event`."""
        seen = json.loads(self._program.next_line())
        expect_equal(seen["event"], event, f"what the server saw ({seen})")
        return seen


@peer_test("client/npm-ws/every line comes back")
def npm_lines(bench):
    server = NpmServer(bench)
    tool = bench.connect(server.url + "/echo", "--subprotocol", "chat.v2", "-H", "X-Token: abc")
    seen = server.next("open")
    expect_equal((seen["protocol"], seen["extensions"], seen["headers"]["x-token"]), ("chat.v2", "", "abc"), "the request")
    for line in LINES:
        tool.write_line(line)
        expect_equal(tool.next_line(), line, "the line that came back")
        heard, data = server.next("message"), line.encode("utf-8")
        wanted = line if len(data) <= 300 else f"sha1:{hashlib.sha1(data).hexdigest()}"
        expect_equal((heard["binary"], heard["size"], heard["data"]), (False, len(data), wanted), "what the server heard")
    tool.end_input()
    tool.expect_success()
    expect_equal(server.next("close")["code"], 1000, "the close code")


@peer_test("client/npm-ws/a pipe of 2000 lines, closed at once, loses none")
def npm_pipe(bench):
    server = NpmServer(bench)
    tool = bench.connect(server.url + "/echo")
    wanted = [f"line {number} 缆绳" for number in range(2000)]
    tool.write("".join(line + "\n" for line in wanted).encode("utf-8"))
    tool.end_input()
    tool.expect_success()
    server.next("open")
    expect_equal([server.next("message")["data"] for _ in wanted], wanted, "what the server heard")
    expect_equal(server.next("close")["code"], 1000, "the close code")
    expect_equal(tool.lines("out"), wanted, "the echoes, printed before the end")


@peer_test("client/npm-ws/pings, fragments, bursts and closes")
def npm_scenes(bench):
    server = NpmServer(bench)
    tool = bench.connect(server.url + "/pings")
    server.next("open")
    expect_equal([len(server.next("pong")["data"]) for _ in range(4)], [0, 1, 125, 4], "the payloads of the pongs")
    expect_equal(tool.next_line(), "all pings answered", "the server's word")
    tool.end_input()
    tool.expect_success()
    server.next("close")

    tool = bench.connect(server.url + "/fragments")
    server.next("open")
    expect_equal(tool.next_line(), payloads.chinese_of(9000), "the message put together")
    expect_equal(server.next("pong")["data"], "between", "the pong between the fragments")
    tool.end_input()
    tool.expect_success()
    server.next("close")

    tool = bench.connect(server.url + "/burst?count=3000")
    server.next("open")
    tool.wait()
    expect_equal(tool.lines("out"), [f"line {number}" for number in range(3000)], "the burst before a close")
    expect_equal(server.next("close")["code"], 1000, "the answer to the close behind the burst")

    for code in (1000, 1008, 1011, 1012, 4999):
        tool = bench.connect(f"{server.url}/close?code={code}&reason=because")
        server.next("open")
        tool.wait()
        expect_equal(server.next("close")["code"], code, "the code that came back")


@peer_test("client/npm-ws/a server that vanishes is reported")
def npm_vanish(bench):
    server = NpmServer(bench)
    tool = bench.connect(server.url + "/vanish")
    tool.write_line("go")
    expect_equal(tool.wait(), 1, "the exit status after a lost connection")
    expect_equal(len(tool.lines("err")), 1, f"lines of complaint in {tool.lines('err')}")


# ---- the shell's view ----------------------------------------------------------------------------------------------
@peer_test("client/shell/the exit status says whether the peer took what it was sent")
def exit_status(bench):
    for code, status in ((1000, 0), (1001, 0), (4000, 0), (1002, 1), (1008, 1), (1009, 1), (1011, 1)):
        async def scene(ws, code=code):
            await ws.recv()
            await ws.close(code, "why")

        tool = bench.connect(Server(scene).url + "/")
        tool.write_line("one")
        expect_equal(tool.wait(), status, f"the exit status after a close with {code}")
        complaint = tool.lines("err")
        expect(len(complaint) == 1 and str(code) in complaint[0], f"wanted one line with {code}, got {complaint}")

    server = bench.echo("--max-message", "10")
    tool = bench.connect(server.url)
    tool.write(b"longer than ten bytes\n")
    tool.end_input()  # so the tool may have closed by the time it is told
    expect_equal(tool.wait(), 1, "the exit status of a pipe whose line was refused")
    expect("1009" in "\n".join(tool.lines("err")), "nothing is said of the refusal")


@peer_test("client/shell/a last line without its end is a line")
def last_line(bench):
    for given, wanted, complaints in ((b"whole\nlast", ["whole", "last"], 0), (b"whole\n\xff", ["whole"], 1)):
        heard = []

        async def scene(ws, heard=heard):
            async for message in ws:
                heard.append(message)

        server = Server(scene)
        tool = bench.connect(server.url + "/")
        tool.write(given)
        tool.end_input()
        expect_equal(tool.wait(), 1 if complaints else 0, "the exit status: a line that was not sent counts")
        expect_equal(server.end()[0], 1000, "the close code")
        expect_equal((heard, len(tool.lines("err"))), (wanted, complaints), "what was heard, and lines of complaint")


@peer_test("client/shell/closed standard streams become no part of the connection")
def closed_streams(bench):
    for streams in ((0,), (1,), (0, 1, 2)):
        heard = []

        async def scene(ws, heard=heard):
            await ws.send("must not come back")
            async for message in ws:
                heard.append(message)

        server = Server(scene)
        tool = bench.start(bench.hawser, "connect", server.url + "/",
                           preexec=lambda streams=streams: [os.close(number) for number in streams])
        tool.end_input()
        tool.expect_success()
        expect_equal((server.end()[0], heard), (1000, []), f"what the server heard with {streams} closed")


@peer_test("client/shell/output that cannot be written ends it with status 1")
def full_disk(bench):
    server = Server(echo)
    tool = bench.start("/bin/sh", "-c", '"$0" connect "$1" >/dev/full', bench.hawser, server.url + "/")
    tool.write_line("lost")
    expect_equal(tool.wait(), 1, "the exit status")
    expect_equal(len(tool.lines("err")), 1, f"lines of complaint in {tool.lines('err')}")
    expect_equal(server.end()[0], 1001, "the close code")


def feed(stdin):
    try:
        for _ in range(40):
            stdin.write(b"x" * (1 << 20) + b"\n")
    except OSError:
        pass  # the tool has ended, as it should


@peer_test("client/shell/Ctrl-C ends it while it waits for an answer or for a reader")
def interrupted(bench):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"ws://127.0.0.1:{listener.getsockname()[1]}/"
        tool = bench.connect(url)
        connection, _ = listener.accept()
        with connection:
            connection.recv(1)  # the request is here, and stays without an answer
            tool.process.send_signal(signal.SIGINT)
            expect_equal(tool.wait(), -signal.SIGINT, "the exit status before the connection was open")

        tool = bench.connect(url, "-v")
        connection, _ = listener.accept()
        with connection:
            data = connection.recv(65536)
            while b"\r\n\r\n" not in data:
                data += connection.recv(65536)
            connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                               b"Sec-WebSocket-Accept: " + accept_of(wire.split_head(data)[0]).encode() + b"\r\n\r\n")
            tool.find("connected", "err")
            # More than the tool keeps, so that a line waits for a peer that never reads.
            threading.Thread(target=feed, args=(tool.process.stdin,), daemon=True).start()
            connection.recv(1)
            tool.process.send_signal(signal.SIGINT)
            expect_equal(tool.wait(), 1, "the exit status of a close that nobody answered")


# ---- wrong from the start ------------------------------------------------------------------------------------------
@peer_test("client/usage/mistakes end with status 2 and one line, unreachable hosts with 1")
def mistakes(bench):
    free = socket.create_server(("127.0.0.1", 0))
    closed_port = free.getsockname()[1]
    free.close()
    table = [
        (["connect", "http://127.0.0.1/"], 2), (["connect", "ws://"], 2), (["connect", "ws://127.0.0.1:99999/"], 2),
        (["connect", "127.0.0.1:80"], 2), (["connect", "ws://127.0.0.1:80/#part"], 2),
        (["connect", "ws://127.0.0.1/", "-H", "no colon"], 2), (["connect", "ws://127.0.0.1/", "-H", "X: a\r\nY: b"], 2),
        (["connect", "ws://127.0.0.1/", "--extension", "x-no-such"], 2),
        (["connect", "ws://127.0.0.1/", "--subprotocol", "two words"], 2),
        (["echo", "--listen", "127.0.0.1"], 2), (["echo", "--listen", "127.0.0.1:70000"], 2),
        (["echo", "--listen", "127.0.0.1:0", "--no-such-flag"], 2),
        (["echo", "--listen", "127.0.0.1:0", "--extension", "x-no-such"], 2),
        (["echo", "--listen", "127.0.0.1:0", "--max-message", "many"], 2),
        (["echo", "--listen", "127.0.0.1:0", "--max-message", "-1"], 2), (["echo", "--max-message", str(10**20)], 2),
        (["echo", "--listen", "127.0.0.1:0", "--max-message", "0"], 2), (["echo", "--max-fragments", str(2**32)], 2),
        (["echo", "--listen", "127.0.0.1:0", "--max-per-ip", "0"], 2), (["echo", "--accept-rate", "0"], 2),
        (["echo", "--listen", "unix:/no/such/folder/socket"], 2), (["echo", "--listen", "unix:"], 2),
        (["echo", "--client", "ws://127.0.0.1/", "--listen", "127.0.0.1:0"], 2), (["echo", "--client", "nonsense"], 2),
        ([], 2), (["no-such-command"], 2),
        (["connect", f"ws://127.0.0.1:{closed_port}/"], 1), (["connect", "ws://no-such-host.invalid/"], 1),
        (["echo", "--client", f"ws://127.0.0.1:{closed_port}"], 1),
    ]
    for words, status in table:
        tool = bench.start(bench.hawser, *words, name=f"hawser {' '.join(words)}")
        seen = tool.wait()
        expect_equal(seen, status, f"the exit status of {words} ({tool.lines('err')})")
        expect_equal(len(tool.lines("err")), 1, f"lines of complaint of {words}: {tool.lines('err')}")
        expect_equal(tool.lines("out"), [], f"nothing on standard output of {words}")


@peer_test("server/usage/a port in use is one clear line")
def port_in_use(bench):
    server = bench.echo()
    second = bench.start(bench.hawser, "echo", "--listen", f"127.0.0.1:{server.port}")
    expect_equal(second.wait(), 1, "the exit status of the second server")
    expect_equal(len(second.lines("err")), 1, f"lines of complaint: {second.lines('err')}")
    server.stop()


# ---- refusals that the client owes ---------------------------------------------------------------------------------
GOOD = {"status": "HTTP/1.1 101 Switching Protocols", "upgrade": "Upgrade: websocket", "connection": "Connection: Upgrade",
        "accept": "Sec-WebSocket-Accept: %s"}
BAD_RESPONSES = {
    "200": {"status": "HTTP/1.1 200 OK"}, "HTTP/1.0": {"status": "HTTP/1.0 101 Switching Protocols"},
    "no status": {"status": "HTTP/1.1 Switching"}, "not HTTP": {"status": "SSH-2.0-OpenSSH_9.2"},
    "no Upgrade": {"upgrade": None}, "another Upgrade": {"upgrade": "Upgrade: h2c"},
    "no Connection": {"connection": None}, "another Connection": {"connection": "Connection: keep-alive"},
    "no accept": {"accept": None}, "a wrong accept": {"accept": "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="},
    "an accept in other case": {"accept": "Sec-WebSocket-Accept: %s", "swap": True},
    "an extension not offered": {"more": "Sec-WebSocket-Extensions: permessage-deflate"},                     # N-08
    "an extension answered twice": {"more": "Sec-WebSocket-Extensions: x-rot13, x-rot13"},
    "a parameter not known": {"more": "Sec-WebSocket-Extensions: x-rot13; nope"},                             # N-13
    "a malformed extension": {"more": "Sec-WebSocket-Extensions: x-rot13;"},                                  # N-01
    "an empty extension header": {"more": "Sec-WebSocket-Extensions:"},                                       # N-06
    "a subprotocol not offered": {"more": "Sec-WebSocket-Protocol: chat.v9"},
    "a space before a colon": {"more": "X-Odd : 1"}, "a folded line": {"more": "X-Odd: 1\r\n 2"},
    "a head without end": {"more": "X-Long: " + "x" * 40000},
}


def accept_of(head):
    key = head.one("Sec-WebSocket-Key").encode()
    return base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).decode()


def answer_with(listener, changes, witness):
    """Answers one handshake with a spoilt response, then keeps what the client still sends."""
    connection, _ = listener.accept()
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _ = wire.split_head(data)
    accept = accept_of(head)
    lines = {**GOOD, **changes}
    accept_line = lines["accept"] and lines["accept"].replace("%s", accept.swapcase() if changes.get("swap") else accept)
    chosen = [lines["status"], lines["upgrade"], lines["connection"], accept_line, lines.get("more")]
    connection.sendall("".join(line + "\r\n" for line in chosen if line is not None).encode() + b"\r\n")
    try:
        while True:
            more = connection.recv(65536)
            if not more:
                break
            witness.extend(more)
            if any(frame.opcode == wire.CLOSE for frame in wire.frames(bytes(witness))[0]):
                connection.sendall(bytes.fromhex("880203e8"))
                break
    except OSError:
        pass
    connection.close()


def spoilt_response(bench, changes, status):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        witness = bytearray()
        thread = threading.Thread(target=answer_with, args=(listener, changes, witness), daemon=True)
        thread.start()
        tool = bench.connect(f"ws://127.0.0.1:{listener.getsockname()[1]}/", "--extension", "x-rot13",
                             "--subprotocol", "chat.v2")
        if status == 0:
            tool.end_input()
        expect_equal(tool.wait(), status, f"the exit status for {changes} ({tool.lines('err')})")
        thread.join(30)
        expect(not thread.is_alive(), f"the connection was left open after {changes}")
        return tool.lines("err"), bytes(witness)


@peer_test("client/refusals/a response that breaks the RFC ends with one clear line")
def refusals(bench):
    spoilt_response(bench, {}, 0)  # unspoilt, it is accepted
    for title, changes in BAD_RESPONSES.items():
        complaint, witness = spoilt_response(bench, changes, 1)
        expect_equal(len(complaint), 1, f"lines of complaint for {title}: {complaint}")
        expect(all(frame.opcode == wire.CLOSE for frame in wire.frames(witness)[0]), f"after {title} the client sent data")

"""Server role against Python's websocket-client: its blocking connection and its WebSocketApp."""

import threading

import websocket
from websocket import ABNF

from kit import payloads
from kit.children import PATIENCE
from kit.registry import expect, expect_equal, peer_test

PREFIX = "server/websocket-client"


def connect(server, **options):
    return websocket.create_connection(server.url, timeout=PATIENCE, **options)


def send(peer, message):
    peer.send(message, ABNF.OPCODE_TEXT if isinstance(message, str) else ABNF.OPCODE_BINARY)


def receive(peer):
    """The next data message; a str for text, which websocket-client itself would also give for binary data."""
    opcode, data = peer.recv_data()
    expect(opcode in (ABNF.OPCODE_TEXT, ABNF.OPCODE_BINARY), f"wanted a message, got opcode {opcode}: {data!r}")
    return data.decode("utf-8") if opcode == ABNF.OPCODE_TEXT else data


def close_and_read_answer(peer, code, reason):
    """Sends a Close frame and returns the payload of the one that comes back."""
    peer.send(code.to_bytes(2, "big") + reason.encode("utf-8"), ABNF.OPCODE_CLOSE)
    opcode, frame = peer.recv_data_frame(control_frame=True)
    expect_equal(opcode, ABNF.OPCODE_CLOSE, "the opcode that answers a Close")
    return frame.data


@peer_test(f"{PREFIX}/every size comes back")
def every_size(bench):
    server = bench.echo()
    peer = connect(server)
    for message in payloads.everything():
        send(peer, message)
        expect_equal(receive(peer), message, f"the echo of {len(message)} {type(message).__name__}")
    peer.close()
    server.stop()


@peer_test(f"{PREFIX}/fragments are put together")
def fragments(bench):
    server = bench.echo()
    peer = connect(server)
    pieces = {
        ABNF.OPCODE_TEXT: ["缆绳".encode()[:4], "缆绳".encode()[4:], b"", b" rope"],
        ABNF.OPCODE_BINARY: [b"", b"\x00", payloads.binary_of(70000), b"\xff" * 126, b""],
    }
    for opcode, parts in pieces.items():
        for index, part in enumerate(parts):
            last = index == len(parts) - 1
            peer.send_frame(ABNF(1 if last else 0, 0, 0, 0, opcode if index == 0 else ABNF.OPCODE_CONT, 1, part))
            if not last:  # F-06: a ping between fragments is answered at once
                peer.ping(f"between {index}")
                opcode_seen, pong = peer.recv_data_frame(control_frame=True)
                expect_equal((opcode_seen, pong.data), (ABNF.OPCODE_PONG, f"between {index}".encode()), "the pong")
        expect_equal(peer.recv_data(), (opcode, b"".join(parts)), "the message put together")
    peer.close()
    server.stop()


@peer_test(f"{PREFIX}/pings are answered with their own payload")
def pings(bench):
    server = bench.echo()
    peer = connect(server)
    for size in (0, 1, 4, 124, 125):
        peer.ping(payloads.binary_of(size))
        opcode, frame = peer.recv_data_frame(control_frame=True)
        expect_equal((opcode, bytes(frame.data)), (ABNF.OPCODE_PONG, payloads.binary_of(size)), "the pong")
    for number in range(5):  # F-14, and an order that holds while nothing blocks
        peer.ping(str(number))
    seen = [peer.recv_data_frame(control_frame=True) for _ in range(5)]
    expect_equal([frame.data for _, frame in seen], [b"0", b"1", b"2", b"3", b"4"], "the pongs in order")
    peer.pong("nobody asked")
    send(peer, "still here")
    expect_equal(receive(peer), "still here", "the echo after a pong that nobody asked for")
    peer.close()
    server.stop()


@peer_test(f"{PREFIX}/a close is echoed with its code")
def closes(bench):
    server = bench.echo()
    for code, reason in ((1000, ""), (1000, "再见"), (1001, "going"), (1003, "x"),
                         (1011, "r" * 123), (1014, ""), (3000, "library"), (4999, "mine")):
        peer = connect(server)
        answer = close_and_read_answer(peer, code, reason)
        expect_equal(int.from_bytes(answer[:2], "big"), code, f"the close code that answers {code}")
        peer.shutdown()
    server.stop()


@peer_test(f"{PREFIX}/2000 messages keep their order")
def many(bench):
    server = bench.echo()
    peer = connect(server)
    for number in range(2000):
        send(peer, f"message {number}" if number % 3 else f"{number}".encode())
    for number in range(2000):
        expect_equal(receive(peer), f"message {number}" if number % 3 else f"{number}".encode(), "the next echo")
    peer.close()
    server.stop()


@peer_test(f"{PREFIX}/32 connections at once keep apart")
def concurrent(bench):
    server = bench.echo()
    failures = []

    def talk(index):
        try:
            peer = connect(server)
            for turn in range(20):
                message = f"{index}/{turn} " + payloads.text_of(turn * 97 + index)
                send(peer, message)
                expect_equal(receive(peer), message, f"the echo on connection {index}")
            peer.close()
        except Exception as failure:  # told in the main thread
            failures.append(failure)

    threads = [threading.Thread(target=talk, args=(index,)) for index in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expect(not failures, f"{len(failures)} of 32 failed, the first: {failures[:1]}")
    server.stop()


@peer_test(f"{PREFIX}/WebSocketApp sees its life in order")
def app(bench):
    """The seed's way of use: handlers, run_forever, and a header for the extension that this peer cannot run."""
    server = bench.echo()
    story = []

    sockets = []

    def on_open(ws):
        story.append("open")
        sockets.append(ws.sock)
        ws.send("Hello, Server!")

    def on_message(ws, message):
        story.append(("message", message))
        if message == "Hello, Server!":
            ws.sock.ping("are you there")
            ws.send("你好")
        elif message == "你好":
            ws.send(b"\x00\x01\xff", ABNF.OPCODE_BINARY)
        else:
            ws.sock.send((4321).to_bytes(2, "big") + b"enough", ABNF.OPCODE_CLOSE)

    peer = websocket.WebSocketApp(
        server.url, header=["Sec-WebSocket-Extensions: custom-extension"], on_open=on_open, on_message=on_message,
        on_pong=lambda ws, data: story.append(("pong", data)),
        on_error=lambda ws, error: story.append(("error", repr(error))),
        on_close=lambda ws, code, reason: story.append(("close", code)))
    peer.run_forever()
    expect_equal(story, ["open", ("message", "Hello, Server!"), ("pong", b"are you there"), ("message", "你好"),
                         ("message", b"\x00\x01\xff"), ("close", 4321)], "what WebSocketApp was told")
    for left_open in sockets:  # websocket-client leaves its socket to the garbage collector
        left_open.shutdown()
    server.stop()


@peer_test(f"{PREFIX}/SIGTERM says 1001 to every peer")
def going_away(bench):
    server = bench.echo()
    peers = [connect(server) for _ in range(5)]
    for peer in peers:
        send(peer, "are you up")
        receive(peer)
    server.terminate()
    for peer in peers:
        opcode, frame = peer.recv_data_frame(control_frame=True)
        expect_equal(opcode, ABNF.OPCODE_CLOSE, "what a peer hears after SIGTERM")
        expect_equal(frame.data[:2], (1001).to_bytes(2, "big"), "the close code after SIGTERM")
        peer.shutdown()
    expect_equal(server.wait(server.SECONDS_TO_END), 0, "the exit status after SIGTERM")


@peer_test(f"{PREFIX}/a message over --max-message is refused with 1009")
def too_big(bench):
    server = bench.echo("--max-message", "1000")
    for allowed in (999, 1000):
        peer = connect(server)
        send(peer, payloads.text_of(allowed))
        expect_equal(len(receive(peer)), allowed, "an echo within the limit")
        peer.close()
    for fragments_of in ([1001], [500, 501], [1000, 1]):
        peer = connect(server)
        for index, size in enumerate(fragments_of):
            last = index == len(fragments_of) - 1
            peer.send_frame(ABNF(int(last), 0, 0, 0, 0 if index else ABNF.OPCODE_BINARY, 1, b"x" * size))
        opcode, frame = peer.recv_data_frame(control_frame=True)
        expect_equal((opcode, frame.data[:2]), (ABNF.OPCODE_CLOSE, (1009).to_bytes(2, "big")),
                     f"the answer to fragments of {fragments_of}")
        peer.shutdown()
    server.stop()


@peer_test(f"{PREFIX}/more fragments than --max-fragments are refused with 1008")
def too_many_fragments(bench):
    server = bench.echo("--max-fragments", "10")
    for count, wanted in ((10, None), (11, 1008)):
        peer = connect(server)
        for index in range(count):
            last = index == count - 1
            peer.send_frame(ABNF(int(last), 0, 0, 0, 0 if index else ABNF.OPCODE_BINARY, 1, b"0123456789abcdef"))
        opcode, frame = peer.recv_data_frame(control_frame=True)
        if wanted is None:
            expect_equal((opcode, frame.data), (ABNF.OPCODE_BINARY, b"0123456789abcdef" * count), "ten fragments")
        else:
            expect_equal((opcode, frame.data[:2]), (ABNF.OPCODE_CLOSE, wanted.to_bytes(2, "big")), "eleven fragments")
        peer.shutdown()
    server.stop()

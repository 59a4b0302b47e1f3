"""libwebsockets' own test programs. Its client wants a server of its subprotocols, but lives with one that names none."""

import collections
import os

from kit import deflate, payloads, wire
from kit.deflate import Agreement
from kit.registry import expect, expect_equal, peer_test
from kit.relay import Relay


@peer_test("server/libwebsockets/test-client is echoed thousands of drawing commands")
def test_client(bench):
    """It opens two connections, offers permessage-deflate and a subprotocol on each, and draws on the second one."""
    server = bench.echo()
    relay = Relay(server.port)
    client = bench.start("libwebsockets-test-client", "127.0.0.1", f"--port={relay.port}", "-d", "15")
    established = {client.find(r"(dumb|mirror): LWS_CALLBACK_CLIENT_ESTABLISHED", "err").group(1) for _ in range(2)}
    expect_equal(established, {"dumb", "mirror"}, "the connections that libwebsockets takes for open")
    relay.wait(lambda all_of_them: any(len(one.down) > 60000 for one in all_of_them), "60,000 bytes of echoes")
    server.stop()
    client.find("mirror: LWS_CALLBACK_CLOSED", "err")
    client.terminate()
    client.wait()
    ended = [relay.closed(index) for index in range(len(relay.connections))]
    answered = [seen for seen in ended if seen is not None]  # it dials again at once: that may hit the end of the server
    expect_equal(len(answered), 2, "the connections that libwebsockets opened")
    for seen in answered:
        expect(seen.response.first.startswith("HTTP/1.1 101 "), f"libwebsockets was answered {seen.response.first!r}")
        expect_equal(seen.response.all("Sec-WebSocket-Extensions"), [], "an extension agreed out of nothing")
        last = seen.received[-1]
        expect_equal((last.opcode, last.close_code), (wire.CLOSE, 1001), "the last frame to libwebsockets")
        sent = [frame.plain for frame in seen.sent if frame.opcode == wire.TEXT]
        echoed = [frame.plain for frame in seen.received if frame.opcode == wire.TEXT]
        expect_equal(echoed, sent[:len(echoed)], "the echoes, byte by byte")
        if sent:
            expect(len(echoed) > 1000, f"{len(echoed)} echoes only")
            print(f"note: {len(echoed)} echoes")


@peer_test("server/libwebsockets/test-client compresses, in windows and takeovers that we choose")
def test_client_compresses(bench):
    """It offers permessage-deflate without takeover of its own, and compresses each drawing command. A plain message, legal as
    it is (P-03), hangs its release 4.1.6 where permessage-deflate was agreed, so we must send none (threshold=0)."""
    for parameters, wanted in (("", Agreement(client_takeover=False)),
                               ("; server_max_window_bits=9", Agreement(client_takeover=False, server_bits=9)),
                               ("; server_max_window_bits=12; server_no_context_takeover", Agreement(False, False, 12))):
        server = bench.echo("--extension", f"{deflate.SMALL}; threshold=0{parameters}")
        relay = Relay(server.port)
        client = bench.start("libwebsockets-test-client", "127.0.0.1", f"--port={relay.port}")
        relay.wait(lambda all_of_them: any(len(one.down) > 20000 for one in all_of_them), "20,000 bytes of echoes")
        client.terminate()
        client.wait()
        seen = [connection.transcript() for connection in relay.connections]
        drawn = max(filter(None, seen), key=lambda one: len(one.sent))
        sent, received = deflate.conversation(drawn, wanted)
        expect(all(one.compressed for one in sent), "libwebsockets sends some messages plain")
        expect(len(received) > 300, f"{len(received)} echoes only")
        expect_equal([one.said for one in received], [one.said for one in sent[:len(received)]], f"the echoes, {parameters}")
        server.stop()


def start_server(bench):
    server = bench.start("libwebsockets-test-server", "-p", "0", "-d", "31")
    port = server.find(r"lws_socket_bind says (\d+)", "err").group(1)
    server.find("-> [0-9]+ 'OPERATIONAL'", "err")  # it is bound before it listens
    return f"ws://127.0.0.1:{port}/"


@peer_test("client/libwebsockets/dumb-increment-protocol counts")
def counts(bench):
    tool = bench.connect(start_server(bench), "-v", "--subprotocol", "dumb-increment-protocol")
    expect_equal([tool.next_line() for _ in range(20)], [str(number) for number in range(20)], "what the server counted")
    tool.end_input()
    tool.expect_success()
    expect("dumb-increment-protocol" in "\n".join(tool.lines("err")), "-v says nothing about the subprotocol")


@peer_test("client/libwebsockets/lws-mirror-protocol joins two of our clients")
def mirror(bench):
    url = start_server(bench)
    one, two = (bench.connect(url, "--subprotocol", "lws-mirror-protocol") for _ in range(2))
    lines = ["c #112233 1 2 3;", "你好，缆绳", "x" * 125, "y" * 126, "z" * 3000]
    one.write_line("hello")  # two may have come in later than this: wait until it hears one
    expect_equal(one.next_line(), "hello", "the first line in the mirror")
    two.write_line("two is here")
    expect_equal(one.find("two is here").string, "two is here", "what one hears of two")
    two.find("two is here")
    for line in lines:
        one.write_line(line)
        expect_equal((one.next_line(), two.next_line()), (line, line), "the line in both mirrors")
    counted = collections.Counter()
    for number in range(50):
        two.write_line(f"burst {number}")
    for _ in range(50):
        counted[one.next_line()] += 1
    expect_equal(sorted(counted), sorted(f"burst {number}" for number in range(50)), "a burst through the mirror")
    for tool in (one, two):
        tool.end_input()
        tool.expect_success()


@peer_test("client/libwebsockets/lws-status tells of our connection")
def status(bench):
    tool = bench.connect(start_server(bench), "--subprotocol", "lws-status", "-H", "User-Agent: hawser-peer-test")
    expect("hawser-peer-test" in tool.next_line(), "the server's status does not name our user agent")
    tool.end_input()
    tool.expect_success()


@peer_test("client/libwebsockets/an unknown subprotocol ends with one clear line")
def refused(bench):
    """The server hangs up without any answer."""
    tool = bench.connect(start_server(bench), "--subprotocol", "no-such-protocol")
    expect_equal(tool.wait(), 1, "the exit status")
    expect_equal(len(tool.lines("err")), 1, f"lines of complaint in {tool.lines('err')}")


@peer_test("client/libwebsockets/a server that compresses, with and without takeover")
def compressing_server(bench):
    """It never limits its window: where that was asked for, its answer is to the second offer. It does not stand
    server_no_context_takeover alone, which is not asked of it."""
    lines = [one for one in payloads.compressible(15, False) if one and isinstance(one, str)]
    lines += [payloads.text_of(65536), payloads.text_of(payloads.MEBIBYTE)]
    alone = "; server_no_context_takeover; client_no_context_takeover"
    for offer, wanted in ((deflate.NAME, Agreement(False, False)), (deflate.BALANCED, Agreement()),
                          (deflate.SMALL, Agreement()), (deflate.FAST, Agreement()),
                          (deflate.SMALL + alone, Agreement(False, False)), (deflate.FAST + alone, Agreement(False, False))):
        server = bench.start(os.path.join(bench.folder, "lws_echo"), "deflate")
        relay = Relay(int(server.find(r"^listening on ws://127\.0\.0\.1:(\d+)$").group(1)))
        tool = bench.connect(f"ws://127.0.0.1:{relay.port}/", "--extension", offer)
        for line in lines:
            tool.write_line(line)
            expect_equal(tool.next_line(), line, f"an echo under {wanted}")
        tool.end_input()
        tool.expect_success()
        sent, received = deflate.conversation(relay.closed(), wanted)
        expect_equal([one.said.decode() for one in sent], lines, f"what Hawser sent under {wanted}")
        expect_equal([one.said.decode() for one in received], lines, f"what libwebsockets sent under {wanted}")
        threshold = 1024 if offer == deflate.NAME else 64
        expect(all(one.compressed == (len(one.said) >= threshold) for one in sent), f"what Hawser compresses under {offer}")
        expect(all(one.compressed for one in received), f"libwebsockets does not compress under {wanted}")
        server.kill()

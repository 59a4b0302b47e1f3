"""The same custom extensions, written a third time: x-rot13 and x-checksum of the tool against those of
kit/extensions.mjs in faye's `websocket-extensions`. What golden.py says is on the wire must be there, in both roles, alone
and composed, in every order of preference."""

import json

from kit import golden
from kit.agreements import ORDERS, data_bytes, expect_wire, flags
from kit.registry import expect, expect_equal, peer_test
from kit.relay import Relay


def server_role(bench, order, tool_order):
    server = bench.echo(*flags(tool_order))
    relay = Relay(server.port)
    bench.node("faye_client.mjs", f"ws://127.0.0.1:{relay.port}/", json.dumps(order)).expect_success()
    seen = relay.closed()
    expect_equal(seen.request.all("Sec-WebSocket-Extensions"), [", ".join(order)] if order else [], "what faye offers")
    expect_equal(seen.response.all("Sec-WebSocket-Extensions"), [", ".join(order)] if order else [],
                 "the agreement, in the client's order")
    whole = [golden.whole(order, name) for name in golden.MESSAGES]
    expect_wire(data_bytes(seen.sent, True, "client"), *whole, what="sent by faye")
    expect_wire(data_bytes(seen.received, False, "server"), *whole, what="sent by hawser")
    server.stop()


for wanted in (golden.NONE, *ORDERS):
    for tool in sorted({wanted, tuple(reversed(wanted))}):
        title = f"faye/server/{' then '.join(wanted) or 'no extension'}"
        peer_test(title + ("" if tool == wanted else ", the tool told in reverse"), args=(wanted, tool))(server_role)
peer_test("faye/server/no extension offered to a tool with two", args=(golden.NONE, golden.ROT13_CHECKSUM))(server_role)


def client_role(bench, offered, answered):
    """`answered` is in the order in which faye knows its extensions, which is the order of its answer."""
    server = bench.node("faye_server.mjs", json.dumps(answered))
    relay = Relay(int(server.find(r"^listening on ws://127\.0\.0\.1:(\d+)$").group(1)))
    tool = bench.connect(f"ws://127.0.0.1:{relay.port}/", "-v", *flags(offered))
    for name in golden.TEXT_MESSAGES:
        message = golden.MESSAGES[name]
        tool.write_line(message)
        expect_equal(tool.next_line(), message, "what the tool printed")
        expect_equal(json.loads(server.next_line()), {"event": "message", "text": True, "data": message}, "what faye heard")
    tool.end_input()
    tool.expect_success()
    expect_equal(json.loads(server.next_line()), {"event": "close", "code": 1000, "reason": ""}, "how the tool closed")
    seen = relay.closed()
    expect_equal(",".join(seen.request.all("Sec-WebSocket-Extensions")).replace(" ", ""), ",".join(offered), "the offers")
    expect_equal(seen.response.all("Sec-WebSocket-Extensions"), [", ".join(answered)] if answered else [], "faye's answer")
    whole = [golden.whole(answered, name) for name in golden.TEXT_MESSAGES]
    expect_wire(data_bytes(seen.sent, True, "client"), *whole, what="sent by hawser")
    expect_wire(data_bytes(seen.received, False, "server"), *whole, what="sent by faye")
    words = "\n".join(tool.lines("err"))
    for name in answered:
        expect(name in words, f"-v says nothing about {name}: {words!r}")


for wanted in ORDERS:
    peer_test(f"faye/client/{' then '.join(wanted)}", args=(wanted, wanted))(client_role)
peer_test("faye/client/offered in one order, answered in the other",
          args=(golden.ROT13_CHECKSUM, golden.CHECKSUM_ROT13))(client_role)
peer_test("faye/client/offered in the other order, answered in the one",
          args=(golden.CHECKSUM_ROT13, golden.ROT13_CHECKSUM))(client_role)
peer_test("faye/client/both offered, x-checksum answered", args=(golden.ROT13_CHECKSUM, golden.CHECKSUM))(client_role)
peer_test("faye/client/both offered, none answered", args=(golden.ROT13_CHECKSUM, golden.NONE))(client_role)

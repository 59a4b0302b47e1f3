"""The same custom extensions, written a third time: x-rot13 and x-checksum of the tool against those of
kit/extensions.mjs in faye's `websocket-extensions`. What golden.py says is on the wire must be there, in both roles, alone,
composed, and composed with faye's permessage-deflate, in every order of preference."""

import json

from kit import golden
from kit.agreements import (ORDERS, client_tests, data_bytes, expect_hawser, expect_wire, flags, names, server_tests)
from kit.registry import expect, expect_equal, peer_test
from kit.relay import Relay


def server_role(bench, tool_order, *orders):
    """One connection after the other, each with the extensions of one of `orders`."""
    server = bench.echo(*flags(tool_order))
    relay = Relay(server.port)
    bench.node("faye_client.mjs", f"ws://127.0.0.1:{relay.port}/", json.dumps(orders)).expect_success()
    for index, order in enumerate(orders):
        seen = relay.closed(index)
        expect_equal(names(seen.request), order, "what faye offers")
        expect_equal(names(seen.response), order, "the agreement, in the client's order")
        whole = [golden.whole(order, name) for name in golden.MESSAGES]
        expect_wire(data_bytes(seen.sent, True, "client"), *whole, what=f"sent by faye, {order}")
        expect_hawser(seen, False, order, golden.MESSAGES)
    server.stop()


server_tests("faye", server_role, (golden.NONE, *ORDERS))
peer_test("faye/server/no extension offered to a tool with two", args=(golden.ROT13_CHECKSUM, golden.NONE))(server_role)


def client_role(bench, offered, *answers):
    """One connection after the other, each answered in another way: faye answers in the order in which it knows its
    extensions. Without `offered` the tool offers what is answered."""
    server = bench.node("faye_server.mjs", json.dumps(answers))
    relay = Relay(int(server.find(r"^listening on ws://127\.0\.0\.1:(\d+)$").group(1)))
    for index, answered in enumerate(answers):
        tool = bench.connect(f"ws://127.0.0.1:{relay.port}/{index}", "-v", *flags(offered or answered))
        for name in golden.TEXT_MESSAGES:
            message = golden.MESSAGES[name]
            tool.write_line(message)
            expect_equal(tool.next_line(), message, "what the tool printed")
            expect_equal(json.loads(server.next_line()), {"event": "message", "text": True, "data": message},
                         "what faye heard")
        tool.end_input()
        tool.expect_success()
        expect_equal(json.loads(server.next_line()), {"event": "close", "code": 1000, "reason": ""}, "how the tool closed")
        seen = relay.closed(index)
        expect_equal(names(seen.request), offered or answered, "the offers")
        expect_equal(names(seen.response), answered, "faye's answer")
        expect_hawser(seen, True, answered, golden.TEXT_MESSAGES)
        whole = [golden.whole(answered, name) for name in golden.TEXT_MESSAGES]
        expect_wire(data_bytes(seen.received, False, "server"), *whole, what=f"sent by faye, {answered}")
        words = "\n".join(tool.lines("err"))
        for name in answered:
            expect(name in words, f"-v says nothing about {name}: {words!r}")


client_tests("faye", client_role)

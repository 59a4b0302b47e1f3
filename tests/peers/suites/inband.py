"""Extensions inside the messages: js/hawser-inband.mjs against the vectors, under Node with npm `ws`, and in a page in headless
Chromium. What was said is read from the bytes that a relay recorded, and is what this file computes by itself."""

import json
import os

from kit import wire
from kit.crc32c import crc32c
from kit.extensions import ROT13
from kit.registry import expect, expect_equal, peer_test
from kit.relay import Relay
from kit.wire import messages
from suites.chromium import Browser, websockets_of

EXTENSIONS = ("--extension", "x-rot13", "--extension", "x-hawser-checksum")


def told(opcode, payload):
    """A message with both extensions, x-rot13 nearer to the application: RSV2 and RSV3 in the byte in front."""
    turned = payload.translate(ROT13)
    return wire.BINARY, 0, bytes([0x30 | opcode]) + turned + crc32c(turned)


def scene_messages():
    texts = ["", "Hello", "\u7cfb\u5728\u7f06\u7ef3\u4e0a\u7684\u8239 and a rope", "\U0001f6a2\u2693" * 40]
    sent = [told(1, text.encode()) for text in texts]
    for size in (0, 1, 119, 120, 125, 126, 65530, 65536, 200000):
        sent += [told(1, b"x" * size), told(2, bytes(i * 7 % 256 for i in range(size)))]
    return sent


def expect_talk(seen, offered, result):
    expect_equal(seen.request.one("Sec-WebSocket-Protocol").replace(" ", ""), "ext1.hawser,chat", "the subprotocols offered")
    expect_equal(seen.response.all("Sec-WebSocket-Protocol"), ["ext1.hawser"], "the one chosen")
    expect_equal(seen.response.all("Sec-WebSocket-Extensions"), [], "the answer to what the browser offered by itself")
    expect((seen.request.one("Sec-WebSocket-Extensions") or "").startswith(offered), "what it offered by itself")
    wanted = scene_messages()
    agreement = b"x-rot13, x-hawser-checksum"
    expect_equal(messages(seen.sent), [(wire.BINARY, 0, agreement), *wanted], "what the script sent")
    expect_equal(messages(seen.received), [(wire.BINARY, 0, b"ext1.hawser, " + agreement), *wanted], "what came back")
    expect_equal([frame.close_code for frame in seen.sent if frame.opcode == wire.CLOSE], [4321], "the script's close")
    expect_equal(seen.received[-1].close_code, 4321, "the answer to it")
    expect_equal(result, {"sent": 22, "echoed": 22, "extensions": agreement.decode(), "protocol": "", "inband": True,
                          "closed": [4321, "", True]}, "what the script saw")


def expect_damage(seen, result):
    codes = [frame.close_code for frame in seen.sent if frame.opcode == wire.CLOSE]
    expect_equal(codes, [4007], "the code that the script sent")
    expect_equal(result, {"closed": [1007, "nothing pleases it", False], "errors": ["1007 nothing pleases it"]},
                 "what the script saw")


def expect_missing(seen, result):
    why = "the extension x-nobody is required and was not agreed on"
    expect_equal([frame.close_code for frame in seen.sent if frame.opcode == wire.CLOSE], [4010], "the script's close")
    expect_equal(result, {"refused": f"not opened: 1010 {why}", "closed": [1010, why, False]}, "what the script saw")


SCENES = (("talk", lambda seen, result: expect_talk(seen, "permessage-deflate", result)),
          ("damage", expect_damage), ("late", expect_damage), ("missing", expect_missing))


@peer_test("inband/the module holds the vectors of docs/wire")
def vectors(bench):
    program = bench.node("inband_vectors.mjs")
    program.expect_success()
    count = int(program.lines()[-1].split()[0])
    expect(count >= 100, f"only {count} vectors and cases")


@peer_test("inband/what a stage does wrong ends the connection in words")
def stages(bench):
    program = bench.node("inband_stages.mjs")
    program.expect_success()
    count = int(program.lines()[-1].split()[0])
    expect(count >= 80, f"only {count} cases")


def played_by_node(bench, url, scene):
    program = bench.node("inband_client.mjs", url, scene)
    program.expect_success()
    return json.loads(program.lines()[-1])


@peer_test("inband/node/checksum and an extension of the script's own")
def node(bench):
    server = bench.echo(*EXTENSIONS)
    for scene, check in SCENES:
        relay = Relay(server.port)
        result = played_by_node(bench, f"ws://127.0.0.1:{relay.port}/", scene)
        check(relay.closed(), result)
    server.stop()


@peer_test("inband/node/the script of docs/extensions.md, as it stands there")
def page(bench):
    root = os.path.join(bench.folder, "..", "..")
    with open(os.path.join(root, "docs", "extensions.md"), encoding="utf-8") as file:
        script = file.read().split("\n```js\n", 1)[1].split("\n```\n", 1)[0]
    server = bench.echo(*EXTENSIONS)
    relay = Relay(server.port)
    module = "file://" + os.path.abspath(os.path.join(root, "js", "hawser-inband.mjs"))
    for there, here in (("./hawser-inband.mjs", module), ("ws://127.0.0.1:9001/", f"ws://127.0.0.1:{relay.port}/")):
        expect_equal(script.count(there), 1, f"how often the page says {there}")
        script = script.replace(there, here)
    sockets = "import { WebSocket } from 'ws';\nglobalThis.WebSocket = WebSocket;\n"  # what Node 18 has not of itself
    program = bench.start("node", "--input-type=module", "-e", sockets + script, cwd=bench.folder)
    expect_equal(program.next_line(), "hello", "what the script prints")
    program.kill()
    seen = relay.closed()
    expect_equal(messages(seen.sent), [(wire.BINARY, 0, b"x-rot13, x-hawser-checksum"), told(1, b"hello")], "what it sent")
    server.stop()


@peer_test("inband/node/a server that does not speak it")
def without(bench):
    server = bench.node("ws_server.mjs")
    port = int(server.find(r"listening on ws://127\.0\.0\.1:(\d+)").group(1))
    result = played_by_node(bench, f"ws://127.0.0.1:{port}/echo", "without")
    expect_equal(result["answer"], "plain", "the echo")
    expect_equal((result["inband"], result["protocol"], result["code"]), (False, "chat.v2", 1010), "what the script saw")


@peer_test("inband/tool/hawser connect --inband")
def tool(bench):
    server = bench.echo(*EXTENSIONS)
    relay = Relay(server.port)
    program = bench.connect(f"ws://127.0.0.1:{relay.port}/", "--inband", "-v", *EXTENSIONS)
    program.write_line("Hello")
    expect_equal(program.next_line(), "Hello", "what the tool printed")
    program.end_input()
    program.expect_success()
    seen = relay.closed()
    expect_equal(seen.request.all("Sec-WebSocket-Extensions"), [], "what the request offers")
    agreement = b"x-rot13, x-hawser-checksum"
    expect_equal(messages(seen.sent), [(wire.BINARY, 0, agreement), told(1, b"Hello")], "what the tool sent")
    expect_equal(messages(seen.received), [(wire.BINARY, 0, b"ext1.hawser, " + agreement), told(1, b"Hello")],
                 "what came back")
    server.stop()


@peer_test("inband/chromium/checksum and an extension of the page's own", seconds=120)
def chromium(bench):
    server = bench.echo(*EXTENSIONS)
    browser = Browser(bench)
    for scene, check in SCENES:
        relay = Relay(server.port)
        result = browser.play(f"http://127.0.0.1:{relay.port}/", f"inband-{scene}")
        expect("failed" not in result, f"the page failed: {result}")
        asked = [seen for seen in websockets_of(relay.connections)
                 if "ext1.hawser" in (seen.request.one("Sec-WebSocket-Protocol") or "")]
        check(asked[0], result)
    browser.close()
    server.stop()


@peer_test("inband/chromium/the button of the page that the server gives", seconds=120)
def button(bench):
    server = bench.echo(*EXTENSIONS)
    relay = Relay(server.port)
    browser = Browser(bench)
    browser.play(f"http://127.0.0.1:{relay.port}/", "press")
    hello = told(1, b"hello from the browser")

    def came_back(connections):
        return [seen for seen in websockets_of(connections) if hello in messages(seen.received)]

    relay.wait(came_back, "the page's hello, turned, summed and echoed")
    browser.close()
    server.stop()

"""Server role against headless Chromium. Nothing counts but the bytes that a relay between it and the server recorded."""

import http.server
import json
import tempfile
import threading

from kit import wire
from kit.registry import expect, expect_equal, peer_test
from kit.relay import Relay
from kit.wire import messages

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
         "--disable-dev-shm-usage", "--no-first-run", "--disable-sync", "--disable-extensions", "--remote-debugging-port=0"]


class Browser:
    """Chromium with one page and a profile that is thrown away."""

    def __init__(self, bench, url="about:blank", flags=()):
        self._bench = bench
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._program = bench.start("chromium", *FLAGS, *flags, f"--user-data-dir={self._profile.name}", url)
        self._devtools = self._program.find(r"^DevTools listening on (ws://\S+)", "err", seconds=60).group(1)

    def play(self, url, scene, *arguments):
        """Shows the page at `url` and runs a scene of browser.mjs in it."""
        player = self._bench.node("browser.mjs", self._devtools, url, scene, *map(json.dumps, arguments))
        player.expect_success(seconds=60)
        return json.loads(player.lines()[-1])

    def close(self):
        self._program.kill()
        self._profile.cleanup()


def websockets_of(connections):
    """The transcripts of the connections on which a WebSocket was asked for."""
    read = [connection.transcript() for connection in connections]
    return [seen for seen in read if seen and seen.request.one("Upgrade") == "websocket"]


def page_is_shown(connections):
    return any(one.down.startswith(b"HTTP/1.1 200 ") and one.up.startswith(b"GET / ") for one in connections)


@peer_test("server/chromium/the page that the server gives echoes text and binary", seconds=120)
def page(bench):
    server = bench.echo()
    relay = Relay(server.port)
    browser = Browser(bench, f"http://127.0.0.1:{relay.port}/")

    def text_and_binary_came_back(connections):
        for seen in websockets_of(connections):
            if {wire.TEXT, wire.BINARY} <= {opcode for opcode, _, _ in messages(seen.received)}:
                return seen
        return None

    seen = relay.wait(text_and_binary_came_back, "a text and a binary message echoed to the page")
    expect(page_is_shown(relay.connections), "the page was not answered with 200")
    expect_equal(seen.request.one("Origin"), f"http://127.0.0.1:{relay.port}", "Chromium's Origin")
    expect("permessage-deflate" in (seen.request.one("Sec-WebSocket-Extensions") or ""), "Chromium offered no deflate")
    expect_equal(seen.response.all("Sec-WebSocket-Extensions"), [], "the answer to permessage-deflate")
    expect(all(frame.masked for frame in seen.sent), "an unmasked frame of Chromium")
    echoes = messages(seen.received)
    expect_equal(echoes, messages(seen.sent)[:len(echoes)], "the echoes")
    browser.close()
    server.stop()


@peer_test("server/chromium/every size, 50 connections, a clean close", seconds=120)
def sizes(bench):
    server = bench.echo()
    relay = Relay(server.port)
    browser = Browser(bench)
    told = browser.play(f"http://127.0.0.1:{relay.port}/", "sizes")
    seen = next(one for one in websockets_of(relay.connections)
                if any(frame.close_code == 4001 for frame in one.sent if frame.opcode == wire.CLOSE))
    expect_equal(len(messages(seen.sent)), 20, f"messages that Chromium sent ({told})")
    expect_equal(messages(seen.received), messages(seen.sent), "the echoes on the wire")
    last = seen.received[-1]
    expect_equal((last.opcode, last.close_code), (wire.CLOSE, 4001), "the answer to Chromium's close")
    expect_equal(told, {"sent": 20, "echoed": 20, "closed": [4001, True], "extensions": ""}, "what the page was told")

    told = browser.play(f"http://127.0.0.1:{relay.port}/", "concurrent")
    expect_equal(told, {"codes": [1000] * 50}, "what the page was told of 50 connections")
    full = [one for one in websockets_of(relay.connections) if len(messages(one.received)) == 50]
    expect_equal(len(full), 50, "connections with 50 echoes on the wire")
    expect(all(messages(one.received) == messages(one.sent) for one in full), "an echo differs")
    browser.close()
    server.stop()


class StrangerPage(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>stranger</title>")

    def log_message(self, *args):
        pass


@peer_test("server/chromium/a page of another origin is refused with 403", seconds=120)
def stranger(bench):
    server = bench.echo()
    relay = Relay(server.port)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), StrangerPage) as foreign:
        threading.Thread(target=foreign.serve_forever, daemon=True).start()
        browser = Browser(bench)
        told = browser.play(f"http://127.0.0.1:{foreign.server_port}/", "stranger", f"ws://127.0.0.1:{relay.port}/")
        seen = websockets_of(relay.connections)[0]
        expect(seen.response.first.startswith("HTTP/1.1 403 "), f"the stranger was answered {seen.response.first!r}")
        expect_equal(told, {"opened": False, "code": 1006}, "what the page was told")
        browser.close()
        foreign.shutdown()
    server.stop()

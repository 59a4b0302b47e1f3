"""Server role against HTTP clients: Python's http.client, and requests that no client would write."""

import http.client
import socket

from kit import raw, wire
from kit.registry import expect, expect_equal, peer_test

KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = ["Upgrade: websocket", "Connection: Upgrade", KEY, "Sec-WebSocket-Version: 13"]


def ask(port, *lines):
    """Sends a head as given and reads until the server closes; returns the response's head."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        data = b""
        try:
            while chunk := connection.recv(65536):
                data += chunk
        except ConnectionResetError:
            pass  # the server closed with our bytes unread; what it said before counts
    head, _ = wire.split_head(data)
    expect(head is not None, f"no HTTP answer to {lines[0][:80]!r}: {data[:200]!r}")
    return head


@peer_test("server/http/the page comes with its length and kind")
def page(bench):
    server = bench.echo()
    client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    client.request("GET", "/", headers={"User-Agent": "peer test"})
    response = client.getresponse()
    body = response.read()
    expect_equal(response.status, 200, "the status of GET /")
    expect(response.getheader("Content-Type", "").startswith("text/html"), "the page is not called HTML")
    expect_equal(int(response.getheader("Content-Length", "-1")), len(body), "Content-Length")
    expect(b"WebSocket" in body, "the page opens no WebSocket")
    client.close()
    server.stop()


@peer_test("server/http/a refused opening gets the status that says why")
def refusals(bench):
    server = bench.echo()
    port = server.port
    host = f"Host: 127.0.0.1:{port}"
    get = "GET / HTTP/1.1"

    def without(start):
        return [line for line in UPGRADE if not line.startswith(start)]

    table = [
        (405, ["POST / HTTP/1.1", host, "Content-Length: 0"]),
        (405, ["POST / HTTP/1.1", host, *UPGRADE]),
        (426, [get, host, *without("Sec-WebSocket-Version"), "Sec-WebSocket-Version: 8"]),
        (426, ["GET /socket HTTP/1.1", host]),
        (400, [get, host, *without("Sec-WebSocket-Key")]),
        (400, [get, host, *without("Sec-WebSocket-Key"), "Sec-WebSocket-Key: c2hvcnQ="]),
        (400, [get, host, *UPGRADE, KEY]),
        (400, [get, *UPGRADE]),
        (400, [get, host, host, *UPGRADE]),
        (400, [get, host, *UPGRADE, "X-Odd : 1"]),
        (400, [get, host, *UPGRADE, "X-Odd: 1", " folded"]),
        (400, ["GET  / HTTP/1.1", host, *UPGRADE]),
        (505, ["GET / HTTP/1.0", host, *UPGRADE]),
        (505, ["GET / HTTP/2.0", host, *UPGRADE]),
        (414, [f"GET /{'x' * 5000} HTTP/1.1", host, *UPGRADE]),
        (431, [get, host, *UPGRADE, "X-Long: " + "x" * 20000]),
        (431, [get, host, *UPGRADE, *(f"X-{n}: 1" for n in range(101))]),
        (403, [get, host, *UPGRADE, "Origin: http://elsewhere.example"]),
        (421, [get, "Host: elsewhere.example", *UPGRADE]),
    ]
    for status, lines in table:
        head = ask(port, *lines)
        expect_equal(int(head.first.split(" ")[1]), status, f"the status for {[line[:60] for line in lines]}")
        options = [option.strip().lower() for option in (head.one("Connection") or "").split(",")]
        expect("close" in options, f"Connection beside {status}: {options}")
        if status == 426:
            expect_equal(head.one("Sec-WebSocket-Version"), "13", "the version beside 426")
    client = raw.RawClient(port)
    expect_equal(client.status, 101, "a good opening after all that")
    client.close()
    server.stop()


@peer_test("server/http/--max-per-ip turns the next one away with 503")
def per_address(bench):
    server = bench.echo("--max-per-ip", "5")
    clients = [raw.RawClient(server.port) for _ in range(5)]
    expect_equal([client.status for client in clients], [101] * 5, "the statuses within the limit")
    sixth = raw.RawClient(server.port)
    expect_equal(sixth.status, 503, "the status over the limit")
    expect(sixth.response.one("Retry-After") is not None, "503 without Retry-After")
    sixth.close()
    for client in clients:  # those inside are served as before
        client.send_frames(raw.plain(0x81, b"still here"))
        expect_equal(client.next_frame().payload, b"still here", "an echo beside the refused one")
        client.close()
    server.stop()


@peer_test("server/http/--accept-rate sheds a burst")
def accept_rate(bench):
    server = bench.echo("--accept-rate", "5")
    statuses = []
    for _ in range(60):
        client = raw.RawClient(server.port)
        statuses.append(client.status)
        client.close()
    expect(101 in statuses and 503 in statuses, f"the statuses of a burst of 60 at 5 a second: {statuses}")
    expect(set(statuses) == {101, 503}, f"other statuses: {set(statuses)}")
    server.stop()

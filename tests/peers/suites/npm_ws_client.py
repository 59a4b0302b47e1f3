"""Server role against the client of npm `ws`; the checks themselves are in ws_client.mjs."""

from kit.registry import expect_equal, peer_test

CHECKS = {
    "sizes": "every size comes back",
    "fragments": "fragments with pings between them",
    "pings": "pings are answered with their own payload",
    "closes": "every legal close code is echoed",
    "many": "5000 messages keep their order and kind",
    "concurrent": "200 connections at once keep apart",
    "closeBehindMessages": "a close waits for the echoes before it",
    "deflateDeclined": "an offer of permessage-deflate is left unanswered",
    "rude": "resets and half messages harm nobody",
}


def check(bench, name):
    server = bench.echo()
    bench.node("ws_client.mjs", name, server.url).expect_success()
    server.stop()


for key, title in CHECKS.items():
    peer_test(f"server/npm-ws/{title}", args=(key,))(check)


@peer_test("server/npm-ws/SIGTERM says 1001 to every peer")
def going_away(bench):
    server = bench.echo()
    peer = bench.node("ws_client.mjs", "goingAway", server.url)
    peer.find("^ready$")
    server.terminate()
    peer.expect_success()
    expect_equal(server.wait(server.SECONDS_TO_END), 0, "the exit status after SIGTERM")

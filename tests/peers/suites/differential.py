"""Hawser's core against npm `ws`' own Receiver: the same damaged streams, in process on both sides."""

import os

from kit.registry import expect, peer_test

STREAMS = 10000


@peer_test(f"differential/{STREAMS} streams to a server, against the Receiver of npm ws", seconds=300, args=("server",))
@peer_test(f"differential/{STREAMS} streams to a client, against the Receiver of npm ws", seconds=300, args=("client",))
def streams(bench, role):
    core = os.path.join(bench.build, "tests", "differential_core")
    expect(os.access(core, os.X_OK), f"{core} is not built")
    program = bench.node("differential.mjs", core, role, bench.seed, STREAMS)
    program.expect_success(seconds=290)
    for line in program.lines()[-2:]:
        print(f"note: {line}")

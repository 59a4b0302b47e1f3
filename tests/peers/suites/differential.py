"""Hawser's core against npm `ws`' own Receiver: the same damaged streams, in process on both sides."""

import os

from kit.registry import expect, peer_test

STREAMS = 10000


@peer_test(f"differential/{STREAMS} streams of frames, against the Receiver of npm ws", seconds=300)
def streams(bench):
    core = os.path.join(bench.build, "tests", "differential_core")
    expect(os.access(core, os.X_OK), f"{core} is not built")
    program = bench.node("differential.mjs", core, bench.seed, STREAMS)
    program.expect_success(seconds=290)
    for line in program.lines()[-2:]:
        print(f"note: {line}")

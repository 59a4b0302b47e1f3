"""Raw frames in about two hundred cases, judged by the bytes that come back: `hawser echo` in both roles."""

import json
import os
import tempfile

from kit.registry import Failed, expect, peer_test


def judge(report_file, program):
    """Every case that was planned must have run, and each must be OK."""
    with open(report_file, encoding="utf-8") as file:
        report = json.load(file)
    results = report["cases"]
    bad = [case for case in results if case["behavior"] != "OK"]
    if bad:
        lines = [f"  case {case['id']} ({case['section']}, {case['title']}): {case['detail']}" for case in bad[:30]]
        raise Failed(f"{len(bad)} of {len(results)} cases are not OK\n" + "\n".join(lines))
    expect(len(results) == report["expected"] >= 40,
           f"{len(results)} of {report['expected']} cases ran\n" + "\n".join(program.lines()[-5:]))
    print(f"note: {len(results)} cases OK")


@peer_test("server/fuzzing/every case is OK", seconds=240)
def server_role(bench):
    server = bench.echo()
    with tempfile.TemporaryDirectory() as folder:
        report = os.path.join(folder, "report.json")
        program = bench.node("fuzzing_client.mjs", server.url, report)
        program.find("^report of", seconds=220)
        program.expect_success()
        judge(report, program)
    server.stop()


@peer_test("client/fuzzing/every case is OK", seconds=240)
def client_role(bench):
    with tempfile.TemporaryDirectory() as folder:
        report = os.path.join(folder, "report.json")
        server = bench.node("fuzzing_server.mjs", report)
        url = server.find(r"^listening on (ws://.*)$").group(1)
        driver = bench.start(bench.hawser, "echo", "--client", url)
        driver.expect_success(seconds=220)
        server.find("^report of .* for hawser$")
        judge(report, server)

"""Tests the tests: against a stand-in without a fault they pass, and each fault planted in it must fail the test named
here. For the differential test the fault is planted between the core and the test."""

import os
import tempfile

FOLDER = os.path.dirname(os.path.abspath(__file__))
STAND_IN = os.path.join(FOLDER, "stand_in")

STAND_IN_FAULTS = {
    "binary": "server/websockets/every size comes back",
    "last byte": "server/websocket-client/every size comes back",
    "no 1001": "server/websocket-client/SIGTERM says 1001 to every peer",
    "silent page": "server/chromium/the page that the server gives echoes text and binary",
    "any origin": "server/chromium/a page of another origin is refused with 403",
    "fragment": "extensions/server/x-rot13",
    "no extension": "extensions/client/x-rot13",
    "first frame only": "extensions/server/x-rot13",
    "order": "extensions/server/x-rot13 then x-checksum",
    "sum": "faye/server/x-checksum",
    "plain": "faye/client/x-rot13",
    "order of three": "extensions/server/permessage-deflate alone and with both, in every order",
    "wide window": "deflate/server/websockets asks for every window and takeover",
    "takeover": "deflate/server/faye asks for every window and takeover",
    "each frame marked": "deflate/server/websockets asks for every window and takeover",
    "never compressed": "deflate/client/npm-ws is asked for every window and takeover",
    "no close": "client/websockets/every line comes back",
}

# What happens to a line of the core's verdict. 8803ef is the header and code of a close with 1007.
CORE_FAULTS = {
    "another close code": "s/880203ef/880203ea/",
    "pongs are lost": 's/"output":"8a[0-9a-f]*"/"output":""/',
    "a message twice": r's/"messages":\[\(\[[^]]*\]\)\]/"messages":[\1,\1]/',
}
DIFFERENTIAL = "differential/10000 streams to a server, against the Receiver of npm ws"


def core_with(fault, build, folder):
    """A build folder whose differential_core is the real one behind `sed`."""
    os.makedirs(os.path.join(folder, "tests"))
    script = os.path.join(folder, "tests", "differential_core")
    real = os.path.abspath(os.path.join(build, "tests", "differential_core"))
    with open(script, "w", encoding="utf-8") as file:
        file.write(f"#!/bin/sh\nexec '{real}' \"$@\" | sed -u '{CORE_FAULTS[fault]}'\n")
    os.chmod(script, 0o755)
    return folder


def report(title, good, output):
    print(f"{title:<110}  {'ok    ' if good else 'FAILED'}", flush=True)
    if not good:
        print("".join(f"    | {line}\n" for line in output.splitlines()[:10]), end="", flush=True)
    return good


def main(runner, options):
    tests = runner.registry.TESTS
    results = []

    def run(name, hawser, build, fault):
        options.hawser, options.build = hawser, build
        os.environ["HAWSER_STAND_IN_FAULT"] = fault
        return runner.run_test(tests[name], options)

    build = options.build
    runner.adopt_orphans()
    for name in sorted(set(STAND_IN_FAULTS.values())):
        passed, _, output = run(name, STAND_IN, build, "")
        results.append(report(f"without a fault: {name}", passed, output))
    for fault, name in STAND_IN_FAULTS.items():
        passed, _, output = run(name, STAND_IN, build, fault)
        found = not passed and "watchdog" not in output
        results.append(report(f"{fault} is found by: {name}", found, output))
    for fault in CORE_FAULTS:
        with tempfile.TemporaryDirectory() as folder:
            passed, _, output = run(DIFFERENTIAL, STAND_IN, core_with(fault, build, folder), "")
        results.append(report(f"{fault} is found by: {DIFFERENTIAL}", not passed and "unexplained: " in output, output))
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return 0 if all(results) else 1

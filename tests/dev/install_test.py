#!/usr/bin/env python3
"""tools/dev/install asks apt-get only for what is missing, and more than once. apt-get is a small script here."""
import os
import pathlib
import subprocess
import tempfile
import unittest

INSTALL = pathlib.Path(__file__).resolve().parents[2] / "tools/dev/install"

# Fails until it was called as often as FAILURES says, then brings the command `hawser-made-up`.
APT_GET = """#!/bin/bash
echo "$*" >>"$HERE/calls"
[[ $* == *update* ]] && exit 0
echo x >>"$HERE/attempts"
[ "$(wc -l <"$HERE/attempts")" -gt "$FAILURES" ] || exit 100
[ -n "${USELESS:-}" ] || { printf '#!/bin/sh\\n' >"$HERE/hawser-made-up"; chmod +x "$HERE/hawser-made-up"; }
"""


class InstallTest(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="hawser_install_")
        self.addCleanup(scratch.cleanup)
        self.here = pathlib.Path(scratch.name)
        for name, text in (("apt-get", APT_GET), ("sudo", '#!/bin/sh\nexec "$@"\n')):
            (self.here / name).write_text(text)
            (self.here / name).chmod(0o755)

    def install(self, needs, failures=0, **variables):
        environment = {**os.environ, "PATH": f"{self.here}:{os.environ['PATH']}", "HERE": str(self.here)}
        environment.update(FAILURES=str(failures), NEEDS=needs, **variables)
        script = f"set -euo pipefail; source {INSTALL}; hawser_needs_build=$NEEDS; install_missing build"
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=environment, check=False)
        calls = self.here / "calls"
        return done.returncode, calls.read_text() if calls.exists() else "", done.stdout + done.stderr

    def test_nothing_is_missing(self):
        needs = "command:bash  bash\nfile:/etc/pass*  base-files\n"
        self.assertEqual(self.install(needs), (0, "", ""))

    def test_missing_things_by_their_kind(self):
        status, calls, _ = self.install(
            "command:bash  bash\ncommand:hawser-made-up  one\nfile:/no/such/*  two\nheader:no/such.h  three\n"
        )
        self.assertIn("install -y --no-install-recommends one three two\n", calls)
        self.assertEqual(status, 1, "two of them are still missing")

    def test_mirror_that_hiccups_twice(self):
        status, calls, _ = self.install("command:hawser-made-up  one\n", failures=2)
        self.assertEqual(status, 0)
        self.assertEqual(calls.count(" install "), 3)

    def test_mirror_that_is_down(self):
        status, calls, output = self.install("command:hawser-made-up  one\n", failures=3)
        self.assertEqual(status, 1)
        self.assertEqual(calls.count(" install "), 3)
        self.assertIn("Could not install: one", output)

    def test_installation_that_does_not_help(self):
        status, _, output = self.install("command:hawser-made-up  one\n", USELESS="1")
        self.assertEqual(status, 1)
        self.assertIn("Still missing after the installation: one", output)


if __name__ == "__main__":
    unittest.main()

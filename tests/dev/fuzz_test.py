#!/usr/bin/env python3
"""tools/dev/fuzz tells a healthy fuzz target from one that never gets in. The targets here are small scripts."""
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def program(inputs, status=0):
    return f"#!/bin/sh\necho '#{inputs} DONE cov: 12 ft: 34'\necho 'stat::number_of_executed_units: {inputs}'\nexit {status}\n"


class FuzzTest(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="hawser_fuzz_")
        self.addCleanup(scratch.cleanup)
        self.root = pathlib.Path(scratch.name)
        self.put("fuzz/corpus/x/one", "a")
        self.put("fuzz/x_fuzz.cc", "")
        self.put("build/asan/fuzz/x_fuzz", program(100_000), 0o755)
        self.put("build/asan/fuzz/x_fuzz_planted", program(7, status=77), 0o755)
        self.put("tools/dev/fuzz", (ROOT / "tools/dev/fuzz").read_text())

    def put(self, name, text, mode=0o644):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def fuzz(self):
        done = subprocess.run([sys.executable, self.root / "tools/dev/fuzz"], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout

    def expect_failure(self, message):
        status, output = self.fuzz()
        self.assertEqual(status, 1, output)
        self.assertIn(message, output)
        self.assertTrue(output.endswith("0 passed, 1 failed\n"), output)

    def test_healthy_target(self):
        status, output = self.fuzz()
        self.assertEqual(status, 0, output)
        self.assertIn("100,000 inputs", output)
        self.assertIn("12 edges", output)
        self.assertTrue(output.endswith("1 passed, 0 failed\n"), output)

    def test_finding(self):
        self.put("build/asan/fuzz/x_fuzz", program(100_000, status=77), 0o755)
        self.expect_failure("FOUND SOMETHING")

    def test_too_few_inputs(self):
        self.put("build/asan/fuzz/x_fuzz", program(9_999), 0o755)
        self.expect_failure("too few")

    def test_busy_machine(self):
        self.put("build/asan/fuzz/x_fuzz", program(10_000), 0o755)
        self.assertEqual(self.fuzz()[0], 0)

    def test_floor_of_a_slow_target(self):
        self.put("build/asan/fuzz/x_fuzz", program(1_000), 0o755)
        self.put("fuzz/x_fuzz.cc", "// at least 2,000 inputs, because each is a whole session\n")
        self.assertEqual(self.fuzz()[0], 0)

    def test_blind_target(self):
        self.put("build/asan/fuzz/x_fuzz_planted", program(100_000), 0o755)
        self.expect_failure("BLIND")

    def test_target_without_a_planted_bug(self):
        (self.root / "build/asan/fuzz/x_fuzz_planted").unlink()
        self.expect_failure("no bug is planted")

    def test_target_without_a_corpus(self):
        shutil.rmtree(self.root / "fuzz/corpus")
        self.expect_failure("no corpus")


if __name__ == "__main__":
    unittest.main()

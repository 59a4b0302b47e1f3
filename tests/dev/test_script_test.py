#!/usr/bin/env python3
"""./test counts rightly and fails when anything fails. The tools that it calls are replaced by small scripts."""
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


class ScriptTest(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="hawser_test_script_")
        self.addCleanup(scratch.cleanup)
        self.root = pathlib.Path(scratch.name)
        shutil.copy(ROOT / "test", self.root / "test")
        (self.root / "tools/dev").mkdir(parents=True)
        shutil.copy(ROOT / "tools/dev/stages", self.root / "tools/dev/stages")
        # Nothing is missing: this test is about counting, and must not install.
        self.put("tools/dev/install", "install_missing() { :; }\n")
        for name in ("cmake", "ctest"):
            self.stub("bin/" + name)
        for name in ("tools/dev/format", "tools/dev/tidy", "tests/peers/setup", "bench/instructions"):
            self.stub(name)
        self.stub("bin/ctest", "echo '100% tests passed, 0 tests failed out of 10'")
        self.stub("tools/dev/fuzz", "echo '4 passed, 0 failed'")
        self.stub("tools/dev/levels", "echo '30 passed, 0 failed'")
        self.stub("tests/peers/run", "echo '20 passed, 0 failed'")

    def put(self, name, text, mode=0o644):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def stub(self, name, body="exit 0"):
        self.put(name, "#!/bin/sh\n" + body + "\n", 0o755)

    def run_test(self, *arguments):
        environment = {**os.environ, "PATH": f"{self.root}/bin:{os.environ['PATH']}"}
        done = subprocess.run(
            [self.root / "test", *arguments], capture_output=True, text=True, env=environment, check=False
        )
        return done.returncode, done.stdout.splitlines()[-1] if done.stdout else "", done.stdout + done.stderr

    def test_everything_passes(self):
        # peers' setup, format, three builds, instructions and tidy count one each; three test runs of 10,
        # 30 at all levels, 20 peers, 4 fuzz targets.
        self.assertEqual(self.run_test()[:2], (0, "91 passed, 0 failed"))

    def test_fast(self):
        self.assertEqual(self.run_test("--fast")[:2], (0, "11 passed, 0 failed"))

    def test_failing_test(self):
        said = "1/10 Test #1: a ...***Failed 0.1 sec\nthe reason\n" + "2/10 Test #2: b ... Passed 0.1 sec\n" * 100
        self.stub("bin/ctest", f"echo '{said}'; echo '90% tests passed, 1 tests failed out of 10'; exit 8")
        status, last, output = self.run_test("--fast")
        self.assertEqual((status, last), (1, "10 passed, 1 failed"))
        self.assertIn("the reason", output)

    def test_tests_that_never_ran(self):
        self.stub("bin/ctest", "exit 8")
        self.assertEqual(self.run_test("--fast")[:2], (1, "1 passed, 1 failed"))

    def test_build_that_fails(self):
        self.stub("bin/cmake", '[ "$1" != --build ]')
        self.assertEqual(self.run_test("--fast")[:2], (1, "0 passed, 1 failed"))

    def test_configuration_that_fails(self):
        self.stub("bin/cmake", '[ "$1" = --build ]')
        self.assertEqual(self.run_test("--fast")[:2], (1, "0 passed, 1 failed"))

    def test_failing_level(self):
        self.stub("tools/dev/levels", "echo '29 passed, 1 failed'; exit 1")
        self.assertEqual(self.run_test()[:2], (1, "90 passed, 1 failed"))

    def test_levels_that_never_ran(self):
        self.stub("tools/dev/levels", "exit 1")
        self.assertEqual(self.run_test()[:2], (1, "61 passed, 1 failed"))

    def test_failing_peer(self):
        self.stub("tests/peers/run", "echo '19 passed, 1 failed'; exit 1")
        self.assertEqual(self.run_test()[:2], (1, "90 passed, 1 failed"))

    def test_missing_peer(self):
        self.stub("tests/peers/setup", "exit 1")
        self.assertEqual(self.run_test()[:2], (1, "90 passed, 1 failed"))

    def test_failing_fuzz_target_format_and_tidy(self):
        self.stub("tools/dev/fuzz", "echo '3 passed, 1 failed'; exit 1")
        self.stub("tools/dev/format", "exit 1")
        self.stub("tools/dev/tidy", "exit 1")
        self.assertEqual(self.run_test()[:2], (1, "88 passed, 3 failed"))

    def test_unknown_option(self):
        self.assertEqual(self.run_test("--fats")[0], 2)


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
"""The compile-fail harness fails when it should: see tests/compile_fail/run.py."""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

RUN = pathlib.Path(__file__).resolve().parents[1] / "compile_fail/run.py"
GOOD = """// expect: nodiscard|unused
[[nodiscard]] int f();
void g() {
#ifdef HAWSER_CONTROL
  (void)f();
#else
  f();
#endif
}
"""


class HarnessTest(unittest.TestCase):
    def check(self, source):
        with tempfile.TemporaryDirectory() as scratch:
            path = pathlib.Path(scratch) / "case.cc"
            path.write_text(source)
            command = [sys.executable, RUN, path, os.environ.get("CXX", "g++"), "-std=c++20", "-Wall", "-Werror"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            return done.returncode, done.stderr

    def expect(self, source, message):
        status, output = self.check(source)
        self.assertEqual(status, 1, "not seen: " + message)
        self.assertIn(message, output)

    def test_misuse_that_is_refused_passes(self):
        self.assertEqual(self.check(GOOD), (0, ""))

    def test_misuse_that_compiles(self):
        self.expect(GOOD.replace("[[nodiscard]] ", ""), "compiles, and must not")

    def test_another_reason(self):
        self.expect(GOOD.replace("nodiscard|unused", "dangling"), "fails for another reason")

    def test_control_that_does_not_compile(self):
        self.expect(GOOD.replace("(void)f();", "(void)h();"), "does not compile even as a control")

    def test_missing_parts(self):
        self.expect(GOOD.replace("// expect", "// perhaps"), "no `// expect")
        self.expect(GOOD.replace("HAWSER_CONTROL", "OTHER"), "no HAWSER_CONTROL")


if __name__ == "__main__":
    unittest.main()

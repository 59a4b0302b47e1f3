#!/usr/bin/env python3
"""tools/dev/levels runs every suite at every level, and a fault in one kernel alone is seen there and by the tests of
masking. For that the real suite of core is linked with a faulty copy of src/core/mask.cc.
"""
import importlib.machinery
import importlib.util
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("HAWSER_BUILD", ROOT / "build/release"))
loader = importlib.machinery.SourceFileLoader("levels", str(ROOT / "tools/dev/levels"))
levels = importlib.util.module_from_spec(importlib.util.spec_from_loader("levels", loader))
loader.exec_module(levels)

GOOD = 'echo "masking by $HAWSER_SIMD, UTF-8 by x"; echo "[  PASSED  ] 10 tests."'
# Level -> what is wrong in its kernel alone: the last byte, or the key of the last register.
FAULTS = {
    "scalar": (
        "scalar ? mask_short :",
        "scalar ? +[](std::byte* o, const std::byte* i, std::size_t n, std::uint32_t k) noexcept {"
        " mask_short(o, i, n, k); o[n - 1] ^= std::byte{1}; } :",
    ),
    "avx2": (
        "_mm256_xor_si256(load(n - size), keys_at(n - size))", "_mm256_xor_si256(load(n - size), keys_at(n - size + 1))",
    ),
    "avx512": (
        "_mm512_xor_si512(load(n - size), keys_at(n - size))", "_mm512_xor_si512(load(n - size), keys_at(n - size + 1))",
    ),
}


class Scratch(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="hawser_levels_")
        self.addCleanup(scratch.cleanup)
        self.suites = pathlib.Path(scratch.name)
        for suite in levels.SUITES:
            self.suite(suite, GOOD)

    def suite(self, name, body):
        path = self.suites / f"hawser_{name}_tests"
        path.write_text("#!/bin/sh\n" + body + "\n")
        path.chmod(0o755)

    def run_levels(self, **environment):
        done = subprocess.run(
            [sys.executable, ROOT / "tools/dev/levels", "--suites", self.suites], capture_output=True, text=True,
            env={**os.environ, **environment}, check=False,
        )
        return done.returncode, done.stdout


class Counting(Scratch):
    def expect(self, status, passed, failed):
        found, output = self.run_levels()
        self.assertEqual(found, status, output)
        self.assertTrue(output.endswith(f"\n{passed} passed, {failed} failed\n"), output)
        return output

    def test_every_suite_at_every_level(self):
        output = self.expect(0, 10 * len(levels.SUITES) * len(levels.levels()), 0)
        for suite in levels.SUITES:
            for level in levels.levels():
                self.assertRegex(output, rf"(?m)^{suite} +{level} +10 passed +0 failed")

    def test_failing_tests(self):
        self.suite("ext", GOOD + '; echo "the reason"; echo "[  FAILED  ] 2 tests, listed below:"; exit 1')
        runs = len(levels.levels())
        self.assertIn("the reason", self.expect(1, 10 * runs * len(levels.SUITES), 2 * runs))

    def test_a_level_that_was_not_run(self):
        everything = 10 * len(levels.levels()) * len(levels.SUITES)
        refusal = 'if [ "$HAWSER_SIMD" = scalar ]; then echo "HAWSER_SIMD: not here"; exit 2; fi; '
        self.suite("core", refusal + GOOD)
        self.expect(1, everything - 10, 1)
        self.suite("core", GOOD.replace("$HAWSER_SIMD", "another"))
        self.expect(1, everything - 10 * len(levels.levels()), len(levels.levels()))

    def test_a_suite_that_is_missing_dies_or_is_empty(self):
        everything = 10 * len(levels.levels()) * len(levels.SUITES)
        runs = len(levels.levels())
        (self.suites / "hawser_ws_tests").unlink()
        self.expect(1, everything - 10 * runs, runs)
        self.suite("ws", GOOD + "; kill -SEGV $$")
        self.expect(1, everything, runs)
        self.suite("ws", 'echo "masking by $HAWSER_SIMD, UTF-8 by x"')
        self.expect(1, everything - 10 * runs, runs)

    def test_the_levels_are_read_from_the_system(self):
        info = self.suites / "cpuinfo"
        for text, expected in (("flags\t\t: fpu avx avx2 bmi1\n", ["scalar", "avx2"]), ("Features : fp asimd\n", ["scalar"]),
                               ("flags : avx2 avx512f avx512vbmi\n", ["scalar", "avx2", "avx512"])):
            info.write_text("processor : 0\n" + text)
            self.assertEqual(levels.levels(info), expected)


class PlantedFault(Scratch):
    def commands(self, target):
        said = subprocess.run(["ninja", "-C", BUILD, "-t", "commands", target], capture_output=True, text=True, check=True)
        return [line for line in said.stdout.splitlines() if line]

    def link_with_fault(self, level):
        """The suite of core with a fault in the kernel of this level."""
        source = self.suites / "mask.cc"
        right, wrong = FAULTS[level]
        text = (ROOT / "src/core/mask.cc").read_text()
        self.assertEqual(text.count(right), 1, f"the place of the fault for {level}")
        source.write_text(text.replace(right, wrong))
        compile_mask = next(c for c in self.commands("hawser_core_tests") if c.endswith("src/core/mask.cc"))
        words = shlex.split(compile_mask)
        words[words.index("-o") + 1] = words[words.index("-MT") + 1] = str(self.suites / "mask.o")
        words[words.index("-MF") + 1] = str(self.suites / "mask.d")
        words[-1] = str(source)
        subprocess.run(words, cwd=BUILD, check=True)
        link = self.commands("hawser_core_tests")[-1]
        program = self.suites / "hawser_core_tests"
        link = re.sub(r"-o \S+", f"{self.suites}/mask.o -o {program}", link, count=1)
        program.unlink()
        subprocess.run(link, shell=True, cwd=BUILD, check=True)
        return program

    def test_a_fault_in_one_kernel(self):
        for level in levels.levels():
            with self.subTest(level=level):
                program = self.link_with_fault(level)
                said = subprocess.run([program, "--gtest_filter=mask.*"], capture_output=True, text=True, check=False)
                self.assertEqual(said.returncode, 1, said.stdout)
                self.assertRegex(said.stdout, rf"(?m)^({level}|public) ")
                # Whole connections, and not the tests that call each kernel by itself.
                status, output = self.run_levels(GTEST_FILTER="connection*")
                self.assertEqual(status, 1, output)
                for other in levels.levels():
                    verdict = r"[1-9]\d*" if other == level else "0"
                    self.assertRegex(output, rf"(?m)^core +{other} +\d+ passed +{verdict} failed")


if __name__ == "__main__":
    unittest.main()

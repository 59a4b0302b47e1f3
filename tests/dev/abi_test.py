#!/usr/bin/env python3
"""tools/dev/abi tells what breaks programs from what does not, on libraries of a few lines."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ABI = pathlib.Path(__file__).resolve().parents[2] / "tools/dev/abi"
HEADER = """#pragma once
namespace hawser { inline namespace v1 {
struct pair { int first; int second; };
__attribute__((visibility("default"))) int sum(const pair& p, int more);
namespace detail {
__attribute__((visibility("default"))) int inner(int x);
}
}}
"""
SOURCE = """#include <hawser/part.h>
namespace hawser { inline namespace v1 {
struct secret { int a; };
int sum(const pair& p, int more) { secret s{more}; return p.first + p.second + s.a; }
namespace detail { int inner(int x) { return x; } }
}}
"""


class AbiTest(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="hawser_abi_")
        self.addCleanup(scratch.cleanup)
        self.here = pathlib.Path(scratch.name)

    def prefix(self, name, *changes, soname="0.1"):
        """A version of the library in which the changes, pairs of texts, were made."""
        root = self.here / name
        (root / "lib").mkdir(parents=True)
        (root / "include/hawser").mkdir(parents=True)
        header, source = HEADER, SOURCE
        for old, new in changes:
            self.assertIn(old, header + source)
            header, source = header.replace(old, new), source.replace(old, new)
        (root / "include/hawser/part.h").write_text(header)
        (root / "part.cc").write_text(source)
        subprocess.run(
            [os.environ.get("CXX", "g++"), "-std=c++20", "-g", "-shared", "-fPIC", "-fvisibility=hidden",
             f"-I{root}/include", f"-Wl,-soname,libhawser_part.so.{soname}", root / "part.cc", "-o",
             root / "lib/libhawser_part.so"], check=True)
        return root

    def compare(self, *changes, **more):
        base, new = self.prefix("base"), self.prefix("new", *changes, **more)
        done = subprocess.run([sys.executable, ABI, "--prefixes", base, new], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def test_the_same(self):
        status, said = self.compare(("p.first + p.second", "p.second + p.first"))
        self.assertEqual(status, 0, said)
        self.assertIn("libhawser_part.so: the same", said)

    def test_what_is_added_breaks_nothing(self):
        more = '__attribute__((visibility("default"))) int more();\nnamespace detail {'
        made = "int more() { return 1; }\nnamespace detail { int"
        status, said = self.compare(("namespace detail {\n", more + "\n"), ("namespace detail { int", made))
        self.assertEqual(status, 0, said)
        self.assertIn("additions only", said)

    def test_a_member_more_breaks(self):
        status, said = self.compare(("int second;", "int second; int third;"))
        self.assertEqual(status, 1, said)
        self.assertIn("broken, but still called libhawser_part.so.0.1", said)
        self.assertIn("third", said)

    def test_a_function_that_is_gone_breaks(self):
        status, said = self.compare(("const pair& p, int more", "const pair& p, long more"), ("s{more}", "s{int(more)}"))
        self.assertEqual(status, 1, said)

    def test_a_break_under_another_name_is_allowed(self):
        status, said = self.compare(("int second;", "int second; int third;"), soname="0.2")
        self.assertEqual(status, 0, said)
        self.assertIn("broken, and called libhawser_part.so.0.2", said)

    def test_what_is_private_may_change(self):
        status, said = self.compare(("struct secret { int a; };", "struct secret { int a; long b = 0; };"))
        self.assertEqual(status, 0, said)
        self.assertIn("the same", said)

    def test_what_headers_call_in_detail_counts(self):
        status, said = self.compare(("int inner(int x)", "long inner(long x)"))
        self.assertEqual(status, 1, said)

    def test_without_a_release_it_says_so(self):
        root = self.here / "project"
        (root / "tools/dev").mkdir(parents=True)
        shutil.copy(ABI, root / "tools/dev/abi")
        subprocess.run(["git", "init", "-q", root], check=True)
        done = subprocess.run([sys.executable, root / "tools/dev/abi"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("there is no release to compare with", done.stdout)


if __name__ == "__main__":
    unittest.main()

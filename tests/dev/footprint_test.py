#!/usr/bin/env python3
"""The client's header stays cheap to compile: docs/footprint.md. Counted in lines, which no other work on the machine changes."""
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
MOST_LINES = 60_000
HEADERS = ("hawser/ws/client.h", "hawser/hawser.h")


def preprocessed(header, *options):
    with tempfile.NamedTemporaryFile("w", suffix=".cc", prefix="hawser_footprint_") as source:
        source.write(f"#include <{header}>\n#include <iostream>\n")
        source.flush()
        command = [os.environ.get("CXX", "g++"), "-std=c++20", "-O2", f"-I{ROOT}/include", *options, source.name]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout


class FootprintTest(unittest.TestCase):
    def test_lines(self):
        for header in HEADERS:
            lines = preprocessed(header, "-E", "-P").count("\n")
            self.assertGreater(lines, 20_000, "it was not preprocessed")
            self.assertLess(lines, MOST_LINES, header)

    def test_nobody_elses_headers(self):
        for header in HEADERS:
            found = re.findall(r"(/\S+)", preprocessed(header, "-E", "-M"))
            theirs = [name for name in found if not name.startswith(str(ROOT))
                      and re.search(r"/(openssl|simdjson|zlib|zstd|isa-l|CLI)\b", name)]
            self.assertEqual(theirs, [], header)


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
"""Passes when FILE is refused by the compiler for the reason that it names.

Usage: run.py FILE COMPILER [FLAG...]

FILE holds a comment `// expect: REGEX`. It must compile when HAWSER_CONTROL is defined, so that nothing else is wrong
with it; without the macro it must not compile, and some line of the compiler's answer must match REGEX.
"""
import pathlib
import re
import subprocess
import sys

EXPECT = re.compile(r"^// expect: (.+)$", re.MULTILINE)


def compile_only(command):
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    return done.returncode == 0, done.stdout + done.stderr


def verdict(path, command):
    """None when the file behaves, otherwise what is wrong with it."""
    source = path.read_text(encoding="utf-8")
    expected = EXPECT.search(source)
    if not expected:
        return "no `// expect: REGEX` comment"
    if "HAWSER_CONTROL" not in source:
        return "no HAWSER_CONTROL branch: it could fail for any reason"
    control, output = compile_only([*command, "-DHAWSER_CONTROL", path])
    if not control:
        return "does not compile even as a control:\n" + output
    misuse, output = compile_only([*command, path])
    if misuse:
        return "compiles, and must not"
    if not re.search(expected.group(1).strip(), output):
        return f"fails for another reason than `{expected.group(1).strip()}`:\n{output}"
    return None


def main():
    path = pathlib.Path(sys.argv[1])
    wrong = verdict(path, [*sys.argv[2:], "-fsyntax-only"])
    if wrong:
        print(f"{path}: {wrong}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

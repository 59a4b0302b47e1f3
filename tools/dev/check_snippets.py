#!/usr/bin/env python3
"""Every block of C or C++ in README.md and docs/**/*.md stands, line by line, in a file that is compiled.

Usage: check_snippets.py [ROOT]. Blank lines and indentation at the left do not count. The includes that a block begins with
may stand anywhere in that file. Prints one line a violation and ends with status 1 if there is any.
"""
import pathlib
import re
import sys

# What a fence says behind its marks, in any case; the closing one stands as deep as the block.
BLOCK = re.compile(r"^([ \t]*)```[ \t]*(?:c|cc|cpp|cxx|c\+\+|h|hpp)\b[^\n]*\n(.*?)^\1```", re.I | re.M | re.S)
COMPILED = ("examples/**/*.cc", "examples/**/*.c", "examples/**/*.h", "tests/**/*.cc", "tests/**/*.c", "fuzz/*.cc",
            "tools/hawser/*.h")
REFUSED = "tests/compile_fail"  # What stands there must not compile.


def bare(text):
    return [line.strip() for line in text.splitlines() if line.strip()]


def stands_in(block, source):
    """`source` is the bare text of a file, a line break at either end."""
    includes = 0
    while includes < len(block) and block[includes].startswith("#include"):
        includes += 1
    rest = block[includes:]
    return all(f"\n{line}\n" in source for line in block[:includes]) and "\n".join(["", *rest, ""]) in source


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    compiled = ["\n".join(["", *bare(path.read_text(encoding="utf-8")), ""])
                for pattern in COMPILED for path in root.glob(pattern) if root / REFUSED not in path.parents]
    found = []
    for page in [root / "README.md", *sorted((root / "docs").rglob("*.md"))]:
        text = page.read_text(encoding="utf-8")
        for match in BLOCK.finditer(text):
            if not any(stands_in(bare(match.group(2)), source) for source in compiled):
                line = text.count("\n", 0, match.start()) + 1
                found.append(f"{page.relative_to(root)}:{line}: this block is in no compiled file")
    for message in found:
        print(message, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

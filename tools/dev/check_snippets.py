#!/usr/bin/env python3
"""Every ```cpp block of README.md and docs/*.md stands, line by line, in a file that is compiled.

Usage: check_snippets.py [ROOT]. Blank lines and indentation at the left do not count. Prints one line a violation and
ends with status 1 if there is any.
"""
import pathlib
import re
import sys

BLOCK = re.compile(r"^```cpp\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMPILED = ("examples/**/*.cc", "examples/**/*.h", "tests/**/*.cc", "fuzz/*.cc", "tools/hawser/*.h")


def bare(text):
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    compiled = [bare(path.read_text(encoding="utf-8")) for pattern in COMPILED for path in root.glob(pattern)]
    found = []
    for page in [root / "README.md", *sorted((root / "docs").glob("*.md"))]:
        text = page.read_text(encoding="utf-8")
        for block in BLOCK.finditer(text):
            if not any(bare(block.group(1)) in source for source in compiled):
                line = text.count("\n", 0, block.start()) + 1
                found.append(f"{page.relative_to(root)}:{line}: this block is in no compiled file")
    for message in found:
        print(message, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

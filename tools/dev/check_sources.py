#!/usr/bin/env python3
"""House rules that a compiler does not know. Usage: check_sources.py [ROOT].

Prints one line a violation and ends with status 1 if there is any.
"""
import pathlib
import re
import sys

MAX_LINES = 700
FOLDERS = ("include", "src", "tests", "fuzz", "bench", "examples", "tools")
CODE = {".h", ".cc", ".py", ".mjs", ".js", ".sh", ".cmake"}
CPP = {".h", ".cc"}


class Rule:
    """A pattern that may not occur in the code of some folders. String literals count: they may hold it as well."""

    def __init__(self, folders, suffixes, pattern, message, flags=0):
        self.folders, self.suffixes, self.message = folders, suffixes, message
        self.pattern = re.compile(pattern, flags)

    def violations(self, path, shown, text):
        if shown.parts[0] not in self.folders or path.suffix not in self.suffixes:
            return
        for match in self.pattern.finditer(text):
            yield f"{shown}:{text.count(chr(10), 0, match.start()) + 1}: {self.message}"


RULES = [
    # Split words, so that this file does not accuse itself.
    Rule(FOLDERS, CODE, r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b", "unfinished mark: finish it or say why it is right"),
    Rule(
        ("tests",), CODE,
        r"\bsleep_(?:for|until)\b|\b(?:u|nano)?sleep" r"\(",
        "a test never waits by sleeping: wait for the event itself",
    ),
    Rule(
        ("include", "src"), CPP,
        r"\bstd::(?:cout|cerr|clog)\b|\b(?:f|v|vf)?printf\s*\(|\b(?:f?puts|putchar|perror)\s*\(|\b(?:quick_)?exit\s*\(",
        "the library never prints and never exits",
    ),
    # A lambda that is a coroutine must name its return type. Its captures die with the lambda, not with the coroutine.
    Rule(
        FOLDERS, CPP,
        r"\[[^\[\]]*[^\[\]\s][^\[\]]*\]\s*\([^()]*\)\s*(?:mutable\s*|noexcept\s*)*->\s*(?:\w+::)*task<",
        "a capturing lambda may not be a coroutine: pass what it needs as parameters",
    ),
    Rule(
        ("include",), CPP, r"^\s*using\s+namespace\b", "a header may not say `using namespace`", re.MULTILINE,
    ),
]


def check_file(root, path):
    shown = path.relative_to(root)
    text = path.read_text(encoding="utf-8")
    lines = text.count("\n")
    if lines > MAX_LINES:
        yield f"{shown}: {lines} lines, and {MAX_LINES} are allowed: it usually holds two rooms"
    for rule in RULES:
        yield from rule.violations(path, shown, text)


def files_of(root):
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in CODE and path.is_file() and "node_modules" not in path.parts:
                yield path


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    found = [message for path in files_of(root) for message in check_file(root, path)]
    for message in found:
        print(message, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

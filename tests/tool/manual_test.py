#!/usr/bin/env python3
"""The manual page and the completion say what the tool says. Usage: manual_test.py HAWSER"""
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
MANUAL = ROOT / "tools/dev/manual"
PAGE = ROOT / "tools/hawser/hawser.1"
COMPLETION = ROOT / "tools/hawser/hawser.bash"
HAWSER = pathlib.Path(sys.argv.pop(1)).resolve()
COMMANDS = ((), ("echo",), ("connect",), ("ext",), ("ext", "list"), ("ext", "info"), ("ext", "test"))


def run(*command):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)


def options_of(words):
    """Found in another way than the page and the completion find them."""
    said = run(HAWSER, *words, "--help").stdout
    options = said.split("Options:\n")[1].split("\n\n")[0]
    return set(re.findall(r"(?:^  |,)(--?[a-zA-Z][\w-]*)", options, re.MULTILINE))


def completed(*words):
    """What stands to choose after these words, the last of which is not finished."""
    script = (f'source {COMPLETION}; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _hawser; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    done = run("bash", "-uc", script, "bash", HAWSER, *words)
    if done.stderr:
        raise AssertionError(done.stderr)
    return set(done.stdout.split())


class Manual(unittest.TestCase):
    def test_page_is_what_the_tool_says(self):
        done = run(sys.executable, MANUAL, "--check", "--hawser", HAWSER)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_page_that_is_old_is_found(self):
        with tempfile.TemporaryDirectory() as scratch:
            other = pathlib.Path(scratch) / "hawser"
            other.write_text(f"#!/bin/sh\n{HAWSER} \"$@\" | sed 's/--broadcast/--to-all/'\n")
            other.chmod(0o755)
            done = run(sys.executable, MANUAL, "--check", "--hawser", other)
        self.assertEqual(done.returncode, 1)
        self.assertIn("run tools/dev/manual", done.stderr)

    def test_every_option_of_every_command_is_on_the_page(self):
        page = PAGE.read_text(encoding="utf-8").replace("\\-", "-")
        for words in COMMANDS:
            for option in options_of(words):
                self.assertRegex(page, rf"\\fB{option}\\fR", f"{words} {option}")

    def test_page_has_no_mistake_of_its_own(self):
        done = run("groff", "-man", "-ww", "-z", "-Tutf8", PAGE)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))

    def test_page_fits_a_terminal_of_80_columns(self):
        shown = run("groff", "-man", "-Tascii", "-P-cbou", "-rLL=80n", PAGE).stdout
        self.assertIn("openssl req", shown)
        self.assertEqual([line for line in shown.splitlines() if len(line) > 80], [])


class Completion(unittest.TestCase):
    def test_options_of_every_command(self):
        for words in COMMANDS:
            with self.subTest(words):
                self.assertEqual(completed(*words, "-"), options_of(words))

    def test_commands(self):
        self.assertEqual(completed(""), {"echo", "connect", "ext"})
        self.assertEqual(completed("e"), {"echo", "ext"})
        self.assertEqual(completed("ext", ""), {"list", "info", "test"})

    def test_options_behind_other_words(self):
        self.assertEqual(completed("echo", "--listen", "127.0.0.1:0", "--broad"), {"--broadcast"})
        self.assertEqual(completed("-"), options_of(()))

    def test_extensions(self):
        every = completed("echo", "--extension", "")
        self.assertIn("permessage-deflate", every)
        self.assertEqual(every, completed("ext", "info", ""))
        for name in every:
            done = run(HAWSER, "ext", "info", name)
            if "this build has no " not in done.stderr:
                self.assertEqual(done.returncode, 0, name)

    def test_values_are_the_ones_that_are_taken(self):
        self.assertEqual(completed("connect", "--deflate", ""), {"fast", "balanced", "small", "low_memory"})
        self.assertEqual(completed("echo", "--driver", "a"), {"auto"})

    def test_syntax_holds_where_nothing_fits(self):
        self.assertEqual(completed("connect", "ws://"), set())


if __name__ == "__main__":
    unittest.main()

"""Runs the demonstration of ./quickstart on a build, and the examples that it leaves out.

    examples_test.py demonstration|verdict|listings BUILD
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "peers"))

from kit.children import EchoServer, Program  # noqa: E402


def demonstrate(build, *options):
    command = [str(ROOT / "tools" / "dev" / "demonstrate"), "--build", build, *options]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=100)
    print(run.stdout)
    return run.returncode, run.stdout


def demonstration(build):
    status, out = demonstrate(build)
    assert status == 0, f"exit status {status}"
    assert out.rstrip().endswith("Demonstration: everything was seen.")


def verdict(build):
    """With the extensions disabled at our server, exactly the two steps that show them must be missed."""
    status, out = demonstrate(build, "--without-extension")
    assert status == 1, f"exit status {status}"
    missed = [step.splitlines()[0] for step in re.split(r"^  (?! )", out, flags=re.M) if ": NO" in step]
    assert [title.split(":")[0] for title in missed] == ["custom extension", "two extensions composed"], missed


def listings(build):
    """Each example is short enough to be read, and the ones without a place in the demonstration work."""
    for source in sorted((ROOT / "examples").glob("*.*")):
        length = len(source.read_text(encoding="utf-8").splitlines())
        assert length <= 60, f"{source.name} has {length} lines; an example has at most 60"
    server = EchoServer(f"{build}/hawser")
    blocking = Program([f"{build}/examples/blocking", server.url])
    blocking.expect_success()
    assert blocking.lines() == ["received: hello"], blocking.lines()
    server.stop()
    runs = Program([f"{build}/examples/runs"])
    runs.expect_success()
    page = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    shown = page.split("$ build/release/examples/runs\n", 1)[1].split("\n```", 1)[0].splitlines()
    assert runs.lines() == shown, runs.lines()
    chat = Program([f"{build}/examples/chat_server", "127.0.0.1:0"])
    url = chat.find(r"ws://\S+").group(0)
    listener = Program([f"{build}/hawser", "connect", "-v", url])
    listener.find("connected", "err")
    speaker = Program([f"{build}/hawser", "connect", "-v", url])
    speaker.find("connected", "err")
    speaker.write_line("good evening")
    assert listener.next_line() == "good evening"
    for program in (speaker, listener):
        program.end_input()
        program.expect_success()
    assert speaker.lines() == [], "who speaks does not hear himself"
    chat.kill()


if __name__ == "__main__":
    {"demonstration": demonstration, "verdict": verdict, "listings": listings}[sys.argv[1]](sys.argv[2])

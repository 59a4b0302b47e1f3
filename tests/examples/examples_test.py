"""Runs the demonstration of ./quickstart on a build, and the examples that it leaves out.

    examples_test.py demonstration|verdict|listings|tutorials BUILD
"""

import pathlib
import re
import subprocess
import sys
import urllib.request

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


def tutorials(build):
    """The thermometer and its server: what is reported is seen, a page is there, and who was cut off comes back."""
    server = Program([f"{build}/examples/weather_server", "127.0.0.1:0"])
    address = server.find(r"http://(\S+)/").group(1)
    watcher = Program([f"{build}/hawser", "connect", "-v", f"ws://{address}/watch"])
    watcher.find("connected", "err")
    # More readings than it will be let: it is sent home by the second server.
    thermometer = Program([f"{build}/examples/thermometer", f"ws://{address}/report", "400"])
    assert watcher.next_line() == "harbour: here I am"
    assert watcher.next_line().startswith("harbour: 2")
    assert b"/watch" in get(f"http://{address}/")
    assert b"hawser_" in get(f"http://{address}/metrics")
    stranger = Program([f"{build}/hawser", "connect", "-v", f"ws://{address}/report"])
    stranger.find("1008.*say who you are", "err")
    watcher.end_input()
    watcher.expect_success()
    server.terminate()
    server.expect_success()
    assert "harbour left: 1001" in server.lines(), server.lines()
    thermometer.find("trying again")
    again = Program([f"{build}/examples/weather_server", address])
    thermometer.find("connected, weather.v1")
    thermometer.find("heard: go home")
    again.find("harbour left: 1000")
    again.terminate()
    again.expect_success()
    thermometer.kill()


def get(url):
    with urllib.request.urlopen(url, timeout=20) as answer:
        return answer.read()


if __name__ == "__main__":
    parts = {"demonstration": demonstration, "verdict": verdict, "listings": listings, "tutorials": tutorials}
    parts[sys.argv[1]](sys.argv[2])

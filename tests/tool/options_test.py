"""Options of the tool by themselves: what they do, and what a value that is wrong is told.

    options_test.py origins HAWSER
"""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "peers"))

from kit import raw  # noqa: E402
from kit.children import PATIENCE, EchoServer  # noqa: E402
from kit.registry import expect, expect_equal  # noqa: E402

HAWSER = sys.argv[2]


def refuse(words, *said):
    """A call that is wrong: status 2, and one line in which all of `said` stands."""
    made = subprocess.run([HAWSER, *words], stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE)
    err = made.stderr.decode()
    expect_equal((made.returncode, made.stdout, err.count("\n"), err[:8]), (2, b"", 1, "hawser: "), f"{words} said {err!r}")
    for word in said:
        expect(word in err, f"{words} should say {word!r}, not {err!r}")


# ---- origins
def statuses(port, *origins):
    return [raw.RawClient(port, f"Origin: {origin}").status for origin in origins]


def origins():
    """G1: --allow-origin lets in pages of the sites that it names, beside the server's own, and no other; it takes origins."""
    foreign = ("https://app.example", "https://app.example:8443", "http://app.example", "http://localhost:3000", "null")
    server = EchoServer(HAWSER, "-v")
    own = f"http://127.0.0.1:{server.port}"
    expect_equal(statuses(server.port, own, *foreign), [101] + 5 * [403], "without the option")
    server.find(r"refused: .*--allow-origin", "err")
    server.stop()
    server = EchoServer(HAWSER, "--allow-origin", "https://App.example:443", "--allow-origin", "http://localhost:3000",
                        "--allow-origin", "chrome-extension://abc", "--allow-origin", "capacitor://localhost")
    own = f"http://127.0.0.1:{server.port}"
    expect_equal(statuses(server.port, own, *foreign), [101, 101, 403, 403, 101, 403], "with two sites")
    expect_equal(statuses(server.port, "chrome-extension://abc", "capacitor://localhost", "chrome-extension://abd"),
                 [101, 101, 403], "with an extension of a browser and an application")
    server.stop()
    for origin, *said in (
            ("https://app.example/", "write https://app.example "), ("http://[::1]:80/a?b", "write http://[::1]:80 "),
            ("https://app.example?a", "write https://app.example "), ("https://app.example#", "write https://app.example "),
            ("app.example:8443", "no scheme", "write https://app.example:8443,"), ("wss://a.test", "write https://a.test "),
            ("ws://a.test/chat", "write http://a.test "), ("null", "cannot be let in"), ("*", "name each"), ("", "''"),
            ("https://*.test", "name each"), ("https://a.test,https://b.test", "--allow-origin for each"),
            ("https://me@a.test", "write https://HOST "), ("https://a.test:65536", "write https://HOST "),
            ("https://b\u00fccher.test", "xn--"), ("https:///", "write https://HOST "), ("WSS://a.test", "write https://a.test "),
            ("ftp://a.test", "no page", "write https://a.test "), ("javascript://a", "no page"), ("File://a", "no page"),
            ("https://a.test:", "write https://HOST "), ("https:/a.test", "write https://HOST "),
            ("https://a b", "write https://HOST ")):
        refuse(["echo", "--allow-origin", origin], f"--allow-origin: '{origin}' ", *said)
    refuse(["echo", "--client", "ws://127.0.0.1:1", "--allow-origin", "https://a.test"], "--client", "--allow-origin")


if __name__ == "__main__":
    globals()[sys.argv[1]]()

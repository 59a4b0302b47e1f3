"""The site of the documentation in headless Chromium."""

import functools
import http.server
import pathlib
import subprocess
import sys
import tempfile
import threading

from kit.registry import expect_equal, peer_test
from suites.chromium import Browser

ROOT = pathlib.Path(__file__).resolve().parents[3]


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@peer_test("site/chromium/no page has to be moved sideways on a telephone", seconds=300)
def widths(bench):
    """What is wider than a telephone, as many tables are and much code is, moves by itself."""
    with tempfile.TemporaryDirectory() as out:
        done = subprocess.run([sys.executable, ROOT / "tools/dev/site/build.py", "--out", out], capture_output=True, text=True,
                              check=False)
        expect_equal((done.returncode, done.stderr), (0, ""), "what the site's builder says")
        site = pathlib.Path(out) / "site"
        pages = sorted(path.name for path in site.glob("*.html") if not path.name.startswith("dir_"))
        handler = functools.partial(Quiet, directory=site)
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            browser = Browser(bench)
            told = browser.play(f"http://127.0.0.1:{server.server_port}/index.html", "widths", 360, pages)
            expect_equal(told, [], f"the pages that are too wide, of {len(pages)}")
            browser.close()
            server.shutdown()

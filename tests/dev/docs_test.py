#!/usr/bin/env python3
"""The site of the documentation builds without a warning and a broken link; and what is wrong in a tree is said so."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "tools/dev/site/build.py"

HEADER = """// What is tested.
#pragma once

/// Opens the namespace.
#define HAWSER_BEGIN namespace hawser { inline namespace v1 {
#define HAWSER_END } }

HAWSER_BEGIN

/// A thing.
struct thing {
  thing(const thing&) = delete;
  int one = 1;  ///< The first.
  /// Asks for it, in two ways.
  int asked(int how);
  int asked();
};

/// See the first.
enum class error { closed };

HAWSER_END
"""
PAGES = {
    "README.md": "# Title\n\nText, [a page](docs/page.md#a-part) and `hawser::thing`.\n",
    "docs/page.md": "# A page\n\nBack to [the first](../README.md), and to a [header](../include/hawser/a.h).\n\n"
                    "## A part\n\n```cpp\nint i = 0;\n```\n",
    "docs/pages.txt": "== One\nREADME.md Start\ndocs/page.md\n== Reference\nhawser::thing\n",
    "include/hawser/a.h": HEADER,
}


def build(root, out):
    return subprocess.run([sys.executable, BUILD, "--root", root, "--out", out], capture_output=True, text=True,
                          check=False)


class Tree(unittest.TestCase):
    def setUp(self):
        self.assertTrue(shutil.which("doxygen"), "doxygen is missing; tools/dev/docs installs it")
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def built(self, **changed):
        """Builds the small tree with some of its files changed (`docs_page_md` is docs/page.md): status and words."""
        files = dict(PAGES)
        for name, text in changed.items():
            path = next((p for p in files if p.replace("/", "_").replace(".", "_") == name), None)
            files[path or name.replace("_", "/", 1) + ".md"] = text
        for path, text in files.items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_text(text, encoding="utf-8")
        done = build(self.folder, self.folder / "out")
        return done.returncode, done.stderr

    def page(self, name):
        return (self.folder / "out/site" / name).read_text(encoding="utf-8")

    def expect(self, words, **changed):
        status, said = self.built(**changed)
        self.assertEqual(status, 1, said)
        self.assertIn(words, said)

    def test_what_is_right_is_built(self):
        status, said = self.built()
        self.assertEqual((status, said), (0, ""))
        front = self.page("index.html")
        self.assertIn('<a href="page.html#page-a-part">a page</a>', front)
        self.assertIn('href="structhawser_1_1thing.html"><code>hawser::thing</code>', front)
        self.assertIn('<a class="here" href="index.html">Start</a>', front)
        self.assertIn('<a href="a_8h.html">header</a>', self.page("page.html"))
        thing = self.page("structhawser_1_1thing.html")
        self.assertEqual(thing.count("Asks for it, in two ways."), 2)
        self.assertNotIn("v1", thing)
        self.assertNotIn("delete", thing)

    def test_a_declaration_without_a_comment_is_a_fault(self):
        self.expect("include/hawser/a.h:13: warning: Member one",
                    include_hawser_a_h=HEADER.replace("  ///< The first.", ""))
        self.expect("include/hawser/a.h:11: warning: Compound hawser::thing",
                    include_hawser_a_h=HEADER.replace("/// A thing.", ""))

    def test_a_comment_ends_at_a_blank_line(self):
        self.expect("include/hawser/a.h:17: warning: Member asked()",
                    include_hawser_a_h=HEADER.replace("how);\n", "how);\n\n"))

    def test_what_doxygen_does_not_know_is_a_fault(self):
        self.expect("unknown command", include_hawser_a_h=HEADER.replace("A thing.", "A \\thinge."))

    def test_a_link_to_nothing_is_a_fault(self):
        self.expect("docs/page.md:3: nothing is at ../nowhere.md",
                    docs_page_md="# A page\n\n[x](../nowhere.md)\n\n## A part\n")
        self.expect("README.md:3: nothing is at docs/page.md#a-whole", README_md="# T\n\n[x](docs/page.md#a-whole)\n")
        self.expect("index.html: broken link to nowhere.html", README_md='# T\n\n<a href="nowhere.html">x</a>\n')

    def test_a_link_in_two_lines_is_one(self):
        page = "# T\n\n* See [a\n  page](docs/page.md), and so on.\n\n## A `part`\n\nText.\n"
        status, said = self.built(README_md=page)
        self.assertEqual((status, said), (0, ""))
        self.assertIn('See <a href="page.html">a page</a>, and so on.', self.page("index.html"))
        self.assertIn("A part</h1>", self.page("index.html"))

    def test_what_doxygen_does_not_understand_is_a_fault(self):
        self.expect("README.md:1: Doxygen did not understand it; @endcode is left",
                    README_md="# T\n\nText \\@endcode.\n")

    def test_a_page_that_is_named_is_linked_to(self):
        self.expect("README.md:3: docs/page.md is named and not linked to", README_md="# T\n\nSee `docs/page.md`.\n")
        done = subprocess.run([sys.executable, BUILD, "--root", self.folder, "--link"], check=False)
        self.assertEqual(done.returncode, 0)
        self.assertEqual((self.folder / "README.md").read_text("utf-8"), "# T\n\nSee [docs/page.md](docs/page.md).\n")
        self.assertEqual((self.folder / "docs/page.md").read_text("utf-8"), PAGES["docs/page.md"])

    def test_the_list_has_every_page(self):
        self.expect("docs/pages.txt:1: docs/other.md is not listed", docs_other="# Another\n")
        os.unlink(self.folder / "docs/other.md")
        self.expect("docs/pages.txt:1: there is no docs/gone.md",
                    docs_pages_txt="== One\nREADME.md\ndocs/page.md\ndocs/gone.md\n")
        self.expect("docs/pages.txt:1: the reference has no hawser::gone",
                    docs_pages_txt="== One\nREADME.md\ndocs/page.md\n== Reference\nhawser::gone\n")


class Site(unittest.TestCase):
    def test_ours_has_no_fault(self):
        self.assertTrue(shutil.which("doxygen"), "doxygen is missing; tools/dev/docs installs it")
        with tempfile.TemporaryDirectory() as out:
            done = build(ROOT, out)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            # Code that a page shows is on the site as it stands there.
            self.assertIn("hawser::ext::message_extension", (pathlib.Path(out) / "site/index.html").read_text("utf-8"))


if __name__ == "__main__":
    unittest.main()

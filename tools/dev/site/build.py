#!/usr/bin/env python3
"""The site: see tools/dev/docs, which runs this.

Doxygen makes the pages and the reference out of copies, which headers.py and pages.py adapt to it. What it made gets
our navigation, links from the names in the text to the reference, and an index to search. Then every link is followed.
Prints one line a fault and ends with status 1 if there is any.
"""
import argparse
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import finish  # noqa: E402
import headers  # noqa: E402
import pages  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent


def read_list(root):
    """The groups of docs/pages.txt: a title, and entries with theirs, which may be empty."""
    groups = []
    for line in (root / "docs/pages.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("== "):
            groups.append((line[3:], []))
        elif line and not line.startswith("#"):
            entry, _, title = line.partition(" ")
            groups[-1][1].append((entry, title.strip()))
    return groups


def check_list(root, listed):
    for path in sorted((root / "docs").rglob("*.md")):
        if path.relative_to(root).as_posix() not in listed:
            yield f"docs/pages.txt:1: {path.relative_to(root)} is not listed"
    for path in listed:
        if not (root / path).is_file():
            yield f"docs/pages.txt:1: there is no {path}"


def copy_input(root, to, site):
    wrong = []
    shutil.rmtree(to, ignore_errors=True)
    for path in sorted((root / "include").rglob("*.h")):
        shown = path.relative_to(root)
        text = path.read_text(encoding="utf-8")
        if not headers.is_internal(text):
            write(to / shown, headers.transformed(text, shown.relative_to("include").as_posix()))
    shutil.copy(HERE / "namespaces.dox", to / "namespaces.dox")
    for page in site.pages.values():
        write(to / page.path, page.for_doxygen(site, wrong))
    return wrong


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def run_doxygen(root, out):
    """What Doxygen had to say, with the paths of the tree."""
    config = (HERE / "Doxyfile").read_text(encoding="utf-8")
    config = config.replace("@OUT@", str(out)).replace("@INPUT@", str(out / "input")).replace("@HERE@", str(HERE))
    shutil.rmtree(out / "site", ignore_errors=True)
    done = subprocess.run(["doxygen", "-"], input=config, cwd=root, text=True, capture_output=True, check=False)
    said = [line.replace(f"{out}/input/", "") for line in done.stderr.splitlines() if line.strip()]
    if done.returncode and not said:
        said.append(f"doxygen ended with status {done.returncode}")
    return said


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--root", type=pathlib.Path, default=HERE.parents[2])
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--link", action="store_true", help="make links of pages that others only name, and go")
    given = parser.parse_args()
    root = given.root.resolve()
    out = (given.out or root / "build/docs").resolve()

    groups = read_list(root)
    listed = [entry for _, entries in groups for entry, _ in entries if entry.endswith(".md")]
    faults = list(check_list(root, listed))
    site = pages.Site(root, [path for path in listed if (root / path).is_file()])
    if given.link:
        for page in site.pages.values():
            write(root / page.path, pages.with_links(page, site))
        return 0
    out.mkdir(parents=True, exist_ok=True)
    for name in ("header.html", "footer.html"):
        shutil.copy(HERE / name, out / name)
    faults += copy_input(root, out / "input", site)
    faults += run_doxygen(root, out)
    faults += finish.finish(root, out, site, groups)
    for fault in faults:
        print(fault, file=sys.stderr)
    if faults:
        print(f"{len(faults)} faults", file=sys.stderr)
        return 1
    print(f"{len(site.pages)} pages and the reference, no warning, no broken link: {out}/site/index.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())

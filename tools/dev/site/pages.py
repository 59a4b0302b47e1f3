"""Pages in Markdown as Doxygen wants them: headings with names of their own, links that lead to pages of the site.

In the tree a page is linked to by its path, and a heading by what git hosts call it; both stay as they are.
"""
import pathlib
import posixpath
import re

FENCE = re.compile(r"^\s*(`{3,}|~{3,})")
HEADING = re.compile(r"^(#{1,6}) +(.*?) *#*$")
# A span of code, which holds no link, or a link, whose text may be one.
LINK = re.compile(r"`[^`\n]*`|(!?)\[((?:[^\[\]`]|`[^`]*`|\[[^\]]*\])*)\]\(([^()\s]+)\)")
MENTION = re.compile(r"(?<!\[)`([\w./]+\.md)`(?!\])")
OUTSIDE = re.compile(r"^[a-z]+:")


def label(path):
    """The name of a page in the site: docs/ext/no_masking.md is ext-no-masking."""
    if path == "README.md":
        return "index"
    inner = path.removeprefix("docs/").removesuffix(".md")
    return re.sub(r"[^a-z0-9]+", "-", inner.lower()).removesuffix("-readme")


def slug(heading):
    """What git hosts call a heading: lower case, blanks as dashes, without punctuation."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")


class Page:
    """One page of the tree: its title, the names of its headings, and itself for Doxygen."""

    def __init__(self, root, path):
        self.path = path
        self.label = label(path)
        self.lines = (root / path).read_text(encoding="utf-8").split("\n")
        self.anchors = {}
        self.spoken = []
        self.title = None
        for _, line, fenced in self.walk():
            match = None if fenced else HEADING.match(line)
            if match is None:
                continue
            if self.title is None:
                self.title = match[2]
            else:
                name, n = slug(match[2]), 0
                while name in self.anchors:
                    n += 1
                    name = f"{slug(match[2])}-{n}"
                self.anchors[name] = f"{self.label}-{name}"
                self.spoken.append(re.sub(r"`|\[([^\]]*)\]\([^)]*\)", r"\1", match[2]))

    def headings(self):
        """What they say, and their names in the site."""
        return zip(self.spoken, self.anchors.values())

    def walk(self):
        """Numbers, lines, and whether they stand in a block of code."""
        fence = None
        for number, line in enumerate(self.lines, 1):
            mark = FENCE.match(line)
            if mark and (fence is None or line.strip().startswith(fence)):
                yield number, line, True
                fence = None if fence else mark[1]
            else:
                yield number, line, fence is not None

    def for_doxygen(self, site, wrong):
        names = iter(self.anchors.values())
        out, text = [], []
        titled = False
        for number, line, fenced in [*self.walk(), (len(self.lines) + 1, "", True)]:
            heading = None if fenced else HEADING.match(line)
            if not fenced and not heading:
                text.append(line)
                continue
            out.append(self.linked("\n".join(text), number - len(text), site, wrong) + "\n" if text else "")
            text = []
            if heading:
                name = next(names) if titled else {"index": "mainpage"}.get(self.label, self.label)
                titled = True
                words = self.linked(heading[2], number, site, wrong).replace("`", "")  # It knows no code in headings.
                line = f"{heading[1]} {words} {{#{name}}}"
            out.append(line + "\n")
        return "".join(out)

    def linked(self, text, first, site, wrong):
        """`text`, which begins in line `first`, with links that lead to places of the site."""
        def replaced(match):
            image, words, target = match.groups()
            number = first + text.count("\n", 0, match.start())
            if target is None:
                name = MENTION.fullmatch(match[0])
                if name and name[1] in site.pages:
                    wrong.append(f"{self.path}:{number}: {name[1]} is named and not linked to")
                return match[0]
            if OUTSIDE.match(target):
                return match[0]
            path, _, anchor = target.partition("#")
            path = posixpath.normpath(posixpath.join(posixpath.dirname(self.path), path)) if path else self.path
            place = site.place(path, anchor)
            if place is None:
                wrong.append(f"{self.path}:{number}: nothing is at {target}")
                return match[0]
            # Words in two lines make Doxygen lose its way.
            return f"{image}[{' '.join(words.split())}]({place})"

        return LINK.sub(replaced, text)


def with_links(page, site):
    """The page with links in place of what it only names."""
    def linked(match):
        if match[1] not in site.pages:
            return match[0]
        return f"[{match[1]}]({posixpath.relpath(match[1], posixpath.dirname(page.path) or '.')})"

    return "\n".join(line if fenced else MENTION.sub(linked, line) for _, line, fenced in page.walk())


class Site:
    """Where everything is that a page may link to."""

    def __init__(self, root, listed):
        self.root = root
        self.pages = {path: Page(root, path) for path in listed}
        self.files = set()

    def place(self, path, anchor):
        page = self.pages.get(path)
        if page is not None:
            if not anchor:
                return f"{page.label}.html"
            return f"{page.label}.html#{page.anchors[anchor]}" if anchor in page.anchors else None
        file = self.root / path
        if anchor or path.startswith("..") or not file.exists():
            return None
        if file.is_dir():
            inside = [p for p in self.pages if pathlib.PurePosixPath(p).parent.as_posix() == path]
            return f"{self.pages[inside[0]].label}.html" if inside else None
        self.files.add(path)
        return f"tree/{path}"

"""What Doxygen made, finished: navigation, links from names to the reference, an index to search, and a check of every
link."""
import html
import json
import re
import shutil
import urllib.parse
import xml.etree.ElementTree

LINK = re.compile(r'\b(href|src)="([^"]*)"')
NAME = re.compile(r"\b(?:id|name)=\"([^\"]*)\"")
CODE = re.compile(r"<code>([^<>]+)</code>")
HEADER = re.compile(r"^(?:hawser/|include/hawser/)?((?:base|core|ext|net|tls|ws|testkit)/\w+\.h|hawser\.h|plugin\.h)$")
SUMMARY = re.compile(r'<div class="summary">.*?</div>|<p>This is the complete list of members.*?</p>|'
                     r'<h2 class="groupheader">Detailed Description</h2>|<div class="ttc".*?</div></div>\n|'
                     r'<div class="textblock">Here (?:are|is) .*?</div>', re.DOTALL)
# "hawser::client Class Reference".
TITLE = re.compile(r'(?<=<div class="title">)(.*?) (Class|Struct|Concept|Namespace|File)(?: Template)? Reference(?=<)')
# Doxygen says that an enumerator is one of the namespace.
ENUMERATOR = re.compile(r'(?<=&#160;&#160;)(<a class="el" [^>]*>)(?:\w+::)+(?=\w+</a>)')
# What is folded needs a script; ours are open.
FOLDED = re.compile(r' onclick="javascript:toggle\w+\([^)]*\)"|<img src="closed.png"[^>]*/>(?:&#160;)?')
WORDS = {">Class List<": ">All classes<", ">File List<": ">All headers<", " List</title>": "</title>"}
# What of a page is left as it was, where Doxygen did not understand it.
NOT_UNDERSTOOD = re.compile(r"(@section|@subsection|@code\b|@endcode|@ref\b|&lt;/?tt&gt;|&lt;table)")
# A parameter that has the name of something else is not meant by it.
PARAMETER = re.compile(r'((?:</a>|[\w;*])(?<!const)(?<!typename) ?)<a class="el" [^>]*>(\w+)</a>(?=\s*(?:,|\)|=))')
# Where a narrow screen may break a name that stands in a table; a wide one does not (style.css).
CELL = re.compile(r'<td class="markdownTable.*?</td>', re.DOTALL)
BREAK = re.compile(r"(?<=[\w)])(::|[._/](?=\w)|\((?=[\w&]))(?=[^<>]*</code>)")
# Lists of everything in the order of the alphabet: our search finds it.
NOT_WANTED = ("functions*.html", "globals*.html", "namespacemembers*.html", "*-members.html", "namespaces.html",
              "hierarchy.html", "pages.html", "classes.html", "graph_legend.html", "concepts.html",
              # And what only Doxygen's own pages need.
              "*.png", "*.svg", "jquery.js", "dynsections.js", "menu*.js", "tabs.css")
# Names that mean something else in most sentences.
COMMON = {"hawser", "hawser::stage", "hawser::url"}


class Reference:
    """Where the names of the reference are: what the tag file says."""

    def __init__(self, path):
        self.places = {}
        self.headers = {}
        self.kinds = {}
        self.enums = {}
        for compound in xml.etree.ElementTree.parse(path).getroot():
            self.read(compound)

    def read(self, compound):
        kind, name, file = compound.get("kind"), compound.findtext("name"), compound.findtext("filename")
        if kind == "file":
            inside = (compound.findtext("path") or "").rsplit("include/", 1)[-1]
            self.headers[f"{inside}{name}"] = file + ("" if file.endswith(".html") else ".html")
        elif kind in ("class", "struct", "union", "concept"):
            self.add(name, kind, file)
        if kind not in ("class", "struct", "union", "namespace", "file"):
            return
        inner = name if kind != "file" else ""
        for member in compound.findall("member"):
            place = f"{member.findtext('anchorfile')}#{member.findtext('anchor')}"
            full = f"{inner}::{member.findtext('name')}" if inner else member.findtext("name")
            if kind == "file" and member.findtext("anchorfile") != file:
                continue  # Its namespace has it.
            self.add(full, member.get("kind"), place)
            for value in member.findall("enumvalue"):
                # A value that has no comment of its own is to be found where its enumeration is.
                self.enums[f"{value.get('file')}#{value.get('anchor')}"] = place
                self.add(f"{full}::{value.text}", "value", f"{value.get('file')}#{value.get('anchor')}")

    def add(self, name, kind, place):
        if "detail" not in name and "<" not in name:
            self.places.setdefault(name, place)
            self.kinds.setdefault(name, kind)

    def find(self, text):
        """The place of a name as a text has it in a span of code, or nothing."""
        header = HEADER.match(text)
        if header:
            return self.headers.get(f"hawser/{header[1]}")
        name = re.sub(r"\(\)$", "", text)
        for full in (name, f"hawser::{name}"):
            if full in self.places and full not in COMMON:
                kind = self.kinds[full]
                # A bare word may be anything; a class or an enumeration is meant when there is one.
                if "::" in name or "_" in name or kind in ("class", "struct", "concept"):
                    return self.places[full]
        return None


def finish(root, out, site, groups):
    reference = Reference(out / "reference.tag")
    for pattern in NOT_WANTED:
        for path in (out / "site").glob(pattern):
            path.unlink()
    made = sorted((out / "site").glob("*.html"))
    names = {path.name: set(NAME.findall(path.read_text(encoding="utf-8"))) for path in made}
    wrong, entries = [], []
    for title, items in groups:
        entries.append((title, [entry_of(item, name, site, reference, wrong) for item, name in items]))
    own = {f"{page.label}.html": page for page in site.pages.values()}

    def place(link):
        return to_enumeration(to_header(link, reference), names, reference)

    for path in made:
        text = path.read_text(encoding="utf-8")
        text = text.replace("<!-- navigation -->", navigation(entries, path.name), 1)
        text = CODE.sub(lambda m: linked(m, path.name, reference, path.name in own), text)
        text = LINK.sub(lambda m: f'{m[1]}="{place(m[2])}"', in_our_words(text))
        if path.name in own:
            if lost := NOT_UNDERSTOOD.search(text):
                left = html.unescape(lost[1])
                wrong.append(f"{own[path.name].path}:1: Doxygen did not understand it; {left} is left")
            text = text.replace('<table class="markdownTable">', '<div class="wide"><table class="markdownTable">')
            text = text.replace("</table>", "</table></div>")
            text = CELL.sub(lambda m: BREAK.sub(r"\1<wbr/>", m[0]), text)
        path.write_text(text, encoding="utf-8")
    copy_linked_files(root, out, site, reference)
    write_index(out / "site/index.js", site, reference)
    return wrong + list(check_links(out / "site"))


def in_our_words(text):
    text = TITLE.sub(r"\1 <small>\2</small>", SUMMARY.sub("", text))
    text = FOLDED.sub("", ENUMERATOR.sub(r"\1", PARAMETER.sub(r"\1\2", text)))
    for theirs, ours in WORDS.items():
        text = text.replace(theirs, ours)
    return text


def copy_linked_files(root, out, site, reference):
    """Pictures and sources that pages link to. Headers have a page of their own."""
    for file in sorted(site.files):
        if f"tree/{file}" == to_header(f"tree/{file}", reference):
            to = out / "site/tree" / file
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / file, to)


def entry_of(item, name, site, reference, wrong):
    if item in site.pages:
        page = site.pages[item]
        return name or page.title, f"{page.label}.html"
    place = reference.places.get(item)
    if place is None and not item.endswith(".md"):
        wrong.append(f"docs/pages.txt:1: the reference has no {item}")
    return name or item.removeprefix("hawser::"), place or "index.html"


def navigation(entries, here):
    out = ['<nav><details open><summary><a href="index.html">Hawser</a></summary>',
           '<input id="search" type="search" placeholder="Search" aria-label="Search" autocomplete="off"/>',
           '<ul id="found"></ul>']
    for title, items in entries:
        out.append(f"<h2>{html.escape(title)}</h2><ul>")
        for name, place in items:
            mark = ' class="here"' if place == here else ""
            out.append(f'<li><a{mark} href="{place}">{html.escape(name)}</a></li>')
        if title == "Reference":
            for name, place in (("All classes", "annotated.html"), ("All headers", "files.html")):
                mark = ' class="here"' if place == here else ""
                out.append(f'<li><a{mark} href="{place}">{name}</a></li>')
        out.append("</ul>")
    return "\n".join([*out, "</details></nav>"])


def linked(match, here, reference, narrative):
    """In the reference a bare word is a parameter as often as a class."""
    name = html.unescape(match[1])
    place = reference.find(name) if narrative or re.search(r"_|::|\.h$", name) else None
    if place is None or place.split("#")[0] == here:
        return match[0]
    return f'<a class="name" href="{place}"><code>{match[1]}</code></a>'


def to_header(target, reference):
    """A header of ours is linked to where it is described."""
    if not target.startswith("tree/include/"):
        return target
    return reference.headers.get(target.removeprefix("tree/include/"), target)


def to_enumeration(target, names, reference):
    """An enumerator without a comment has no place of its own."""
    page, _, anchor = target.partition("#")
    return reference.enums.get(target, target) if page in names and anchor not in names[page] else target


def write_index(path, site, reference):
    """What can be searched for: pages, their headings, and names."""
    found = []
    for page in site.pages.values():
        found.append([page.title, "page", f"{page.label}.html"])
        found += [[heading, page.title, f"{page.label}.html#{name}"] for heading, name in page.headings()]
    for name, place in reference.places.items():
        if "#" in place or name.startswith("hawser"):
            found.append([name.removeprefix("hawser::"), reference.kinds[name], place])
    path.write_text("const index = " + json.dumps(found, ensure_ascii=False, separators=(",", ":")) + ";\n",
                    encoding="utf-8")


def check_links(folder):
    """Follows every link of every page to the file and the anchor it names."""
    texts = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.html")}
    names = {name: set(NAME.findall(text)) for name, text in texts.items()}
    for page, text in sorted(texts.items()):
        for _, link in LINK.findall(text):
            target, _, anchor = html.unescape(link).partition("#")
            if re.match(r"[a-z]+:", target):
                continue
            target = urllib.parse.unquote(target) or page
            if not (folder / target).is_file():
                yield f"{page}: broken link to {link}"
            elif anchor and target in names and anchor not in names[target]:
                yield f"{page}: {target} has no {anchor}"

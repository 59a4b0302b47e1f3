"""Headers as Doxygen wants them. Every line stays where it was, so that what Doxygen says of one is right.

The comment at the top of a file becomes the file's. A comment stands over all functions, or macros, that follow it
without a blank line or another comment, as our readers take it; Doxygen wants one for each. What is deleted, how copies
are made, destroyed, and `operator==` as the language makes it, have nothing to be said of them.
"""
import itertools
import re

TEMPLATE = re.compile(r"^\s*template\s*<")
NOT_FUNCTIONS = re.compile(r"^\s*(?:static_assert|using|typedef|friend|extern|class|struct|union|enum|namespace|concept|"
                           r"public|private|protected|HAWSER_BEGIN|HAWSER_END|#|//|\}|$)")
HEAD = re.compile(r"^\s*(?:class|struct|union|enum|namespace|concept)\b")
TEMPLATE_HEAD = re.compile(r"template\s*<(?:[^<>]|<[^<>]*>)*>")
NOT_SPOKEN_OF = re.compile(r"=\s*delete\s*;|\boperator==\([^)]*\)[^;{]*=\s*default\s*;|"
                           r"\b(\w+)\((?:const )?\1\s*&&?(?: other)?\)|\boperator=\(|~\w+\(")
SHOWN = re.compile(r"^(\s*///)( {3,})(?=\S)")
ENUM = re.compile(r"^\s*enum\b[^;]*$")
DEFINE = re.compile(r"^#\s*define\s")


def is_internal(text):
    """Public only because templates or the layout of a class need it, and its first comment says so."""
    top = " ".join(line[3:] for line in itertools.takewhile(lambda line: line.startswith("//"), text.split("\n")))
    return "Not for users" in top


def transformed(text, shown):
    lines = text.split("\n")
    with_file_comment(lines, shown)
    with_blocks(lines)
    out, at, comment, shared = [], 0, [], None
    while at < len(lines):
        line = lines[at]
        if line.lstrip().startswith("///"):
            comment.append(line.lstrip()[3:])
            out.append(line)
            at += 1
            continue
        if DEFINE.match(line):
            shared = comment or shared
            out.append(with_macro_comment(line, shared if not comment else None))
            comment = []
            at += 1
            while out[-1].endswith("\\"):
                out.append(lines[at])
                at += 1
            continue
        if ENUM.match(line):
            end = next(i for i in range(at, len(lines)) if "}" in lines[i]) + 1
            out += lines[at:end]
            comment, shared, at = [], None, end
            continue
        if NOT_FUNCTIONS.match(line):
            if not TEMPLATE.match(line):
                comment, shared = [], None
            out.append(line)
            at += 1
            continue
        end = declaration_end(lines, at)
        whole = lines[at:end]
        joined = "\n".join(whole)
        function = is_function(joined)
        if "struct std::" in joined:
            whole = [""] * len(whole)  # For the standard library to see, and Doxygen is confused by it.
        elif function and NOT_SPOKEN_OF.search(joined) and not comment and "///<" not in joined:
            whole = [""] * len(whole)
        elif function and comment:
            shared = comment
        elif not function or "///<" in joined:
            shared = None
        elif shared is not None:
            whole[0] = in_line(shared) + whole[0]
        comment = []
        out += whole
        at = end
    return "\n".join(out)


def in_line(comment):
    """A comment in front of what stands in the same line: without the code that it shows."""
    return "/**" + " ".join(itertools.takewhile(lambda line: not line.startswith("     "), comment)).rstrip() + " */ "


def with_macro_comment(line, shared):
    """A macro says in its line what it is, or is one of those of which the comment above speaks."""
    if "  // " in line:
        return line.replace("  // ", "  ///< ", 1)
    return line if shared is None else in_line(shared) + line


def with_file_comment(lines, shown):
    """`// What it is.` in front of `#pragma once`, whose line it takes: what stands beside @file is no Markdown."""
    end = next((i for i, line in enumerate(lines) if not line.startswith("//")), 0)
    if end and lines[end] == "#pragma once":
        lines[:end + 1] = [f"/// @file {shown}", *("/" + line for line in lines[:end])]


def with_blocks(lines):
    """What a comment shows stands three blanks to the right, or more; Markdown wants four behind the first."""
    at = 0
    while at < len(lines):
        end = at
        while end < len(lines) and SHOWN.match(lines[end]):
            end += 1
        if min((len(SHOWN.match(line)[2]) for line in lines[at:end]), default=5) < 5:
            lines[at:end] = [SHOWN.sub(r"\1  \2", line) for line in lines[at:end]]
        at = max(end, at + 1)


def bare(line):
    """Without strings, characters and comments."""
    line = re.sub(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])+\'', "0", line)
    return re.sub(r"//.*", "", line)


def is_function(declaration):
    text = " ".join(bare(line) for line in declaration.split("\n"))
    text = TEMPLATE_HEAD.sub("", text)
    if HEAD.search(text):
        return False
    named = text.split("{")[0].split(" = ")[0]
    return "(" in named and "(*" not in named


def declaration_end(lines, at):
    """The line behind the declaration that begins in line `at`."""
    parens = braces = 0
    text = ""
    for i in range(at, len(lines)):
        for c in bare(lines[i]):
            text += c
            if c in "([":
                parens += 1
            elif c in ")]":
                parens -= 1
            elif c == "{" and parens == 0:
                braces += 1
                if braces == 1 and HEAD.search(TEMPLATE_HEAD.sub("", text)):
                    return i + 1
            elif c == "}" and parens == 0:
                braces -= 1
                if braces == 0 and "(" in text and not text.rstrip("}").rstrip().endswith("="):
                    rest = bare(lines[i]).rstrip()
                    if not rest.endswith((";", ",")) or rest.endswith("}"):
                        return i + 1
            elif c == ";" and parens == 0 and braces == 0:
                return i + 1
        text += " "
    return len(lines)

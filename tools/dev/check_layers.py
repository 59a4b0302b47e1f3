#!/usr/bin/env python3
"""Checks the direction of every include: rooms may only use what stands below them.

Usage: check_layers.py [ROOT]. Prints one line a violation and ends with status 1 if there is any.
"""
import pathlib
import re
import sys

# Who may include whose public headers. The order of the rooms in CMakeLists.txt says the same to the linker.
BELOW = {
    "base": set(),
    "core": {"base"},
    "ext": {"core", "base"},
    "tls": {"base"},
    "net": {"base"},
    "testkit": {"ext", "core", "base"},
    "ws": {"ext", "core", "tls", "net", "base"},
    "hub": {"ws", "ext", "core", "tls", "net", "base"},
}
# Who may include whose private headers besides their own. The shipped extensions and the kit may not: they show what
# an extension written elsewhere can do.
PRIVATE_BELOW = {"core": {"base"}, "tls": {"base"}, "net": {"base"}, "ws": {"core", "tls", "net", "base"}}
PURE = {"base", "core", "ext"}

# Standard headers that bring in threads, a clock of the machine, files or a terminal. Poisoning them would also break
# standard headers that include them, so they are only refused when a pure room names them itself.
NOT_PURE = {
    "condition_variable", "filesystem", "fstream", "future", "iostream", "mutex", "print", "semaphore", "shared_mutex",
    "stop_token", "syncstream", "thread", "csignal", "ctime", "unistd.h", "signal.h", "time.h", "pthread.h", "threads.h",
    "sys/time.h", "sys/types.h", "sys/stat.h",
}
# Third parties by the rooms that may include them, and never in a public header.
THIRD_PARTY = {
    "openssl/": {"base", "tls"},
    "simdjson.h": {"core"},
    "zlib.h": {"ext"},
    "isa-l": {"ext"},
    "libdeflate.h": {"ext"},
    "zstd.h": {"ext"},
    "liburing": {"net"},
    "CLI/": {"tools"},
    "gtest/": set(),
}
C_HEADERS_IN_PUBLIC = {"stddef.h", "stdint.h"}  # for the plain C structs of the extension boundary
BELOW_ALL = {"hawser/plugin.h"}  # the boundary of plug-ins itself: C, and no room of its own

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def check_hawser(path, room, public, name):
    """An include of <hawser/...>."""
    if name in BELOW_ALL:
        return None
    parts = name.split("/")
    if len(parts) == 2:  # the umbrella header, which holds every room
        return None if room in ("tools", "examples", "umbrella") else f"{path}: the umbrella header is for users only"
    target = parts[1]
    if room in ("tools", "examples", "umbrella") or target == room:
        return None
    if target not in BELOW:
        return f"{path}: <{name}> is in no known room"
    if target not in BELOW[room]:
        return f"{path}: room {room} may not include <{name}>: {target} does not stand below {room}"
    return None


def check_quoted(path, room, public, name):
    """An include of a private header, "ROOM/x.h"."""
    if public:
        return f'{path}: a public header may not include the private "{name}"'
    target = name.split("/")[0]
    if room in ("tools", "examples"):
        if target in BELOW:
            return f'{path}: "{name}": {room} use the public headers only'
        return None
    if target == room or target in PRIVATE_BELOW.get(room, set()):
        return None
    return f'{path}: room {room} may not include the private "{name}"'


def check_system(path, room, public, name):
    """An include of a standard, system or third-party header."""
    if room in PURE and name in NOT_PURE:
        return f"{path}: room {room} is pure and may not include <{name}>"
    for prefix, rooms in THIRD_PARTY.items():
        if name.startswith(prefix) and (public or room not in rooms):
            return f"{path}: <{name}> is not for {'public headers' if public else 'room ' + room}"
    if public and room not in ("net", "ws") and name.endswith(".h") and name not in C_HEADERS_IN_PUBLIC:
        return f"{path}: a public header may not include <{name}>"
    return None


def check_file(root, path, room, public):
    shown = path.relative_to(root)
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".h" and "#pragma once" not in text:
        yield f"{shown}: no #pragma once"
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        bracket, name = match.groups()
        if name.startswith("hawser/"):
            check = check_hawser
        else:
            check = check_quoted if bracket == '"' else check_system
        message = check(f"{shown}:{number}", room, public, name)
        if message:
            yield message


def files_of(root):
    """(file, room, public) of everything that the table speaks of."""
    for top, public in ((root / "include/hawser", True), (root / "src", False)):
        for path in sorted(top.rglob("*")):
            if path.suffix in (".h", ".cc"):
                parts = path.relative_to(top).parts
                yield path, parts[0] if len(parts) > 1 else "umbrella", public
    for room, top in (("tools", root / "tools/hawser"), ("examples", root / "examples")):
        for path in sorted(top.rglob("*")):
            if path.suffix in (".h", ".cc"):
                yield path, room, False


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    found = []
    for path, room, public in files_of(root):
        if room not in BELOW and room not in ("tools", "examples", "umbrella"):
            found.append(f"{path.relative_to(root)}: {room} is no known room")
            continue
        found.extend(check_file(root, path, room, public))
    for message in found:
        print(message, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

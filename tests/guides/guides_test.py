"""The pages that lead here from other libraries: what they show runs, and nothing is missing.

    guides_test.py websocketpp|websocket_client|parameters BUILD
"""

import ast
import inspect
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests" / "peers"))

from kit import authority  # noqa: E402
from kit.children import EchoServer, Program  # noqa: E402

SKIPPED = 77


def lines_of(*argv):
    program = Program([str(word) for word in argv])
    program.expect_success()
    return program.lines()


def websocketpp(build):
    """Each column as the client of the other one's server, and of its own: four times the same."""
    columns = [f"{build}/tests/guides/websocketpp_{column}" for column in ("theirs", "ours")]
    for server in columns:
        serving = Program([server, "server"])
        url = serving.find(r"ws://\S+").group(0)
        for client in columns:
            seen = lines_of(client, "client", url)
            assert seen == ["subprotocol: chat.v1", "text: from another thread", "bytes: 3", "pong: there?",
                            "closed: 1000"], (server, client, seen)
        serving.kill()
    with authority.world() as (root, identity):
        echo = EchoServer(f"{build}/hawser", *identity.options)
        stranger = authority.Authority(root.folder, "stranger")
        for client in columns:
            url = f"wss://localhost:{echo.port}/"
            assert lines_of(client, "secure", url, root.certificate) == ["closed"], client
            deceived = Program([client, "secure", url, stranger.certificate])
            assert deceived.wait() == 1 and deceived.lines() == ["failed"], client
        echo.stop()
    columns_stand_in("from_websocketpp.md", "cpp", ("websocketpp_theirs.cc", "websocketpp_ours.cc"))


def websocket_client(build):
    need("websocket")
    server = Program([f"{build}/tests/guides/websocketpp_ours", "server"])
    url = server.find(r"ws://\S+").group(0)
    ours = [f"{build}/tests/guides/websocket_client"]
    theirs = [sys.executable, HERE / "websocket_client_theirs.py"]
    # 1.2.3 does not tell a program of the end that it asked for itself in a handler.
    for part, wanted, told in (("app", ["message: hello"], ["closed"]), ("calls", ["message: hello", "bytes: 3"], []),
                               ("thread", ["message: hello"], [])):
        seen = lines_of(*ours, part, url)
        assert seen == wanted + told, (part, seen)
        seen = lines_of(*theirs, part, url)
        assert seen in (wanted, wanted + told), (part, seen)
    server.kill()
    columns_stand_in("from_websocket_client.md", "python", ("websocket_client_theirs.py",))


def columns_stand_in(page, language, files):
    """What the page shows in this language stands in these files, line by line, and each of them is shown."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    blocks = re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)
    shown = set()
    for block in blocks:
        found = [name for name in files if bare(block) in bare((HERE / name).read_text(encoding="utf-8"))]
        assert found or language == "cpp", f"{page}: this block is in no file that is run:\n{block}"
        shown.update(found)
    assert shown == set(files), (page, shown)


def bare(text):
    return "\n".join(["", *(line.strip() for line in text.splitlines() if line.strip()), ""])


def parameters(_):
    """What the real package takes and has, and nothing else, has its row in its table."""
    websocket = need("websocket")
    page = (ROOT / "docs" / "from_websocket_client.md").read_text(encoding="utf-8")
    tables = dict(re.findall(r"^### `(.*?)`\n(.*?)(?=^##|\Z)", page, re.M | re.S))
    real = {**signatures(websocket), **by_name(websocket)}
    missing, made_up = [], []
    for name, call in real.items():
        cells = re.findall(r"^\| (.*?) \|", tables.get(name, ""), re.M)
        rows = {word: "later releases" in cell for cell in cells for word in re.findall(r"`(\w+)`", cell)}
        missing += [f"{name}: {p}" for p in call if p not in rows]
        made_up += [f"{name}: {p}" for p, later in rows.items() if p not in call and not later]
    assert not missing, "docs/from_websocket_client.md has no row for " + ", ".join(missing)
    assert not made_up, "docs/from_websocket_client.md has rows for what there is not: " + ", ".join(made_up)
    assert set(tables) == set(real), set(tables) ^ set(real)


def signatures(websocket):
    def of(function):
        return [p.name for p in inspect.signature(function).parameters.values()
                if p.name != "self" and p.kind != inspect.Parameter.VAR_KEYWORD]

    def public(kind):
        return [name for name, _ in inspect.getmembers(kind) if not name.startswith("_")]

    documented = re.findall(r"^ +(\w+): ", websocket.WebSocket.connect.__doc__, re.M)
    return {
        "WebSocketApp": of(websocket.WebSocketApp.__init__),
        "WebSocketApp.run_forever": of(websocket.WebSocketApp.run_forever),
        "create_connection": of(websocket.create_connection) + of(websocket.WebSocket.__init__) + documented +
                             keys_asked(websocket, "options"),
        "WebSocket": public(websocket.WebSocket) + public(websocket.WebSocketApp),
        "websocket": [name for name in dir(websocket)
                      if not name.startswith("_") and not inspect.ismodule(getattr(websocket, name))],
    }


def by_name(websocket):
    """What no signature has: the keys of `sslopt`, and what is asked of the environment."""
    return {"sslopt": keys_asked(websocket, "sslopt", "user_sslopt"), "os.environ": keys_asked(websocket, "environ")}


def keys_asked(websocket, *names):
    """Every key that the package's sources ask the dictionaries with these names for, as in `d["key"]`, `d.get("key")` and
    `"key" in d`; where the key is a variable, the words of its function that look like one of the environment."""
    keys = set()
    for path in pathlib.Path(websocket.__file__).parent.glob("_*.py"):
        if path.name == "_wsdump.py":  # A program of its own.
            continue
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef):
                for key in filter(None, (key_of(node, names) for node in ast.walk(function))):
                    keys.update(key_words(key, function))
    assert keys, f"nothing is asked of {names}: the sources are not what they were"
    return sorted(keys)


def key_of(node, names):
    """The expression that one of the dictionaries is asked for, or None."""
    def is_one(asked):
        return getattr(asked, "id", getattr(asked, "attr", None)) in names

    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and is_one(node.func.value):
        return node.args[0] if node.args and node.func.attr in ("get", "pop") else None
    if isinstance(node, ast.Subscript) and is_one(node.value):
        return node.slice
    if isinstance(node, ast.Compare) and is_one(node.comparators[0]):
        return node.left
    return None


def key_words(key, function):
    if isinstance(key, ast.Constant):
        return [key.value]
    return [c.value for c in ast.walk(function)
            if isinstance(c, ast.Constant) and isinstance(c.value, str) and c.value.endswith("_proxy")]


def need(module):
    try:
        return __import__(module)
    except ImportError:
        print(f"Python's {module} is not installed")
        sys.exit(SKIPPED)


if __name__ == "__main__":
    {"websocketpp": websocketpp, "websocket_client": websocket_client, "parameters": parameters}[sys.argv[1]](sys.argv[2])

#!/usr/bin/env python3
"""Every boundary check fails on a deliberate violation, says why, and is content with what is allowed.

The violations go into a small copy of the project: its build files and tools, and a room or two of one file each.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONFIG = "#pragma once\n#include <hawser/base/config.h>\n"


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)


class Copy(unittest.TestCase):
    """A copy of the project with almost empty rooms, made once a class."""

    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory(prefix="hawser_boundary_")
        cls.addClassCleanup(cls.scratch.cleanup)
        cls.root = pathlib.Path(cls.scratch.name)
        for name in ("CMakeLists.txt", "include/hawser/base/config.h", "src/base/version.cc"):
            (cls.root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, cls.root / name)
        for name in ("tools/cmake", "tools/dev"):
            shutil.copytree(ROOT / name, cls.root / name)
        for name, text in cls.tree.items():
            cls.put(name, text)

    tree = {}

    @classmethod
    def put(cls, name, text):
        path = cls.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def with_file(self, name, text):
        """Puts a file in for the length of one test, and back what was there before."""
        path = self.root / name
        before = path.read_text() if path.exists() else None
        self.put(name, text)
        self.addCleanup(lambda: path.unlink() if before is None else path.write_text(before))


class BuildTest(Copy):
    """The checks that run inside the build."""

    tree = {
        "include/hawser/core/part.h": CONFIG + "namespace hawser::core { HAWSER_API int part(); }\n",
        "src/core/part.cc": "#include <hawser/core/part.h>\n\n#include <chrono>\n#include <coroutine>\n"
        "#include <functional>\n#include <memory>\n#include <random>\n#include <string>\n#include <vector>\n\n"
        "#include <simdjson.h>\n"
        'namespace hawser::core { int part() { return simdjson::validate_utf8("ab", 2) ? 1 : 0; } }\n',
        "src/tls/openssl/part.cc": "#include <openssl/ssl.h>\n#include <hawser/base/config.h>\n"
        'namespace hawser::tls { void* part(); void* part() { return BIO_new_file("a", "r"); } }\n',
        "src/net/part.cc": "#include <sys/socket.h>\n#include <hawser/base/config.h>\n"
        "namespace hawser::net { int part(); int part() { return ::socket(1, 1, 0); } }\n",
    }

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.binary = cls.root / "build"
        options = [f"-DHAWSER_BUILD_{part}=OFF" for part in ("TESTS", "TOOLS", "EXAMPLES", "BENCH")]
        done = run("cmake", "-G", "Ninja", "-S", cls.root, "-B", cls.binary, "-DHAWSER_WERROR=ON", *options)
        assert done.returncode == 0, done.stdout + done.stderr

    def build(self):
        done = run("cmake", "--build", self.binary, "-j2")
        return done.returncode, done.stdout + done.stderr

    def expect_failure(self, message):
        status, output = self.build()
        self.assertNotEqual(status, 0, "the violation was built:\n" + output)
        self.assertIn(message, output)

    def test_what_is_allowed_builds(self):
        status, output = self.build()
        self.assertEqual(status, 0, output)

    def test_poisoned_header_in_a_pure_room(self):
        for room in ("base", "core", "ext"):
            with self.subTest(room=room):
                self.with_file(f"src/{room}/bad.cc", "#include <sys/socket.h>\n")
                self.expect_failure("a pure room includes <sys/socket.h>")
                self.doCleanups()

    def test_library_that_the_room_does_not_have(self):
        self.with_file("src/core/bad.cc", "#include <openssl/evp.h>\n")
        self.expect_failure("a pure room includes <openssl/evp.h>")

    def test_poisoned_header_in_a_public_header(self):
        self.with_file("include/hawser/core/bad.h", CONFIG + "#include <netinet/in.h>\n")
        self.expect_failure("a pure room includes <netinet/in.h>")

    def test_function_declared_by_hand(self):
        self.with_file(
            "src/core/bad.cc",
            'extern "C" long recv(int, void*, unsigned long, int);\n'
            "namespace hawser::core { long bad(); long bad() { char c = 0; return recv(0, &c, 1, 0); } }\n",
        )
        self.expect_failure("wants recv, which is not for a pure room")

    def test_clock_behind_a_standard_header(self):
        self.with_file(
            "src/core/bad.cc",
            "#include <chrono>\nnamespace hawser::core { long bad();\n"
            "long bad() { return std::chrono::steady_clock::now().time_since_epoch().count(); } }\n",
        )
        self.expect_failure("steady_clock3nowEv, which is not for a pure room")

    def test_socket_in_a_room_that_only_filters(self):
        head = "#include <openssl/bio.h>\n#include <ctime>\nnamespace hawser::tls { void* bad(int); "
        for body, symbol in (("return BIO_new_socket(fd, 0);", "BIO_new_socket"),
                             ("return std::time(nullptr) > fd ? BIO_new(nullptr) : nullptr;", "time")):
            with self.subTest(symbol):
                self.with_file("src/tls/openssl/bad.cc", f"{head}void* bad(int fd) {{ {body} }} }}\n")
                self.expect_failure(f"wants {symbol}, which is not for a filter")
                self.doCleanups()

    def test_include_that_points_up(self):
        self.with_file("include/hawser/net/part.h", CONFIG)
        self.with_file("src/core/bad.cc", "#include <hawser/net/part.h>\n")
        self.expect_failure("room core may not include <hawser/net/part.h>")

    def test_header_that_leans_on_its_includer(self):
        self.with_file("include/hawser/core/bad.h", "#pragma once\nstd::string bad();\n")
        self.expect_failure("headers/hawser/core/bad.h.cc")


class LayersTest(Copy):
    """The table of include directions, without a compiler."""

    def layers(self):
        done = run(sys.executable, self.root / "tools/dev/check_layers.py", self.root)
        return done.returncode, done.stderr

    def expect(self, name, text, message):
        self.with_file(name, text)
        status, output = self.layers()
        self.assertEqual(status, 1, "not seen: " + message)
        self.assertIn(message, output)
        self.doCleanups()
        self.assertEqual(self.layers(), (0, ""))

    def expect_fine(self, name, text):
        self.with_file(name, text)
        self.assertEqual(self.layers(), (0, ""))
        self.doCleanups()

    def test_siblings_and_upward(self):
        self.expect("src/core/x.cc", "#include <hawser/net/a.h>\n", "net does not stand below core")
        self.expect("src/net/x.cc", "#include <hawser/core/a.h>\n", "core does not stand below net")
        self.expect("src/net/x.cc", "#include <hawser/tls/a.h>\n", "tls does not stand below net")
        self.expect("src/base/x.cc", "  #  include <hawser/core/a.h>\n", "core does not stand below base")
        self.expect("include/hawser/ext/x.h", CONFIG + "#include <hawser/ws/a.h>\n", "ws does not stand below ext")
        self.expect_fine("src/ws/x.cc", "#include <hawser/net/a.h>\n#include <hawser/core/a.h>\n")

    def test_private_headers(self):
        self.expect("include/hawser/ws/x.h", CONFIG + '#include "ws/session.h"\n', "may not include the private")
        self.expect("src/ext/x.cc", '#include "core/fast_path.h"\n', "room ext may not include the private")
        self.expect("src/core/x.cc", '#include "net/driver.h"\n', "room core may not include the private")
        self.expect("src/testkit/x.cc", '#include "core/fast_path.h"\n', "testkit may not include the private")
        self.expect("tools/hawser/x.cc", '#include "net/driver.h"\n', "tools use the public headers only")
        self.expect("examples/x.cc", '#include "ws/session.h"\n', "examples use the public headers only")
        self.expect_fine("src/ws/x.cc", '#include "core/fast_path.h"\n#include "net/driver.h"\n#include "ws/a.h"\n')
        self.expect_fine("tools/hawser/x.cc", '#include "echo.h"\n#include <hawser/hawser.h>\n')

    def test_what_pure_rooms_may_not_name(self):
        self.expect("src/core/x.cc", "#include <thread>\n", "is pure and may not include <thread>")
        self.expect("src/base/x.cc", "#include <mutex>\n", "is pure and may not include <mutex>")
        self.expect("include/hawser/ext/x.h", CONFIG + "#include <iostream>\n", "may not include <iostream>")
        self.expect_fine("src/net/x.cc", "#include <thread>\n")

    def test_third_parties(self):
        self.expect("src/net/x.cc", "#include <openssl/evp.h>\n", "is not for room net")
        self.expect("src/ws/x.cc", "#include <simdjson.h>\n", "is not for room ws")
        self.expect("include/hawser/core/x.h", CONFIG + "#include <simdjson.h>\n", "is not for public headers")
        self.expect("src/testkit/x.cc", "#include <gtest/gtest.h>\n", "is not for room testkit")
        self.expect("examples/x.cc", "#include <CLI/CLI.hpp>\n", "is not for room examples")
        self.expect("include/hawser/core/x.h", CONFIG + "#include <sys/types.h>\n", "may not include <sys/types.h>")
        self.expect_fine("src/core/x.cc", "#include <simdjson.h>\n")

    def test_form_of_a_header(self):
        self.expect("include/hawser/core/x.h", "#include <hawser/base/config.h>\n", "no #pragma once")
        self.expect("src/core/x.cc", "#include <hawser/hawser.h>\n", "the umbrella header is for users only")
        self.expect("src/misc/x.cc", "", "misc is no known room")


class SourcesTest(Copy):
    """The house rules."""

    def sources(self):
        done = run(sys.executable, self.root / "tools/dev/check_sources.py", self.root)
        return done.returncode, done.stderr

    def expect(self, name, text, message):
        self.with_file(name, text)
        status, output = self.sources()
        self.assertEqual(status, 1, "not seen: " + message)
        self.assertIn(f"{name}:", output)
        self.assertIn(message, output)
        self.doCleanups()

    def test_the_copy_is_clean(self):
        self.assertEqual(self.sources(), (0, ""))

    def test_violations(self):
        self.expect("src/core/x.cc", "// TO" + "DO: later\n", "unfinished mark")
        self.expect("tools/dev/x.py", "# FIX" + "ME\n", "unfinished mark")
        self.expect("tests/net/x_test.cc", "void f() { std::this_thread::sleep" + "_for(x); }\n", "by sleeping")
        self.expect("tests/net/x_test.cc", "void f() { usleep" + "(1); }\n", "by sleeping")
        self.expect("tests/peers/x.py", "time.sleep" + "(1)\n", "by sleeping")
        self.expect("src/net/x.cc", "void f() { std::cout << 1; }\n", "never prints")
        self.expect("src/net/x.cc", 'void f() { printf("x"); }\n', "never prints")
        self.expect("src/net/x.cc", "void f() { std::exit(1); }\n", "never exits")
        self.expect("src/net/x.cc", "//\n" * 701, "701 lines")
        self.expect("include/hawser/core/x.h", "using namespace std;\n", "using namespace")
        self.expect("tests/net/x_test.cc", "auto f = [&x](int a) -> task<void> { co_return; };\n", "capturing lambda")
        self.expect("src/net/x.cc", "auto f = [x]()\n    -> net::task<int> { co_return 1; };\n", "capturing lambda")

    def test_what_is_allowed(self):
        self.with_file("src/net/x.cc", "auto f = [](int a) -> net::task<int> { co_return a; };\n" + "//\n" * 699)
        self.with_file("src/core/x.cc", 'void f(char* o) { snprintf(o, 2, "x"); }\n')
        self.assertEqual(self.sources(), (0, ""))


class SnippetsTest(Copy):
    """What the pages show is what is compiled."""

    tree = {
        "README.md": "```sh\nhawser --version\n```\n",
        "examples/x.cc": "#include <hawser/hawser.h>\n\n#include <string>\n\nint main() {\n  int a = 1;\n\n  return a;\n}\n",
        "tests/compile_fail/refused.cc": "int a = 3;\n",
    }

    def snippets(self):
        done = run(sys.executable, self.root / "tools/dev/check_snippets.py", self.root)
        return done.returncode, done.stderr

    def expect_fine(self, name, text):
        self.with_file(name, text)
        self.assertEqual(self.snippets(), (0, ""))
        self.doCleanups()

    def expect(self, name, text, line):
        self.with_file(name, text)
        self.assertEqual(self.snippets(), (1, f"{name}:{line}: this block is in no compiled file\n"))
        self.doCleanups()

    def test_what_is_compiled_is_allowed(self):
        self.expect_fine("docs/page.md", "Text.\n\n```cpp\nint a = 1;\nreturn a;\n```\n")
        self.expect_fine("docs/page.md", "- In a list:\n  ```cpp\n  int a = 1;\n    return a;\n  ```\n")
        self.expect_fine("docs/ext/page.md", "```cpp\n#include <string>\n\nint main() {\n```\n")
        self.expect_fine("docs/page.md", "```sh\nls\n```\n\n```\nint a = 2;\n```\n")

    def test_violations(self):
        for name in ("README.md", "docs/page.md", "docs/ext/page.md"):
            self.expect(name, "Text.\n```cpp\nint a = 2;\n```\n", 2)
        for language in ("c", "C++", "cc title=x"):
            self.expect("docs/page.md", f"```{language}\nint a = 2;\n```\n", 1)
        self.expect("docs/page.md", "```cpp\nreturn a;\nint a = 1;\n```\n", 1)
        self.expect("docs/page.md", "```cpp\nint a\n```\n", 1)
        self.expect("docs/page.md", "```cpp\nint a = 3;\n```\n", 1)
        self.expect("docs/page.md", "```cpp\n#include <vector>\nint a = 1;\n```\n", 1)
        self.expect("docs/page.md", "```cpp\nint a = 1;\n```\n\n- x\n\n  ```cpp\n  int b;\n  ```\n", 7)


if __name__ == "__main__":
    os.environ.pop("MAKEFLAGS", None)
    unittest.main()

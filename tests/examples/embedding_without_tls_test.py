"""examples/asio in a build without TLS: who asks for wss is told so, and nothing goes out plain instead.

    embedding_without_tls_test.py BUILD
"""

import sys

from embedding_test import Program

SAID = "this build has no TLS: build it with HAWSER_WITH_TLS=ON, or use ws://"


def refused(*argv):
    program = Program(list(argv))
    assert program.wait() == 2 and program.lines("err") == [SAID], (argv, program.lines("err"))


if __name__ == "__main__":
    examples = f"{sys.argv[1]}/examples/asio"
    refused(f"{examples}/echo_server", "127.0.0.1", "0", "certificate.pem", "key.pem")
    refused(f"{examples}/client", "wss://127.0.0.1:9/")

"""Both roles against OpenSSL's own programs: s_client and s_server carry a WebSocket that is spoken by hand."""

import contextlib
import re

from kit.authority import Authority, world
from kit.pipe import Pipe
from kit.registry import expect, expect_equal, peer_test

VERSIONS = ("-tls1_2", "-tls1_3")


@contextlib.contextmanager
def s_client(root, server, *options, quiet=True):
    shown = ("-quiet",) if quiet else ()
    peer = Pipe("openssl", "s_client", *shown, "-verify_return_error", "-CAfile", root.certificate, "-verify_ip",
                "127.0.0.1", "-connect", f"127.0.0.1:{server.port}", *options)
    try:
        yield peer
    finally:
        peer.kill()


@contextlib.contextmanager
def s_server(identity, *options, quiet=False):
    """The program and its URL. One that is quiet takes no commands."""
    shown = ("-quiet",) if quiet else ()
    peer = Pipe("openssl", "s_server", *shown, "-accept", "127.0.0.1:0", "-cert", identity.certificate, "-key", identity.key,
                *options)
    try:
        peer.find(b"ACCEPT 127.0.0.1:")
        peer.find(b"\n")
        port = re.search(r"^ACCEPT 127\.0\.0\.1:(\d+)", peer.text(), re.MULTILINE).group(1)
        yield peer, f"wss://127.0.0.1:{port}/"
    finally:
        peer.kill()


# ---- server ----------------------------------------------------------------------------------------------------------
@peer_test("tls/server/openssl s_client speaks TLS 1.2 and 1.3")
def versions(bench):
    with world() as (root, identity):
        server = bench.echo(*identity.options)
        for version in VERSIONS:
            with s_client(root, server, version) as peer:
                peer.upgrade(f"127.0.0.1:{server.port}")
                for payload in (b"", b"hello", b"x" * 125):
                    peer.echo_of(payload)
        for options, alert in ((("-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"), "protocol version"),
                               (("-tls1_2", "-cipher", "AES128-SHA"), "handshake failure"),
                               (("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"), "handshake failure"),
                               (("-tls1_3", "-curves", "P-521"), "handshake failure"),
                               (("-alpn", "h2"), "no application protocol")):
            with s_client(root, server, *options) as peer:
                said = peer.wait()
                expect(f"alert {alert}" in said, f"{options}: {said}")
        with s_client(root, server, "-alpn", "h2,http/1.1", quiet=False) as peer:
            peer.find(b"ALPN protocol: http/1.1")
        server.stop()


@peer_test("tls/server/openssl s_client takes its session up again")
def sessions(bench):
    with world() as (root, identity):
        server = bench.echo(*identity.options)
        for version in VERSIONS:
            kept = root.folder / f"session{version}"
            with s_client(root, server, version, "-sess_out", kept, quiet=False) as peer:
                peer.find(b"New, TLSv1.")
                peer.upgrade(f"127.0.0.1:{server.port}")
                peer.echo_of(b"first")
            with s_client(root, server, version, "-sess_in", kept, quiet=False) as peer:
                peer.find(b"Reused, TLSv1.")
                peer.upgrade(f"127.0.0.1:{server.port}")
                peer.echo_of(b"again")
        again = bench.echo(*identity.options)
        with s_client(root, again, "-sess_in", kept, quiet=False) as peer:
            peer.find(b"New, TLSv1.")  # another server's keys do not open it
        again.stop()
        server.stop()


@peer_test("tls/server/openssl s_client may change keys but not negotiate anew")
def late_messages(bench):
    with world() as (root, identity):
        server = bench.echo(*identity.options, "-v")
        with s_client(root, server, "-tls1_3", quiet=False) as peer:
            peer.upgrade(f"127.0.0.1:{server.port}")
            for number in range(10):
                peer.write(b"K\n" if number % 2 else b"k\n")
                peer.find(b"KEYUPDATE\n")
                peer.echo_of(b"after %d key updates" % (number + 1))
        with s_client(root, server, "-tls1_2", quiet=False) as peer, s_client(root, server, "-tls1_2") as other:
            other.upgrade(f"127.0.0.1:{server.port}")
            peer.find(b"Secure Renegotiation")
            peer.write(b"R\n")
            said = peer.wait()
            expect("no renegotiation" in said, said)
            other.echo_of(b"unharmed")
        server.stop()


@peer_test("tls/server/openssl s_client that sends too many key updates is let go")
def key_update_flood(bench):
    with world() as (root, identity):
        server = bench.echo(*identity.options, "-v")
        with s_client(root, server, "-tls1_3", quiet=False) as peer:
            peer.upgrade(f"127.0.0.1:{server.port}")
            with s_client(root, server) as other:
                other.upgrade(f"127.0.0.1:{server.port}")
                for _ in range(33):
                    peer.write(b"k\n")
                    peer.find(b"KEYUPDATE\n")
                server.find("too many TLS key updates", "err")
                peer.wait()
                other.echo_of(b"unharmed")
        server.stop()


@peer_test("tls/server/openssl s_client shows a certificate, or none, or a wrong one")
def clients(bench):
    with world() as (root, identity):
        own = root.issue("client", "DNS:client")
        alien = Authority(root.folder, "alien").issue("stranger", "DNS:stranger")
        server = bench.echo(*identity.options, "--client-ca", root.certificate, "-v")
        for version in VERSIONS:
            with s_client(root, server, version, "-cert", own.certificate, "-key", own.key) as peer:
                peer.upgrade(f"127.0.0.1:{server.port}")
                peer.echo_of(b"known")
                server.find("CN = client", "err")
            with s_client(root, server, version) as peer:
                said = peer.wait()
                expect("certificate required" in said or "handshake failure" in said, said)
                server.find("showed no certificate, which this server requires", "err")
            with s_client(root, server, version, "-cert", alien.certificate, "-key", alien.key) as peer:
                expect("alert unknown ca" in peer.wait(), peer.text())
                server.find("CN = stranger.*CN = alien.*--client-ca", "err")
        server.stop()


# ---- client ----------------------------------------------------------------------------------------------------------
@peer_test("tls/client/openssl s_server speaks TLS 1.2 and 1.3, and changes keys")
def to_s_server(bench):
    with world() as (root, identity):
        for version in VERSIONS:
            with s_server(identity, version) as (peer, url):
                tool = bench.connect(url, "-v", "--ca", root.certificate)
                peer.accept()
                tool.find(r"TLS 1\.[23], .*CN = server", "err")
                tool.write_line("hello")
                peer.expect_text(b"hello")
                peer.write(b"\x81\x05there")
                expect_equal(tool.next_line(), "there", "the line")
                if version == "-tls1_3":
                    peer.write(b"K\n")
                    while b"SSL_do_handshake -> 1" not in peer.seen:  # it prints that together with what it hears next
                        tool.write_line("turn")
                        peer.expect_text(b"turn")
                    peer.write(b"\x81\x05later")
                    expect_equal(tool.next_line(), "later", "the line after a key update")
                    tool.write_line("hello again")
                    peer.expect_text(b"hello again")
                tool.kill()


@peer_test("tls/client/openssl s_server that wants what is not done here gets one clear line")
def to_refusing_s_server(bench):
    with world() as (root, identity):
        own = root.issue("client", "DNS:client")
        rsa = root.issue("rsa", "IP:127.0.0.1", key=("rsa:2048",))
        table = [
            (identity, ("-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"), "the two have no version of TLS in common"),
            (identity, ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"), "no cipher or key exchange in common"),
            (identity, ("-tls1_3", "-curves", "P-521"), "no cipher or key exchange in common"),
            (rsa, ("-tls1_2", "-cipher", "AES128-GCM-SHA256"), "no cipher or key exchange in common"),
            (identity, ("-tls1_2", "-Verify", "1", "-verify_return_error", "-CAfile", root.certificate), "certificate"),
            (identity, ("-tls1_3", "-Verify", "1", "-verify_return_error", "-CAfile", root.certificate),
             "it wants a client's certificate; give one as tls.identity (--cert, --key)"),
        ]
        for with_what, options, complaint in table:
            with s_server(with_what, *options) as (_, url):
                tool = bench.connect(url, "--ca", root.certificate)
                tool.end_input()
                expect_equal(tool.wait(), 1, f"the exit status with {options}")
                said = tool.lines("err")
                expect(len(said) == 1 and complaint in said[0], f"{options}: wanted one line with '{complaint}', got {said}")
        with s_server(identity, "-Verify", "1", "-verify_return_error", "-CAfile", root.certificate) as (peer, url):
            tool = bench.connect(url, "--ca", root.certificate, *own.options)
            peer.accept()
            tool.write_line("known")
            peer.expect_text(b"known")
            tool.kill()


@peer_test("tls/client/openssl s_server may not negotiate anew")
def from_s_server(bench):
    """TLS 1.2: its wish is declined by an alert; whoever insists has lost the connection."""
    with world() as (root, identity):
        with s_server(identity, "-tls1_2") as (peer, url):
            tool = bench.connect(url, "--ca", root.certificate)
            peer.accept()
            tool.write_line("before")
            peer.expect_text(b"before")
            peer.write(b"R\n")
            peer.find(b"no renegotiation")
            tool.kill()


@peer_test("tls/client/openssl s_server that vanishes without close_notify has cut something off")
def truncated(bench):
    with world() as (root, identity):
        with s_server(identity) as (peer, url):
            tool = bench.connect(url, "--ca", root.certificate)
            peer.accept()
            tool.write_line("before")
            peer.expect_text(b"before")
            peer.kill()
            expect_equal(tool.wait(), 1, "the exit status")
            said = tool.lines("err")
            expect(len(said) == 1 and "cut off" in said[0], f"wanted one line, got {said}")

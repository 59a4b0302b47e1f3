"""Certificates made on the fly by the command openssl, in a folder."""

import base64
import contextlib
import hashlib
import pathlib
import ssl
import subprocess
import tempfile

WATCHDOG = 30.0  # seconds; only a failure meets it
P256 = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")


def strict(context):
    """The same context, for which a stream that ends without close_notify is no end, as Python has it by default."""
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    return context


def openssl(*words):
    return subprocess.run(["openssl", *words], check=True, capture_output=True, timeout=WATCHDOG).stdout


class Identity:
    """Paths of a certificate in PEM and of its key."""

    def __init__(self, certificate, key):
        self.certificate, self.key = certificate, key

    def __iter__(self):
        return iter((self.certificate, self.key))

    @property
    def options(self):
        """As options of the tool."""
        return "--cert", self.certificate, "--key", self.key

    def in_one_file(self):
        """The path of both in one file, as haproxy wants them."""
        both = pathlib.Path(self.certificate + "+key")
        both.write_bytes(pathlib.Path(self.certificate).read_bytes() + pathlib.Path(self.key).read_bytes())
        return str(both)

    def fingerprint(self):
        """The hash of the public key by which Chromium can be told to trust it."""
        key = openssl("pkey", "-in", self.key, "-pubout", "-outform", "DER")
        return base64.b64encode(hashlib.sha256(key).digest()).decode()

    def server_context(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self)
        return context


class Authority:
    def __init__(self, folder, name):
        self.folder, self.name = pathlib.Path(folder), name
        self.certificate = self._path("pem")
        openssl("req", "-x509", "-newkey", *P256, "-nodes", "-days", "2", "-subj", f"/CN={name}",
                "-keyout", self._path("key"), "-out", self.certificate)

    def _path(self, end):
        return str(self.folder / f"{self.name}.{end}")

    def issue(self, name, hosts, days="2", key=P256):
        base = str(self.folder / f"{self.name}-{name}")
        pathlib.Path(base + ".ext").write_text(f"subjectAltName={hosts}\n", encoding="utf-8")
        openssl("req", "-newkey", *key, "-nodes", "-subj", f"/CN={name}", "-keyout", base + ".key", "-out", base + ".req")
        openssl("x509", "-req", "-in", base + ".req", "-CA", self.certificate, "-CAkey", self._path("key"),
                "-CAcreateserial", "-days", days, "-extfile", base + ".ext", "-out", base + ".pem")
        return Identity(base + ".pem", base + ".key")

    def client_context(self):
        return ssl.create_default_context(cafile=self.certificate)


@contextlib.contextmanager
def world():
    """An authority, and the identity of a server of it on 127.0.0.1."""
    with tempfile.TemporaryDirectory() as folder:
        root = Authority(folder, "root")
        yield root, root.issue("server", "IP:127.0.0.1,DNS:localhost")

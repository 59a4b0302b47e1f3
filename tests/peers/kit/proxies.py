"""nginx and haproxy, each with one listener that passes everything on to one place."""

import os
import shutil
import socket

from .registry import Failed

UNPACKED = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "proxies", "usr", "sbin")


def program(name):
    for place in (shutil.which(name), f"/usr/sbin/{name}", os.path.join(UNPACKED, name)):
        if place and os.access(place, os.X_OK):
            return place
    raise Failed(f"{name} is not here: tests/peers/setup brings it")


# In both: `identity` is that of the listener, which speaks TLS then; `ca` is the authority by which the place must be
# `localhost`, and TLS is spoken to it then. They return the URL.
def nginx(bench, folder, to, identity=None, ca=None):
    paths = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    listening = f"ssl; ssl_certificate {identity.certificate}; ssl_certificate_key {identity.key}" if identity else ""
    upstream = f"""proxy_pass https://127.0.0.1:{to}; proxy_ssl_verify on; proxy_ssl_trusted_certificate {ca};
      proxy_ssl_name localhost; proxy_ssl_server_name on; proxy_ssl_protocols TLSv1.2 TLSv1.3;""" if ca else \
        f"proxy_pass http://127.0.0.1:{to};"
    for _ in range(5):  # It takes no port 0, and somebody may be faster with the one that was free.
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        path = os.path.join(folder, f"nginx-{port}.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"""daemon off; worker_processes 1; pid {folder}/nginx-{port}.pid; error_log stderr notice;
events {{}}
http {{
  access_log off;
  {paths}
  server {{
    listen 127.0.0.1:{port} {listening};
    location / {{
      {upstream}
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection "upgrade";
      proxy_set_header Host $http_host;
    }}
  }}
}}
""")
        started = bench.start(program("nginx"), "-p", folder, "-c", path, name="nginx")
        if started.find("start worker process |Address already in use", "err").group() == "start worker process ":
            return f"{'wss' if identity else 'ws'}://127.0.0.1:{port}/"
        started.kill()
    raise Failed("nginx found no free port")


def haproxy(bench, folder, to, identity=None, ca=None, tcp=False):
    """`tcp`: passes bytes on as they are."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    listening = f"ssl crt {identity.in_one_file()} alpn http/1.1" if identity else ""
    upstream = f"ssl verify required ca-file {ca} sni str(localhost) verifyhost localhost" if ca else ""
    path = os.path.join(folder, f"haproxy-{port}.conf")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"""global
  log stderr format raw local0 notice
defaults
  mode {"tcp" if tcp else "http"}
  timeout connect 30s
  timeout client 60s
  timeout server 60s
  timeout tunnel 60s
frontend in
  bind fd@{listener.fileno()} {listening}
  default_backend out
backend out
  server one 127.0.0.1:{to} {upstream}
""")
    bench.start(program("haproxy"), "-db", "-q", "-f", path, name="haproxy", keep_files=(listener.fileno(),))
    listener.close()  # The program has it: who connects now waits for it.
    return f"{'wss' if identity else 'ws'}://127.0.0.1:{port}/"

"""Servers on loopback that a remote cache is tried against: a real one, and one that lies."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.programs import require_program

_NGINX = """\
daemon off;
pid {folder}/pid;
error_log stderr error;
events {{}}
http {{
  access_log {folder}/access.log;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  map $http_authorization $refused {{ default 1; "Bearer {token}" 0; }}
  server {{
    listen 127.0.0.1:{port};
    root {folder}/files;
    client_max_body_size 1g;
    location / {{
      if ($refused) {{ return 401; }}
      dav_methods PUT; create_full_put_path on;
    }}
  }}
}}
"""


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


@contextmanager
def process(command: list[str], port: int) -> Iterator[None]:
    """Run a server until the block is left; it listens on ``port`` when the block begins."""
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        for _ in range(300):
            assert server.poll() is None, f"{command[0]} ended with {server.returncode}"
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield
    finally:
        server.terminate()
        server.wait(20)


@contextmanager
def nginx(folder: Path, token: str) -> Iterator[str]:
    """Yield the address of nginx with WebDAV, which takes what comes with the token."""
    program = require_program("nginx")
    (folder / "files").mkdir(parents=True)
    # As root it serves as another user, who must be let in.
    for each in (folder, folder / "files"):
        each.chmod(0o777)
    port = free_port()
    settings = _NGINX.format(folder=folder, port=port, token=token)
    if Path("/proc/self").exists() and Path("/proc/self").stat().st_uid == 0:
        settings = "user root;\n" + settings
    (folder / "nginx.conf").write_text(settings)
    with process([program, "-p", str(folder), "-c", str(folder / "nginx.conf")], port):
        yield f"http://127.0.0.1:{port}/cache"


@contextmanager
def s3() -> Iterator[str]:
    """Yield the endpoint of a server that speaks S3, without any bucket."""
    import requests
    from s3fs import S3FileSystem

    endpoint = _s3_server()
    requests.post(f"{endpoint}/moto-api/reset", timeout=60).raise_for_status()
    # It keeps its instances, and with them what it saw of the buckets.
    S3FileSystem.clear_instance_cache()
    yield endpoint


@cache
def _s3_server() -> str:
    """Start the one server of this process, which takes longer than what is asked of it."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    return f"http://{host}:{port}"


@contextmanager
def lying(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """Yield the address of a server that answers each request as told."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        do_PUT = do_GET  # noqa: N815
        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    # A handler that sends for ever must not be waited for.
    server.daemon_threads = True
    server.block_on_close = False
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

"""Runs commands where no network leads out, and records every look-up, connection and file.

Started by `unshare` in network and mount namespaces of its own; the argument is the order as JSON,
and one JSON line for each command is printed. Native code is seen as well as Python.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

PORTS = (80, 443)


def main(order: dict[str, Any]) -> None:
    """Run ``commands`` in ``cwd`` with the home ``home``, which is ``read_only`` or not."""
    home, seen = Path(order["home"]), list[str]()
    _confine(Path(order["scratch"]))
    _answer(socket.SOCK_DGRAM, 53, seen)
    for port in PORTS:
        _answer(socket.SOCK_STREAM, port, seen)
    if order["read_only"]:
        _run("mount", "--bind", home, home)
        _run("mount", "-o", "remount,bind,ro", home)
    known = _files(home)
    for command in order["commands"]:
        seen.clear()
        done = subprocess.run(
            command,
            cwd=order["cwd"],
            env={**os.environ, **order["env"], "HOME": str(home)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )
        files = _files(home)
        found = {
            "command": command,
            "code": done.returncode,
            "stdout": done.stdout,
            "stderr": done.stderr,
            "contacted": sorted(set(seen)),
            "written": sorted(files - known),
        }
        known = files
        print(json.dumps(found), flush=True)


def _confine(scratch: Path) -> None:
    """Make every address of the Internet one of ours, and this process the one name server."""
    _run("ip", "link", "set", "lo", "up")
    _run("ip", "route", "add", "local", "0.0.0.0/0", "dev", "lo")
    # Without `files dns` a service outside the namespace may be asked for names.
    texts = {"resolv.conf": "nameserver 127.0.0.1\n", "nsswitch.conf": "hosts: files dns\n"}
    for name, text in texts.items():
        if Path("/etc", name).exists():
            (scratch / name).write_text(text)
            _run("mount", "--bind", scratch / name, f"/etc/{name}")


def _answer(kind: socket.SocketKind, port: int, seen: list[str]) -> None:
    """Say no to everyone at a port, from now on, and note what they wanted."""
    listener = socket.socket(socket.AF_INET, kind)
    listener.bind(("0.0.0.0", port))
    if kind is socket.SOCK_STREAM:
        listener.listen()

    def serve() -> None:
        while True:
            if kind is socket.SOCK_STREAM:
                connection, _ = listener.accept()
                seen.append("{}:{}".format(*connection.getsockname()))
                connection.close()
                continue
            query, sender = listener.recvfrom(4096)
            name, end = _name(query)
            seen.append(name)
            # RFC 1035, 4.1.1: the same id and question, no answers, "no such name".
            head = query[:2] + b"\x81\x83" + query[4:6] + bytes(6)
            listener.sendto(head + query[12 : end + 4], sender)

    threading.Thread(target=serve, daemon=True).start()


def _name(query: bytes) -> tuple[str, int]:
    """Return the name that is asked for, and where it ends."""
    labels, place = [], 12
    while length := query[place]:
        labels.append(query[place + 1 : place + 1 + length].decode("ascii", "replace"))
        place += 1 + length
    return ".".join(labels), place + 1


def _files(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_symlink() or not path.is_dir()
    }


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, capture_output=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))

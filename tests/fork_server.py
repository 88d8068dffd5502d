"""A process that has imported the project, and forks one that runs doit or wasi-nn when asked.

What a command costs is mostly its imports. Each run is a process of its own all the same, with its
own folder, environment and output, and leaves nothing behind for the next. The server itself never
runs a command: it has one thread, and no library in it has begun to work.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any, BinaryIO, NoReturn

from tests.spawn_server import fork_what_is_spawned

ROOT = Path(__file__).parents[1]
MAINS = ("doit", "pipeline.cli.main")
# Those of other packages that commands import. None starts a thread when it is imported.
_PRELOADED = (
    *("doit.__main__", "doit.cmd_completion", "jinja2", "msgspec", "multiprocessing.spawn"),
    *("numpy", "openvino", "packaging.version", "pebble", "PIL.Image", "psutil", "requests"),
    *("rich.console", "rich.progress", "wasmtime"),
)
_LENGTH = 8


@dataclass(frozen=True)
class Finished:
    """How a command ended, and what it printed."""

    returncode: int
    stdout: str
    stderr: str


class ForkServer:
    """A running server; it ends with this process."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="fork-server-")
        self._address = str(Path(self._folder.name) / "socket")
        # OpenBLAS would start threads when numpy is imported.
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
        self._python = python_variables(environment)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fork_server", self._address],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._process.stdout
        assert self._process.stdout.readline() == b"ready\n"

    def serves(self, environment: Mapping[str, str]) -> bool:
        """Tell whether Python itself would be the same in an environment."""
        return python_variables(environment) == self._python

    def run(
        self,
        main: str,
        arguments: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        seconds: float,
    ) -> Finished:
        """Run ``python -m MAIN ARGUMENTS``; raises TimeoutExpired."""
        request = {"main": main, "arguments": list(arguments), "cwd": str(cwd), "env": dict(env)}
        data = json.dumps(request).encode()
        with (
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
            socket.socket(socket.AF_UNIX) as connection,
        ):
            connection.connect(self._address)
            socket.send_fds(
                connection, [len(data).to_bytes(_LENGTH, "big")], [out.fileno(), err.fileno()]
            )
            connection.sendall(data)
            process = _number(connection)
            connection.settimeout(seconds)
            try:
                code = _number(connection)
            except TimeoutError:
                os.kill(process, signal.SIGKILL)
                raise subprocess.TimeoutExpired([main, *arguments], seconds) from None
            return Finished(code, _text(out), _text(err))

    def close(self) -> None:
        """End the server and what it still runs."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()
        self._folder.cleanup()


_servers: list[ForkServer] = []
_guard = threading.Lock()


def run_module(
    main: str,
    *arguments: str | Path,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    seconds: float = 120,
) -> Finished:
    """Run ``python -m MAIN ARGUMENTS`` on the project's code, with no standard input.

    ``main`` is one of MAINS. The environment is the present one, with ``env`` over it. Raises
    subprocess.TimeoutExpired.
    """
    environment = {**os.environ, **(env or {}), "PYTHONPATH": str(ROOT)}
    words = list(map(str, arguments))
    with _guard:
        if hasattr(os, "fork") and not _servers:
            _servers.append(ForkServer())
            atexit.register(_servers[0].close)
    if _servers and _servers[0].serves(environment):
        return _servers[0].run(main, words, cwd=cwd, env=environment, seconds=seconds)
    done = subprocess.run(
        [sys.executable, "-m", main, *words],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
    )
    return Finished(done.returncode, done.stdout, done.stderr)


def wasi_nn(*arguments: str | Path, cwd: Path, env: Mapping[str, str] | None = None) -> Finished:
    """Run ``wasi-nn ARGUMENTS``; see run_module."""
    return run_module("pipeline.cli.main", *arguments, cwd=cwd, env=env)


def python_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what Python reads as it starts."""
    names = ("PYTHON", "LC_", "LANG", "MALLOC_", "LD_", "TZ")
    return {name: text for name, text in environment.items() if name.startswith(names)}


def serve(address: str) -> None:
    """Answer requests until standard input is closed, then end with all that still runs."""
    _preload()
    gc.collect()
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as listening, selectors.DefaultSelector() as ready:
        listening.bind(address)
        listening.listen(64)
        ready.register(listening, selectors.EVENT_READ)
        ready.register(0, selectors.EVENT_READ)
        print("ready", flush=True)
        while all(key.fileobj is listening for key, _ in ready.select()):
            connection, _ = listening.accept()
            if os.fork() == 0:
                ready.close()
                listening.close()
                _answer(connection)
            connection.close()
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
    os.killpg(0, signal.SIGKILL)


def _preload() -> None:
    import pipeline

    # By which doit calls itself, decided when it is imported.
    sys.argv[0] = "-m"
    # It would start a thread that never ends.
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment] # Python's "there is none"
    names = [module.name for module in walk_packages(pipeline.__path__, "pipeline.")]
    # Programs are for processes of their own; backends, and Dask, which changes how errors are
    # pickled, are imported once they are asked for.
    passed = ("_program", ".programs.", ".backends.", ".dask.", "pytest_plugin")
    for name in (*_PRELOADED, *names):
        if not any(part in name for part in passed):
            import_module(name)
    tasks = Path("/proc/self/task")
    if tasks.exists():
        assert len(list(tasks.iterdir())) == 1, "what was imported has started a thread"


def _answer(connection: socket.socket) -> NoReturn:
    """Fork the process that runs the command, and tell its id and how it ended."""
    length, descriptors, _, _ = socket.recv_fds(connection, _LENGTH, 2)
    data = _exactly(connection, int.from_bytes(length, "big"))
    process = os.fork()
    if process == 0:
        connection.close()
        _become(json.loads(data), *descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
    with suppress(OSError):
        connection.sendall(process.to_bytes(_LENGTH, "big", signed=True))
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        connection.sendall(code.to_bytes(_LENGTH, "big", signed=True))
    os._exit(0)


def _become(request: dict[str, Any], out: int, err: int) -> NoReturn:
    """Be the process that ``python -m`` would start."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    for descriptor, standard in ((nothing, 0), (out, 1), (err, 2)):
        os.dup2(descriptor, standard)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(request["env"])
    tempfile.tempdir = None
    os.chdir(request["cwd"])
    name = request["main"]
    module = import_module("doit.__main__" if name == "doit" else name)
    sys.modules["__main__"] = module
    sys.path[0] = request["cwd"]
    sys.argv[:] = [str(module.__file__), *request["arguments"]]
    import_module("multiprocessing.process").ORIGINAL_DIR = request["cwd"]  # type: ignore[attr-defined]
    fork_what_is_spawned(_exit)
    _exit(module.main)


def _exit(main: Callable[[], object]) -> NoReturn:
    """Run a main function and end as Python does, but take no module apart: that takes longest."""
    try:
        code = main()
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = 1
    if isinstance(code, str):
        print(code, file=sys.stderr)
        code = 1
    # What Python does before it takes itself apart, by the functions that it calls for that.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if not stream.closed:
            stream.flush()
    os._exit(int(code or 0))  # type: ignore[call-overload]


def _number(connection: socket.socket) -> int:
    return int.from_bytes(_exactly(connection, _LENGTH), "big", signed=True)


def _exactly(connection: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        piece = connection.recv(length - len(data))
        assert piece, "the other side is gone"
        data += piece
    return data


def _text(stream: BinaryIO) -> str:
    stream.seek(0)
    return stream.read().decode().replace("\r\n", "\n")


if __name__ == "__main__":
    serve(sys.argv[1])

"""The wasi-nn host as a library: run a guest and get its outcome."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from pipeline.errors import Code, PipelineError
from pipeline.host.abi import enums, wit_types
from pipeline.host.backend import Hint
from pipeline.host.component.outline import program_of
from pipeline.host.graph_registry import NamedGraph
from pipeline.host.model_types import Encoding
from pipeline.host.sandbox.guest_command import Command, Preopen
from pipeline.host.sandbox.guest_program import is_component, read_guest
from pipeline.host.sandbox.limited import CommandResult
from pipeline.host.sandbox.run_component import run_component
from pipeline.host.sandbox.run_guest import REFUSED_WRITE, ModuleGuest, run_command
from pipeline.host.session.session import Limits
from pipeline.host.session.tensor_recorder import RecordedTensor, TensorRecorder
from pipeline.host.wasi_nn import Calls, ComponentCalls, WasiNn
from pipeline.scratch import scratch_folder

__all__ = ["Host", "Limits", "NamedGraph", "Outcome", "Preopen", "RecordedTensor"]

_KEPT_MESSAGES = 1000
# Limits of what a guest's calls may print, in messages and in characters.
_SAID_MESSAGES, _SAID_TEXT = 10_000, 4 << 20
_LONGEST_MESSAGE = 2000
_TAIL = 8
# The two ways to run a component, as the trace tells them.
_AS_COMPONENT = "the component runs as such: Wasmtime copies values between it and the host"
_AS_PROGRAM = "the component's program runs on WASI preview 1: the host copies values by itself"
_MOST_CAPTURED = 1 << 30


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Result of a guest that exited by itself.

    ``exit_code`` is that of proc_exit, else 0. ``seconds`` is wall time, including compilation.
    ``memory`` is the size of its memory in bytes, which never shrinks. ``messages`` are the last
    thousand failed calls; with ``trace`` all calls. ``succeeded`` counts the successful calls by
    function. ``stdout`` and ``stderr`` are the first bytes of its output, None if not captured;
    ``tensors`` are those recorded, and ``dropped`` the number of those that did not fit.
    """

    exit_code: int
    seconds: float
    memory: int
    messages: tuple[str, ...]
    succeeded: Mapping[str, int]
    stdout: bytes | None = None
    stderr: bytes | None = None
    tensors: tuple[RecordedTensor, ...] = ()
    dropped: int = 0


class Host:
    r"""A host that serves wasi-nn; graphs loaded by name stay compiled across guests.

    ``on_message`` receives each message. ``tensor_type_abi`` and ``encoding_numbers`` select a
    numbering where guests differ; see pipeline.host.abi.enums. ``backends`` selects the framework
    of an encoding. ``hint`` is what to optimise for, ``threads`` the number of CPU threads per
    inference, ``model_cache`` a folder to cache compiled named graphs in, created if missing;
    backends ignore options that they do not support. Raises PipelineError (USAGE) for an unknown
    framework, or a folder that cannot be created.

    Threads may share a host and run guests concurrently, each with its own handles; a worker
    process creates its own host. Run untrusted guests in a process that can be killed: a call
    inside the host cannot be interrupted.

    >>> import tempfile, wasmtime
    >>> guest = r'''(module
    ...   (import "wasi_snapshot_preview1" "fd_write"
    ...     (func $write (param i32 i32 i32 i32) (result i32)))
    ...   (memory (export "memory") 1) (data (i32.const 16) "hello") (data (i32.const 0) "\10")
    ...   (data (i32.const 4) "\05")
    ...   (func (export "_start")
    ...     (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))'''
    >>> with tempfile.TemporaryDirectory() as folder, Host() as host:
    ...     wasm = Path(folder) / "guest.wasm"
    ...     _ = wasm.write_bytes(wasmtime.wat2wasm(guest))
    ...     outcome = host.run(wasm, capture=1000)
    >>> outcome.exit_code, outcome.stdout
    (0, b'hello')
    """

    def __init__(
        self,
        *,
        on_message: Callable[[str], None] | None = None,
        tensor_type_abi: enums.TensorTypeAbi = 2023,
        encoding_numbers: enums.EncodingNumbers = "wasmedge",
        limits: Limits | None = None,
        backends: Mapping[Encoding, str] | None = None,
        hint: Hint | None = None,
        threads: int | None = None,
        model_cache: Path | None = None,
    ) -> None:
        self._on_message = on_message
        self._wasi_nn = WasiNn(
            backends=backends,
            limits=limits,
            hint=hint,
            threads=threads,
            model_cache=model_cache,
            tensor_type_abi=tensor_type_abi,
            encoding_numbers=encoding_numbers,
        )

    def __enter__(self) -> Host:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Drop the compiled graphs."""
        self._wasi_nn.close()

    def run(
        self,
        wasm: Path,
        args: Sequence[str] = (),
        *,
        env: Mapping[str, str] | None = None,
        dirs: Sequence[Preopen] = (),
        graphs: Sequence[NamedGraph] = (),
        preloads: Mapping[str, Path] | None = None,
        seconds: float = 60.0,
        memory: int = 1 << 30,
        fuel: int | None = None,
        disk: int | None = None,
        stdout: Path | None = None,
        stderr: Path | None = None,
        inherit_stdin: bool = False,
        trace: bool = False,
        capture: int | None = None,
        tensors: int = 0,
    ) -> Outcome:
        """Run a WASI command, a core module or a component.

        It gets these arguments, variables, folders, named graphs and limits. ``memory`` is in
        bytes; ``stdout`` and ``stderr`` are files to write, or None for this process's own;
        ``disk`` limits the bytes that it writes. ``capture`` is the number of bytes of each stream
        to return in the outcome; ``disk`` is then 1 GiB by default. ``tensors`` is the total size
        of the tensors to record, in bytes. ``preloads`` are modules that a core module imports
        from, by name, each with a memory of its own. Raises PipelineError: USAGE, GUEST_BUILD and
        GUEST_IMPORTS before the guest runs; TIME_LIMIT, MEMORY_LIMIT, STORAGE and GUEST_FAILED if
        it does not exit by itself.
        """
        messages = _Messages(self._on_message)
        recorder = TensorRecorder(tensors) if tensors else None
        with _Streams(stdout, stderr, capture) as streams:
            command = Command(
                wasm=wasm,
                args=tuple(args),
                env=tuple((env or {}).items()),
                dirs=tuple(dirs),
                seconds=seconds,
                memory=memory,
                stdout=streams.stdout,
                stderr=streams.stderr,
                inherit_stdin=inherit_stdin,
                fuel=fuel,
                preloads=tuple((preloads or {}).items()),
                disk=_MOST_CAPTURED if disk is None and capture is not None else disk,
            )
            command.check()
            parts = {
                "graph_names": self._wasi_nn.named(graphs),
                "on_message": messages.add,
                "trace": messages.add if trace else None,
                "recorder": recorder,
            }
            started = time.perf_counter()
            try:
                ended = self._run(command, parts)
            except PipelineError as error:
                error.detail = "\n".join([*error.detail.splitlines(), *messages.last(_TAIL)])
                raise
            if ended.exit_code and ended.refused_write:
                messages.add(REFUSED_WRITE)
            return Outcome(
                exit_code=ended.exit_code,
                seconds=time.perf_counter() - started,
                memory=ended.memory,
                messages=messages.last(_KEPT_MESSAGES),
                succeeded={name: n for name, n in ended.calls.succeeded.items() if n},
                stdout=streams.first_bytes(streams.stdout),
                stderr=streams.first_bytes(streams.stderr),
                tensors=recorder.kept if recorder else (),
                dropped=recorder.dropped if recorder else 0,
            )

    def _run(
        self, command: Command, parts: dict[str, Any]
    ) -> CommandResult[Calls] | CommandResult[ComponentCalls]:
        nn = self._wasi_nn
        if not is_component(command.wasm):
            return run_command(
                command,
                ModuleGuest(
                    modules=(enums.MODULE,),
                    serve=lambda linker, store: nn.add_to_linker(
                        linker, store, one_instance=not command.preloads, **parts
                    ),
                ),
            )
        if command.preloads:
            raise PipelineError(
                Code.USAGE,
                "A component imports from no preloaded module.",
                where=str(command.wasm),
                hint="Compose the components into one.",
            )
        trace = parts["trace"] or _ignore
        program = program_of(read_guest(command.wasm), wit_types.INTERFACES)
        if program is None:
            trace(_AS_COMPONENT)
            return run_component(
                command,
                wit_types.INTERFACES,
                lambda linker: nn.add_to_component_linker(linker, **parts),
            )
        trace(_AS_PROGRAM)
        core = nn.core_program(**parts)
        ended = run_command(
            command,
            ModuleGuest(
                modules=wit_types.INTERFACES, serve=core.define, wasm=program, opened=core.open
            ),
        )
        # WASI 0.2 passes no other codes.
        return replace(ended, exit_code=min(ended.exit_code, 1))


class _Streams:
    """Where a guest's output goes, and its first bytes if captured."""

    def __init__(self, stdout: Path | None, stderr: Path | None, capture: int | None) -> None:
        self.stdout, self.stderr = stdout, stderr
        self._capture = capture
        self._left = ExitStack()

    def __enter__(self) -> _Streams:
        if self._capture is not None:
            folder = self._left.enter_context(scratch_folder())
            self.stdout = self.stdout or folder / "stdout"
            self.stderr = self.stderr or folder / "stderr"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._left.close()

    def first_bytes(self, path: Path | None) -> bytes | None:
        if self._capture is None or path is None:
            return None
        with path.open("rb") as stream:
            return stream.read(self._capture)


class _Messages:
    """The last messages; forwards a limited number to a listener."""

    def __init__(self, on_message: Callable[[str], None] | None) -> None:
        self._on_message = on_message
        self._kept: deque[str] = deque(maxlen=_KEPT_MESSAGES)
        self._count = self._text = 0
        self._full = False

    def add(self, text: str) -> None:
        if len(text) > _LONGEST_MESSAGE:
            text = f"{text[:_LONGEST_MESSAGE]}… ({len(text)} characters)"
        self._kept.append(text)
        if self._on_message is None or self._full:
            return
        self._on_message(text)
        self._count += 1
        self._text += len(text)
        if self._count == _SAID_MESSAGES or self._text > _SAID_TEXT:
            self._full = True
            self._on_message("too many messages; further ones are not shown")

    def last(self, count: int) -> tuple[str, ...]:
        return tuple(self._kept)[-count:]


def _ignore(_message: str) -> None:
    pass

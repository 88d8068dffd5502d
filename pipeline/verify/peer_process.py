"""Another host's process, with limits of time and output."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from pipeline.errors import Code, PipelineError
from pipeline.execution.process import end_tree

_PRINTED = 1024 * 1024


@dataclass(frozen=True)
class PeerRun:
    """How a guest ended on another host, and the first MiB of each stream that was printed.

    ``exit_code`` is negative where a signal ended the host: it crashed.
    """

    exit_code: int
    stdout: str
    stderr: str


def run_peer(command: Sequence[str], environment: Mapping[str, str], seconds: float) -> PeerRun:
    """Run a host with its guest; raises PipelineError (TIME_LIMIT, TOOLCHAIN)."""
    try:
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except OSError as error:
        raise PipelineError(
            Code.TOOLCHAIN,
            "The host cannot be started.",
            where=command[0],
            found=error.strerror or str(error),
            hint="Install it, or give the path of its program.",
        ) from None
    assert process.stdout is not None
    assert process.stderr is not None
    streams = (process.stdout, process.stderr)
    printed = (bytearray(), bytearray())
    readers = [
        threading.Thread(target=_read_first, args=pair, daemon=True)
        for pair in zip(streams, printed, strict=True)
    ]
    for reader in readers:
        reader.start()
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        raise PipelineError(
            Code.TIME_LIMIT,
            "The host exceeded its time limit and was killed.",
            where=command[0],
            expected=f"at most {seconds:g} s",
        ) from None
    finally:
        if process.poll() is None:
            end_tree(process.pid)
            process.wait()
        for reader in readers:
            reader.join()
    stdout, stderr = (text.decode(errors="replace") for text in printed)
    return PeerRun(process.returncode, stdout, stderr)


def _read_first(stream: IO[bytes], text: bytearray) -> None:
    """Keep the first bytes and discard the rest, so that the guest never waits for a reader."""
    with stream:
        while chunk := stream.read(65536):
            text += chunk[: _PRINTED - len(text)]

"""Call a function on a stranger's files in a process of its own, with limits on time and memory."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType

from pipeline.errors import Code, PipelineError
from pipeline.execution.action import Job, Recipe
from pipeline.execution.pool.worker_pool import WorkerPool
from pipeline.execution.progress import no_progress
from pipeline.scratch import scratch_folder

_MOST_RESULT = 256 << 20
_LIMITS = {Code.TIME_LIMIT: "--seconds", Code.MEMORY_LIMIT: "--memory"}


class BoundedCalls:
    """A worker process that calls one function after the other within limits.

    ``seconds`` are those of one call, ``memory`` the resident bytes of it and its child processes.
    """

    def __init__(self, seconds: float, memory: int) -> None:
        self._seconds = seconds
        self._memory = memory
        self._workers = WorkerPool(1)

    def __enter__(self) -> BoundedCalls:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._workers.close()

    def call(self, recipe: Recipe, parameters: Mapping[str, object], what: str) -> bytes:
        """Return what the recipe writes to its output ``result``.

        Raises its exception, or PipelineError (TIME_LIMIT, MEMORY_LIMIT, WORKER), in which ``what``
        says what exceeded a limit.
        """
        with scratch_folder() as folder:
            scratch = folder / "scratch"
            scratch.mkdir()
            result = folder / "result"
            job = Job(
                inputs={},
                outputs={"result": result},
                parameters=parameters,
                unkeyed={},
                scratch=scratch,
                progress=no_progress,
            )
            try:
                self._workers.run(recipe, job, seconds=self._seconds, memory=self._memory)
            except PipelineError as error:
                raise self._worded(error, what) from None
            except (RecursionError, MemoryError) as error:
                raise PipelineError(
                    Code.MEMORY_LIMIT,
                    f"{what} needs more memory or nesting than is allowed.",
                    found=type(error).__name__,
                ) from None
            with result.open("rb") as stream:
                data = stream.read(_MOST_RESULT + 1)
        if len(data) > _MOST_RESULT:
            raise PipelineError(
                Code.MEMORY_LIMIT,
                f"{what} has a result that is too large.",
                expected=f"at most {_MOST_RESULT >> 20} MiB",
            )
        return data

    def _worded(self, error: PipelineError, what: str) -> PipelineError:
        option = _LIMITS.get(error.code)
        # Of the recipe itself, such as the time limit of a guest.
        if option is None or not error.message.startswith("The step"):
            return error
        kind = "time" if error.code is Code.TIME_LIMIT else "memory"
        return PipelineError(
            error.code,
            f"{what} exceeded its {kind} limit.",
            expected=error.expected,
            hint=f"If you trust it, allow more: {option}",
        )

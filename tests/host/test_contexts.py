"""Contexts that a guest does not release."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import Code, PipelineError
from pipeline.host.host import Host, Limits, NamedGraph
from pipeline.host.session import session
from tests.host.conftest import Ir
from tests.host.script import write_guest

NN = "wasi_ephemeral_nn"
GUEST = f"""(module
  (import "{NN}" "load_by_name" (func $load (param i32 i32 i32) (result i32)))
  (import "{NN}" "init_execution_context" (func $init (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1) (data (i32.const 0) "add")
  (func (export "_start") (local i32 i32)
    (if (call $load (i32.const 0) (i32.const 3) (i32.const 8)) (then unreachable))
    (loop
      (local.set 1 (call $init (i32.const 0) (i32.const 8)))
      (if (local.get 1) (then (call $exit (local.get 1))))
      (br_if 0 (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 5000))))))
"""


def run(folder: Path, models: dict[str, Ir], limits: Limits | None = None) -> tuple[int, str]:
    with Host(limits=limits) as host:
        outcome = host.run(
            write_guest(folder, GUEST), graphs=[NamedGraph("add", models["add"].folder)]
        )
    return outcome.exit_code, "\n".join(outcome.messages)


def test_a_loop_may_make_a_context_for_each_inference(
    tmp_path: Path, models: dict[str, Ir]
) -> None:
    assert run(tmp_path, models) == (0, "")


def test_a_host_that_has_grown_makes_no_more(
    tmp_path: Path, models: dict[str, Ir], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = iter(range(1 << 30, 2 << 30, 1 << 20))
    monkeypatch.setattr(session, "resident_bytes", lambda: next(sizes))
    code, messages = run(tmp_path, models, Limits(bytes=100 << 20))
    assert code == 7
    assert "no more contexts" in messages


def test_the_memory_that_contexts_take_is_seen(tmp_path: Path, models: dict[str, Ir]) -> None:
    code, _ = run(tmp_path, models, Limits(bytes=1 << 20))
    assert code == 7


def test_the_release_of_graphs_is_within_the_time_limit(
    tmp_path: Path, models: dict[str, Ir], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.host.wasi_nn import Calls

    real = Calls.close

    def close(calls: Calls) -> None:
        threading_event.wait(2)
        real(calls)

    import threading

    threading_event = threading.Event()
    monkeypatch.setattr(Calls, "close", close)
    with Host() as host, pytest.raises(PipelineError) as caught:
        host.run(
            write_guest(tmp_path, GUEST.replace("5000", "1")),
            graphs=[NamedGraph("add", models["add"].folder)],
            seconds=1,
        )
    assert caught.value.code is Code.TIME_LIMIT

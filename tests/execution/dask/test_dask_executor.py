"""Steps on a Dask cluster whose workers are processes and share no folder with the client."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from pipeline.cache.digest import Digest
from pipeline.errors import Code, PipelineError
from pipeline.execution.action import Job, Recipe
from pipeline.execution.dask import sent_files
from pipeline.execution.dask.dask_executor import DaskExecutor
from pipeline.execution.executor import Inline
from tests.execution import recipes
from tests.execution.dask.clusters import ROOT, dask, local_cluster, pids, pretend
from tests.processes import ended

pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A cluster of two worker processes."""
    with local_cluster(tmp_path_factory.mktemp("dask")) as cluster:
        yield cluster


@pytest.fixture
def apart(running: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[DaskExecutor]:
    """A client of it that takes its workers for those of another machine."""
    hide_files(monkeypatch)
    client = connect(running.scheduler_address)
    yield client
    client.close()


@pytest.fixture
def beside(running: Any) -> Iterator[DaskExecutor]:
    """A client of it that finds its workers on this machine."""
    client = connect(running.scheduler_address)
    yield client
    client.close()


@pytest.fixture(params=["apart", "beside"])
def cluster(request: pytest.FixtureRequest) -> DaskExecutor:
    """Either of both."""
    found: DaskExecutor = request.getfixturevalue(request.param)
    return found


def connect(address: str, tools: tuple[str, ...] = ()) -> DaskExecutor:
    return DaskExecutor(address, digest=Digest.of_file, tools=tools, local=Inline())


def hide_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let workers find another probe than this machine's where they look for its files."""
    ordered = DaskExecutor._task_spec

    def elsewhere(self: DaskExecutor, *args: Any) -> Any:
        files, task = ordered(self, *args)
        return files, replace(task, probe="of another machine")

    monkeypatch.setattr(DaskExecutor, "_task_spec", elsewhere)


def job(folder: Path, **fields: Any) -> Job:
    folder.mkdir(exist_ok=True)
    given: dict[str, Any] = {"inputs": {}, "outputs": {"out": folder / "out"}, "parameters": {}}
    return Job(scratch=folder, **(given | fields))


def run(
    cluster: DaskExecutor, recipe: Recipe, job: Job, seconds: float = 60, memory: int = 2**32
) -> None:
    cluster.run(recipe, job, seconds=seconds, memory=memory)


def lines(log: Path, count: int) -> list[list[str]]:
    """Return the lines of a log, once there are so many."""
    for _ in range(900):
        if log.exists() and len(found := log.read_text().splitlines()) >= count:
            return [line.split() for line in found]
        time.sleep(0.1)
    pytest.fail(f"{count} steps did not begin")


def test_files_go_there_and_come_back_without_a_shared_folder(
    apart: DaskExecutor, running: Any, tmp_path: Path
) -> None:
    given = {"model.xml": tmp_path / "model.xml", "model.bin": tmp_path / "model.bin"}
    for path in given.values():
        path.write_text(path.name)
    run(apart, recipes.tell_place, job(tmp_path / "out", inputs=given))
    parent, *paths = (tmp_path / "out" / "out").read_text().splitlines()
    assert int(parent) in pids(running)
    assert not any(str(tmp_path) in path for path in paths)
    # What lies side by side here does so there.
    folders = {str(Path(path).parent) for path in paths[1:]}
    assert len(folders) == 1
    assert [Path(path).name for path in paths[1:]] == ["model.bin", "model.xml"]


def test_a_worker_that_sees_our_files_reads_and_writes_them_where_they_are(
    beside: DaskExecutor, running: Any, tmp_path: Path
) -> None:
    for name in ("model.xml", "model.bin"):
        (tmp_path / name).write_text(name * 1000)
    given = {name: tmp_path / name for name in ("model.bin", "model.xml")}
    step = job(tmp_path / "out", inputs=given)
    run(beside, recipes.tell_place, step)
    parent, scratch, *paths = (tmp_path / "out" / "out").read_text().splitlines()
    assert int(parent) in pids(running)
    assert paths == [str(path) for path in given.values()]
    assert not scratch.startswith(str(tmp_path))
    held = [Path(nanny.local_directory) / "wasi-nn" for nanny in running.workers.values()]
    assert not {"model.bin", "out"} & {path.name for each in held for path in each.rglob("*")}


def test_a_step_keeps_the_memory_that_it_has_freed(cluster: DaskExecutor, tmp_path: Path) -> None:
    from dask import config

    # A picture is decoded in a quarter less time so.
    assert "MALLOC_TRIM_THRESHOLD_" in config.get("distributed.nanny.pre-spawn-environ")
    run(cluster, recipes.tell_trimming, job(tmp_path))
    assert (tmp_path / "out").read_text() == "as usual"


def test_a_file_that_is_another_there_is_sent(beside: DaskExecutor, tmp_path: Path) -> None:
    # As on a machine that has the same mounts, but for this one.
    (tmp_path / "in").write_text("ours")
    hidden = tmp_path / "theirs"
    hidden.write_text("theirs")
    ordered = DaskExecutor._task_spec

    def elsewhere(self: DaskExecutor, *args: Any) -> Any:
        files, order = ordered(self, *args)
        inputs = {label: replace(sent, place=str(hidden)) for label, sent in order.inputs.items()}
        return files, replace(order, inputs=inputs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DaskExecutor, "_task_spec", elsewhere)
        run(beside, recipes.shout, job(tmp_path / "out", inputs={"in": tmp_path / "in"}))
    assert (tmp_path / "out" / "out").read_text() == "OURS"


def test_large_empty_and_many_files(cluster: DaskExecutor, tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(b"abcdefgh" * (5 << 20))
    (tmp_path / "empty").touch()
    inputs = {"1": large, "2": tmp_path / "empty"}
    run(cluster, recipes.shout, job(tmp_path / "a", inputs=inputs, parameters={"tail": "!"}))
    assert (tmp_path / "a" / "out").read_bytes() == b"ABCDEFGH" * (5 << 20) + b"!"
    folder = tmp_path / "b"
    run(
        cluster,
        recipes.write_folder,
        job(folder, outputs={"folder/": folder / "made"}, parameters={"b": ""}),
    )
    assert (folder / "made" / "deep" / "a.txt").read_text() == "a"
    assert (folder / "made" / "b.txt").read_bytes() == b""


@pytest.mark.parametrize(
    ("recipe", "seconds", "memory", "code", "word"),
    [
        (recipes.refuse, 30, 2**32, Code.TENSOR, "It cannot be."),
        (recipes.hang, 1.5, 2**32, Code.TIME_LIMIT, "time limit"),
        (recipes.segfault, 30, 2**32, Code.WORKER, "SIGSEGV"),
        (recipes.eat, 60, 400 * 2**20, Code.MEMORY_LIMIT, "memory"),
    ],
)
def test_a_step_that_ends_badly_there_is_the_same_error_and_its_worker_lives_on(
    cluster: DaskExecutor,
    running: Any,
    tmp_path: Path,
    recipe: Recipe,
    seconds: float,
    memory: int,
    code: Code,
    word: str,
) -> None:
    before = pids(running)
    with pytest.raises(PipelineError) as caught:
        run(cluster, recipe, job(tmp_path), seconds, memory)
    assert caught.value.code is code
    assert word in caught.value.render()
    assert "tcp://127.0.0.1" in caught.value.where
    run(cluster, recipes.shout, job(tmp_path))
    assert pids(running) == before


def test_a_fault_of_a_recipe_comes_back_as_it_is(cluster: DaskExecutor, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="a fault of the recipe"):
        run(cluster, recipes.fault, job(tmp_path))


def test_a_lost_worker_costs_its_own_step_alone(
    cluster: DaskExecutor, running: Any, tmp_path: Path
) -> None:
    (tmp_path / "in").write_text("abc")
    steps = {
        name: job(
            tmp_path / name,
            inputs={"in": tmp_path / "in"},
            parameters={"name": name, "folder": str(tmp_path)},
        )
        for name in ("one", "two")
    }
    with ThreadPoolExecutor(2) as threads:
        futures = [threads.submit(run, cluster, recipes.mark_and_wait, j) for j in steps.values()]
        begun = {name: int(worker) for name, worker, _ in lines(tmp_path / "log", 2)}
        assert set(begun.values()) == pids(running)
        psutil.Process(begun["one"]).kill()
        lines(tmp_path / "log", 3)
        (tmp_path / "go").touch()
        for future in futures:
            future.result(timeout=60)
    assert {name: (j.outputs["out"]).read_text() for name, j in steps.items()} == {
        "one": "ABC",
        "two": "ABC",
    }
    ran = [name for name, _, _ in lines(tmp_path / "log", 3)]
    assert sorted(ran) == ["one", "one", "two"]


def test_a_step_that_ends_every_worker_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Until Dask has started others, however long that takes here.
    monkeypatch.setattr("pipeline.execution.dask.dask_executor._NO_WORKER_SECONDS", 600)
    with local_cluster(tmp_path / "dask") as own:
        client = connect(own.scheduler_address)
        with pytest.raises(PipelineError) as caught:
            run(client, recipes.end_parent, job(tmp_path / "a"))
        assert caught.value.code is Code.CLUSTER
        assert "Every worker that ran the step was lost" in caught.value.message
        run(client, recipes.shout, job(tmp_path / "b"))
        client.close()


def test_files_that_are_lost_with_their_workers_are_sent_again(
    apart: DaskExecutor, running: Any, tmp_path: Path
) -> None:
    (tmp_path / "in").write_text("some text")
    inputs = {"in": tmp_path / "in"}
    run(apart, recipes.shout, job(tmp_path / "a", inputs=inputs))
    for pid in pids(running):
        psutil.Process(pid).kill()
        assert ended(pid)
    run(apart, recipes.shout, job(tmp_path / "b", inputs=inputs))
    assert (tmp_path / "b" / "out").read_text() == "SOME TEXT"


def test_bytes_that_do_not_match_their_digest_are_refused_there(
    apart: DaskExecutor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "in").write_text("some text")
    read = sent_files._read

    def damaged(*args: Any) -> Iterator[dict[str, bytes]]:
        for piece in read(*args):
            yield dict.fromkeys(piece, b"some lies")

    monkeypatch.setattr(sent_files, "_read", damaged)
    with pytest.raises(PipelineError) as caught:
        run(apart, recipes.shout, job(tmp_path / "out", inputs={"in": tmp_path / "in"}))
    assert caught.value.code is Code.CLUSTER
    assert "do not match" in caught.value.found
    assert not (tmp_path / "out" / "out").exists()


def test_bytes_that_do_not_match_their_digest_are_refused_here(
    apart: DaskExecutor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def lies(*_: Any, workers: list[str]) -> dict[str, bytes]:
        return {workers[0]: b"lies"}

    monkeypatch.setattr(apart._client, "run", lies)
    with pytest.raises(PipelineError) as caught:
        run(apart, recipes.shout, job(tmp_path, parameters={"tail": "true"}))
    assert caught.value.code is Code.CLUSTER
    assert "do not match" in caught.value.found


def test_what_a_step_wrote_there_goes_when_it_was_read(
    apart: DaskExecutor, running: Any, tmp_path: Path
) -> None:
    run(apart, recipes.shout, job(tmp_path, parameters={"tail": "text"}))
    folders = [Path(nanny.local_directory) / "wasi-nn" for nanny in running.workers.values()]
    for _ in range(100):
        if not (left := [path for folder in folders for path in folder.glob("*")]):
            break
        time.sleep(0.1)
    assert not left


@pytest.mark.parametrize("shared", [False, True], ids=["apart", "beside"])
def test_a_file_that_changes_once_it_was_hashed_is_an_error(
    running: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, shared: bool
) -> None:
    (tmp_path / "in").write_text("before")
    if not shared:
        hide_files(monkeypatch)

    def hashed(path: Path) -> Digest:
        found = Digest.of_file(path)
        path.write_text("after")
        return found

    client = DaskExecutor(running.scheduler_address, digest=hashed, tools=(), local=Inline())
    with pytest.raises(PipelineError) as caught:
        run(client, recipes.shout, job(tmp_path, inputs={"in": tmp_path / "in"}))
    client.close()
    assert caught.value.code is Code.STORAGE


def test_what_is_portable_travels_and_a_path_keeps_its_step_here(
    apart: DaskExecutor, tmp_path: Path
) -> None:
    (tmp_path / "kept").write_text("kept text")
    run(apart, recipes.read_kept, job(tmp_path, unkeyed={"kept": recipes.Kept(tmp_path / "kept")}))
    place, text = (tmp_path / "out").read_text().splitlines()
    assert text == "kept text"
    assert str(tmp_path) not in place
    run(apart, recipes.tell_place, job(tmp_path, unkeyed={"folder": tmp_path}))
    assert (tmp_path / "out").read_text().startswith(f"{os.getppid()}\n")


@pytest.mark.parametrize("end", ["close", "kill"])
def test_a_client_that_ends_or_is_killed_ends_its_steps(
    running: Any, tmp_path: Path, end: str
) -> None:
    before = pids(running)
    program = (
        "import sys, threading, pathlib\n"
        "from tests.execution.dask.test_dask_executor import connect, job, run\n"
        "from tests.execution import recipes\n"
        "client = connect(sys.argv[1])\n"
        "folder = pathlib.Path(sys.argv[2])\n"
        "step = job(folder, parameters={'name': 'x', 'folder': str(folder)})\n"
        "thread = threading.Thread(target=run, args=(client, recipes.mark_and_wait, step))\n"
        "thread.daemon = True\n"
        "thread.start()\n"
        "sys.stdin.read()\n"
        "client.close()\n"
    )
    client = subprocess.Popen(
        [sys.executable, "-c", program, running.scheduler_address, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
    )
    ((_, _, step),) = lines(tmp_path / "log", 1)
    if end == "kill":
        client.kill()
    client.communicate(timeout=60)
    assert ended(int(step))
    assert pids(running) == before


def test_a_scheduler_that_is_not_there_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.execution.dask.connection._CONNECT_SECONDS", 1)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(PipelineError) as caught:
        connect(address)
    assert caught.value.code is Code.CLUSTER
    assert caught.value.message == "The cluster's scheduler cannot be reached."
    assert caught.value.where == address


@pytest.mark.parametrize(
    "address", ["x", "tcp://", "tls://127.0.0.1:1", "ftp://127.0.0.1:1", "tcp://[:1", "nonsense:x"]
)
def test_what_is_no_address_is_one_error(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setattr("pipeline.execution.dask.connection._CONNECT_SECONDS", 1)
    with pytest.raises(PipelineError) as caught:
        connect(address)
    assert caught.value.code is Code.CLUSTER


def test_a_server_of_another_kind_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.execution.dask.connection._CONNECT_SECONDS", 2)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        with pytest.raises(PipelineError) as caught:
            connect(f"tcp://127.0.0.1:{server.getsockname()[1]}")
        server.shutdown(socket.SHUT_RDWR)
    assert caught.value.code is Code.CLUSTER


def scheduler(first: Path | None = None) -> Any:
    return dask(
        *("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"),
        until="Scheduler at:",
        first=first,
    )


def address_in(printed: str) -> str:
    found = re.search(r"tcp://[\d.]+:\d+", printed)
    assert found, printed
    return found[0]


def test_a_scheduler_of_another_version_is_refused(tmp_path: Path) -> None:
    with (
        scheduler(pretend(tmp_path, "distributed", "2023.1.0")) as printed,
        pytest.raises(PipelineError) as caught,
    ):
        connect(address_in(printed))
    assert caught.value.code is Code.CLUSTER
    assert caught.value.found == "distributed 2023.1.0"


def worker(address: str, first: Path) -> Any:
    return dask(
        *("worker", address, "--nthreads", "1", "--no-dashboard"),
        *("--local-directory", str(first / "space")),
        until="Registered to:",
        first=first,
    )


def test_a_worker_with_another_version_of_a_tool_is_refused_also_when_it_comes_late(
    tmp_path: Path,
) -> None:
    with scheduler() as printed:
        address = address_in(printed)
        client = connect(address, ("msgspec",))
        with worker(address, pretend(tmp_path, "msgspec", "0.1")):
            for attempt in (
                lambda: client.run(
                    recipes.shout, job(tmp_path / "a"), seconds=60, memory=2**32, tools=["msgspec"]
                ),
                lambda: connect(address, ("msgspec",)),
            ):
                with pytest.raises(PipelineError) as caught:
                    attempt()
                assert caught.value.code is Code.CLUSTER
                assert caught.value.found == "msgspec 0.1"
                assert caught.value.where.startswith("tcp://")
        client.close()


def test_a_worker_without_the_pipeline_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pipeline").mkdir()
    for name in ("__init__.py", "execution.py"):
        (tmp_path / "pipeline" / name).touch()
    with (
        scheduler() as printed,
        worker(address_in(printed), tmp_path),
        pytest.raises(PipelineError) as caught,
    ):
        connect(address_in(printed))
    assert caught.value.code is Code.CLUSTER
    assert "pipeline.execution" in caught.value.found


def test_a_cluster_without_a_worker_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("pipeline.execution.dask.dask_executor._NO_WORKER_SECONDS", 1)
    with scheduler() as printed:
        client = connect(address_in(printed))
        with pytest.raises(PipelineError, match="has no worker"):
            run(client, recipes.shout, job(tmp_path))
        client.close()


def test_a_worker_cannot_write_outside_the_outputs(tmp_path: Path) -> None:
    from pipeline.execution.dask.dask_executor import _place

    assert _place(tmp_path, "deep/a.txt", folder=True) == tmp_path / "deep" / "a.txt"
    assert _place(tmp_path, "", folder=False) == tmp_path
    for name in ("../a", "/etc/a", "a/../../b", "", "c:a", "a\\..\\b"):
        with pytest.raises(PipelineError):
            _place(tmp_path, name, folder=True)
    with pytest.raises(PipelineError):
        _place(tmp_path, "a", folder=False)


def test_a_killed_scheduler_costs_one_error(tmp_path: Path) -> None:
    (tmp_path / "in").write_text("abc")
    given = {"name": "one", "folder": str(tmp_path)}
    step = job(tmp_path / "one", inputs={"in": tmp_path / "in"}, parameters=given)
    with scheduler() as printed, worker(address_in(printed), tmp_path):
        address = address_in(printed)
        client = connect(address)
        with ThreadPoolExecutor(1) as threads:
            future = threads.submit(run, client, recipes.mark_and_wait, step)
            lines(tmp_path / "log", 1)
            for process in psutil.Process().children():
                if "distributed.cli.dask_scheduler" in process.cmdline():
                    process.kill()
            with pytest.raises(PipelineError) as caught:
                future.result(timeout=120)
        (tmp_path / "go").touch()
        client.close()
    assert caught.value.code is Code.CLUSTER
    assert caught.value.message == "The connection to the cluster's scheduler was lost."
    assert caught.value.where == address
    assert not (tmp_path / "one/out").exists()

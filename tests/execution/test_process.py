"""Child processes have a time limit and leave nobody behind."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pipeline.errors import Code, PipelineError
from pipeline.execution.process import run_process
from tests.processes import ended


def test_both_streams_and_the_exit_status_come_back(tmp_path: Path) -> None:
    program = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    finished = run_process([sys.executable, "-c", program], seconds=30, cwd=tmp_path)
    assert finished.returncode == 3
    assert set(finished.output.split()) == {"out", "err"}


def test_a_flood_of_output_is_bounded(tmp_path: Path) -> None:
    program = "import sys; sys.stdout.write('x' * 10_000_000); print('end')"
    finished = run_process([sys.executable, "-c", program], seconds=30, cwd=tmp_path)
    assert len(finished.output) <= 64 * 1024
    assert finished.last_lines(1).endswith("end")


def test_a_hanging_process_ends_with_its_children(tmp_path: Path) -> None:
    program = (
        "import subprocess, sys, pathlib, time;"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
        "pathlib.Path('pid').write_text(str(child.pid)); time.sleep(600)"
    )
    with pytest.raises(PipelineError) as caught:
        run_process([sys.executable, "-c", program], seconds=2, cwd=tmp_path)
    assert caught.value.code is Code.TIME_LIMIT
    child = int((tmp_path / "pid").read_text())
    assert ended(child)


def test_a_program_that_is_not_there_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(PipelineError) as caught:
        run_process([tmp_path / "nowhere"], seconds=5, cwd=tmp_path)
    assert caught.value.code is Code.TOOLCHAIN

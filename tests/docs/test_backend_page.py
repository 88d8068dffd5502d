"""The backend that the documentation shows answers what every backend is asked."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.tiny import ROOT


def test_the_backend_of_the_page_answers_as_all_backends_do(tmp_path: Path) -> None:
    page = (ROOT / "docs/backends.md").read_text()
    [module] = re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S)
    for folder in ("pipeline", "tests"):
        shutil.copytree(
            ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "pipeline/host/backends/reference.py").write_text(module)
    questions = tmp_path / "tests/host/test_backends.py"
    text = questions.read_text()
    assert "WAYS = [\n" in text
    way = '    Way("reference", Encoding.ONNX, 1, onnx_relu),\n'
    questions.write_text(text.replace("WAYS = [\n", "WAYS = [\n" + way, 1))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", str(questions), "-k", "onnx-reference"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r"^\d+ passed", done.stdout, re.M), done.stdout

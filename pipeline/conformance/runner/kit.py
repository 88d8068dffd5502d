"""The suite as files, for a runtime's own tests without this project."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.conformance.case import Case
from pipeline.conformance.guest_assembly import assemble
from pipeline.conformance.models import add

# Increased whenever a case changes, so that results can be compared.
VERSION = 2

_MODELS, _CASES = "models", "cases"


def write_kit(folder: Path, cases: Sequence[Case]) -> None:
    """Write the guests, models, expectations and instructions to a new folder.

    The bytes are the same on every machine.
    """
    import wasmtime

    guests, model = folder / _CASES, folder / _MODELS / "add"
    guests.mkdir(parents=True)
    model.mkdir(parents=True)
    parts = add()
    (model / "model.xml").write_bytes(parts.xml)
    (model / "model.bin").write_bytes(parts.weights)
    expected: list[Mapping[str, Any]] = []
    for case in cases:
        text = assemble(case)
        wasm = bytes(wasmtime.wat2wasm(text))
        (guests / f"{case.name}.wat").write_text(text, encoding="utf-8", newline="\n")
        (guests / f"{case.name}.wasm").write_bytes(wasm)
        expected.append(_expectation(case, hashlib.sha256(wasm).hexdigest()))
    document = {"version": VERSION, "cases": expected}
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    (folder / "expectations.json").write_text(text, encoding="utf-8", newline="\n")
    (folder / "README.md").write_text(_README, encoding="utf-8", newline="\n")
    script = folder / "conformance.sh"
    script.write_text(_SCRIPT, encoding="utf-8", newline="\n")
    script.chmod(0o755)


def guest_of(folder: Path, case: Case) -> Path:
    """Return the guest of a case in a kit."""
    return folder / _CASES / f"{case.name}.wasm"


def models_of(folder: Path) -> Path:
    """Return the folder with the folders of a kit's named graphs."""
    return folder / _MODELS


def _expectation(case: Case, digest: str) -> Mapping[str, Any]:
    return {
        "name": case.name,
        "asks": case.rule,
        "wasm": f"{_CASES}/{case.name}.wasm",
        "sha256": digest,
        "graphs": list(case.graphs),
        "exports memory": case.memory,
        "exit code": case.ending.exit_code,
        "stdout": case.ending.stdout,
        "stderr": case.ending.stderr,
    }


_README = """\
# wasi-nn conformance kit

Each `cases/NAME.wasm` is a WASI command that tests one behaviour of a wasi-nn host and checks the
result itself. It imports `wasi_ephemeral_nn`, and `fd_write` and `proc_exit` of WASI preview 1, and
needs no folder, argument or environment. `cases/NAME.wat` is the same as text. The models are
embedded in the guests; cases whose names start with `name-` load the graph `add` by name, which the
host must provide from `models/add`.

## What a guest prints

A line `ok`, or a line for each unexpected result and then `end`:

- `unsafe: …`: stale or foreign bytes, an illegal write, aliased memory of the guest, or success for
  an invalid call;
- `differs: …`: another errno than expected.

A host that crashes, panics or hangs is unsafe. One that traps the guest differs.
`memory-not-exported` cannot print: it conforms if the host rejects it, or if it exits with code 0.
`streams` and `exit-200` conform if exit code and output are those of `expectations.json`, which
lists all cases with a description and a digest.

## Running it

    ./conformance.sh COMMAND...

runs `COMMAND... cases/NAME.wasm` for each case, with a time limit of 60 seconds, prints a line for
each, and exits with 1 if a case does not conform. For example, with OpenVINO on the library path:

    ./conformance.sh wasmtime run -S nn -S nn-graph=openvino::models/add
"""

_SCRIPT = """\
#!/bin/sh
# Run each case on a host: ./conformance.sh COMMAND...
if [ $# -eq 0 ]; then
  echo "usage: $0 COMMAND...   (cases/NAME.wasm is appended)" >&2
  exit 2
fi
folder=$(dirname "$0")
cd "$folder" || exit 2
printed=$(mktemp) && complained=$(mktemp) || exit 2
trap 'rm -f "$printed" "$complained"' EXIT
failed=0
for wasm in cases/*.wasm; do
  name=$(basename "$wasm" .wasm)
  timeout 60 "$@" "$wasm" >"$printed" 2>"$complained" </dev/null
  code=$?
  wanted=0
  line=ok
  case $name in
    streams) wanted=7; line="to stdout" ;;
    exit-200) wanted=200; line= ;;
  esac
  if [ $code -eq 124 ]; then verdict="unsafe: the host hangs"
  elif grep -q -e 'panicked at' -e 'Segmentation fault' -e 'Traceback (most' "$complained" ||
    [ $code -eq 132 ] || [ $code -eq 135 ] || [ $code -eq 136 ] || [ $code -eq 139 ]; then
    verdict="unsafe: the host crashes"
  elif grep -q '^unsafe: ' "$printed"; then verdict=$(grep -m1 '^unsafe: ' "$printed")
  elif grep -q '^differs: ' "$printed"; then verdict=$(grep -m1 '^differs: ' "$printed")
  elif [ "$name" = memory-not-exported ]; then
    if [ $code -eq 1 ] && ! [ -s "$complained" ]; then verdict="unsafe: the call did not return 3"
    else verdict=conforms
    fi
  elif [ $code -eq $wanted ] && { [ -z "$line" ] || grep -qx "$line" "$printed"; }; then
    verdict=conforms
  else verdict="differs: the host ends the guest: $(tail -n 1 "$complained")"
  fi
  [ "$verdict" = conforms ] || failed=1
  printf '%-32s %s\\n' "$name" "$verdict"
done
exit $failed
"""

"""README.md: a fixture's card, generated from its manifest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pipeline.errors import printable


def card(manifest: Mapping[str, Any]) -> str:
    """Return the card: description, commands, tensors, sources and licences.

    The front matter is for model hubs. Source: the Hugging Face Hub's documentation of model cards.
    """
    name = manifest["name"]
    model = manifest["model"]
    lines = [
        "---",
        f"license: {_licence(manifest)}",
        "library_name: openvino",
        "tags:",
        "- wasi-nn",
        "- openvino",
        "---",
        "",
        f"# {name}",
        "",
        text(manifest["description"]),
        "",
        f"A wasi-nn fixture: an OpenVINO IR ({model['precision']}, from {model['framework']}), its "
        "input tensors, a guest that runs them, and the expected outputs.",
        "",
        "## Run it",
        "",
        "In the parent of this folder:",
        "",
        "```console",
        *(f"$ {command.replace('artifacts/', '')}" for command in manifest["run"].values()),
        "```",
        "",
        "## The model",
        "",
        "| | name | type | shape |",
        "|---|---|---|---|",
        *(
            f"| {kind} | {text(port['name'])} | {port['type']} | {_shapes(model, kind, index)} |"
            for kind in ("input", "output")
            for index, port in enumerate(model["interface"][f"{kind}s"])
        ),
        "",
        "## The tensors",
        "",
        "| case | input | file | from | expected |",
        "|---|---|---|---|---|",
        *(
            f"| {text(case)} | {text(given)} | `{tensor['file']}` | {_origin(tensor)} | "
            f"{_expected(manifest['expect'].get(case, {}), manifest['classes'].get(case, ''))} |"
            for case, inputs in manifest["tensors"].items()
            for given, tensor in inputs.items()
        ),
        "",
        "`evidence/README.md`, beside the fixture, shows the inputs and the top five values on the "
        "machine that built it.",
        "",
        "## Sources",
        "",
        "| what | licence | from | sha256 |",
        "|---|---|---|---|",
        *(
            f"| {text(label)} | {text(source['license'])} | {text(source['urls'][0])} | "
            f"`{source['sha256'][:16]}…` |"
            for label, source in sorted(manifest["sources"].items())
        ),
        "",
        "## Check it",
        "",
        "`sha256sum -c SHA256SUMS` checks the files. `wasi-nn validate .` also checks their "
        "contents and runs the inference. `regenerate.sh` builds the fixture from its sources and "
        "compares the bytes. `manifest.json` is the machine-readable description, "
        "`provenance.json` the SLSA provenance, `bom.json` the CycloneDX bill of materials.",
    ]
    return "\n".join(lines) + "\n"


def regenerate(manifest: Mapping[str, Any]) -> str:
    """Return the script that rebuilds the fixture from its sources and compares the bytes."""
    return _REGENERATE.replace("@NAME@", manifest["name"])


def _origin(tensor: Mapping[str, Any]) -> str:
    kinds = ("image", "sound", "array", "text", "signal", "noise", "content", "constant")
    return next((f"{kind} {text(str(tensor[kind]))}" for kind in kinds if kind in tensor), "")


def _shapes(model: Mapping[str, Any], kind: str, index: int) -> str:
    """Return the shape of an input or output, and those of the cases that have others."""
    interface = model["interface"]
    cases = interface.get("cases", {}).items()
    own = (f"{text(case)}: {_dims(shapes[f'{kind}s'][index])}" for case, shapes in cases)
    return "; ".join((_dims(interface[f"{kind}s"][index]["shape"]), *own))


def _licence(manifest: Mapping[str, Any]) -> str:
    """Return the model's licence as hubs spell it, or ``other`` if there are several."""
    sources = manifest["sources"]
    found = {sources[name]["license"] for name in manifest["model"].get("files", {}).values()}
    licence = found.pop().lower() if len(found) == 1 else ""
    return licence if re.fullmatch(r"[a-z0-9.+-]+", licence) else "other"


def _expected(expect: Mapping[str, Any], name: str) -> str:
    parts = []
    if "top1" in expect:
        parts.append(f"top 1 is {expect['top1']}" + (f" {text(name)}" if name else ""))
    if "value" in expect:
        parts.append(f"{expect['value']:g} ± {expect['within']:g}")
    if expect.get("strongest"):
        parts.append(f"strongest {', '.join(map(str, expect['strongest']))}")
    if expect.get("tokens"):
        parts.append(f"tokens {', '.join(map(str, expect['tokens']))}")
    if "detections" in expect:
        parts.append(f"{len(expect['detections']['boxes'])} boxes")
    if "mask" in expect:
        parts.append("a mask")
    if "vector" in expect:
        parts.append(f"cosine to a vector ≥ {expect['vector']['cosine']:g}")
    if expect.get("golden_only"):
        parts.append("the golden executor's output")
    return ", ".join(parts)


def _dims(shape: list[int]) -> str:
    return "x".join(map(str, shape)) or "scalar"


def text(words: str) -> str:
    r"""Return a text on one line, escaped for a Markdown table, without control characters.

    >>> text("a\x1b[2J | \u202eb")
    'a\\\\x1b[2J \\| \\\\u202eb'
    """
    line = printable(" ".join(str(words).split()))
    return line.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("`", "'")


_REGENERATE = """\
#!/bin/sh
# Builds @NAME@ from its sources in its own environment, and compares the bytes with these.
#   ./regenerate.sh CHECKOUT     a checkout of the pipeline that has configs/fixtures/@NAME@.toml
# Set PYTHON to an interpreter with the pipeline installed to skip the installation.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
checkout=${1:?give a checkout of the pipeline}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -R "$checkout" "$work/project"
cd "$work/project"
find artifacts -mindepth 1 -maxdepth 1 ! -name lock.json ! -name README.md -exec rm -rf {} + || true
if [ -z "${PYTHON:-}" ]; then
  python3 -m venv "$work/venv"
  PYTHON=$work/venv/bin/python
  "$PYTHON" -m pip install -q --no-deps -r constraints.txt
  "$PYTHON" -m pip install -q --no-deps -e .
fi
"$PYTHON" -m doit "manifest:@NAME@"
cd "artifacts/@NAME@"
sha256sum --quiet -c "$here/SHA256SUMS"
echo "@NAME@: identical bytes"
"""

"""evidence/README.md: inputs and outputs on the machine that built a fixture."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pipeline.cache.digest import Digest
from pipeline.publish.release.card import text

_OF_BOTH = " of the guest, which are those of its component,"


def evidence_card(text_of_manifest: bytes, reports: Mapping[str, bytes]) -> bytes:
    """Return the card: for each case its inputs, its top five values, and its accuracy.

    The manifest and the ``reports`` of the cases are JSON. Values and images are here instead of
    in the fixture's card, because they differ between machines.
    """
    manifest = json.loads(text_of_manifest)
    lines = [
        f"# {manifest['name']}: evidence",
        "",
        "Results of the machine that built the fixture. The last digits differ between processors, "
        "so nothing here is part of the fixture's digest.",
    ]
    for case, data in reports.items():
        report = json.loads(data)
        lines += ["", f"## {text(case)}", ""]
        lines += _pictures(case, manifest["tensors"][case])
        lines += [
            "| | class | value |",
            "|---|---|---|",
            *(
                f"| {place} | {each['index']} {text(each['label'])} | {each['value']:.6g} |"
                for place, each in enumerate(report["top"], 1)
            ),
            "",
            f"Expected: {text(report['expected']) or 'nothing declared'}. {_outputs(report)} "
            f"{text(report['golden']['executor'])} {text(report['golden']['version'])}:",
            "",
            *(
                _agreement(name, each, report["golden"])
                for name, each in report["golden"]["outputs"].items()
            ),
            *(
                ["", f"The config allows more: {text(reason)}"]
                if (reason := report["golden"]["tolerance"]["reason"])
                else []
            ),
            "",
            f"`report.json`: sha256 `{Digest.of_bytes(data).sha256}`; it has the digests of all "
            "other files of the case.",
        ]
    machine = json.loads(next(iter(reports.values())))["machine"]
    lines += ["", "## The machine", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {text(value)} |" for name, value in machine.items()]
    return ("\n".join(lines) + "\n").encode()


def _outputs(report: Mapping[str, Any]) -> str:
    if report.get("printed", False):
        return "The outputs of a native inference agree with"
    both = _OF_BOTH * report.get("component_equal", False)
    return f"The outputs{both} equal those of a native inference byte for byte, and agree with"


def _agreement(name: str, found: Mapping[str, Any], golden: Mapping[str, Any]) -> str:
    if not found["bound"]:
        tied = f", but for {found['ties']} that tie within the noise floor" if found["ties"] else ""
        return f"- {text(name)}: whole numbers, equal{tied}"
    line = (
        f"- {text(name)} within {found['distance']:.2g} of {found['bound']:.2g}, a margin of "
        f"{found['margin']:.2g}; the noise floor is {found['floor']:.2g}, the factor "
        f"{golden['factor']:g}"
    )
    if found["kernels"] is None:
        return line
    return f"{line}; the int8 kernels of this processor lose {found['kernels']:.3g}"


def _pictures(case: str, tensors: Mapping[str, Mapping[str, Any]]) -> list[str]:
    rows = [
        f"| {text(given)} | ![{text(tensor['image'])}]({case}/input{place}.source.png) | "
        f"![{text(tensor['file'])}]({case}/input{place}.tensor.png) |"
        for place, (given, tensor) in enumerate(tensors.items())
        if "image" in tensor
    ]
    return ["| input | image | tensor contents |", "|---|---|---|", *rows, ""] * bool(rows)

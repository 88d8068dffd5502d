"""Format validations as text, JSON, GitHub annotations and JUnit XML."""

from __future__ import annotations

import os
from collections.abc import Sequence
from xml.etree import ElementTree

import msgspec

from pipeline.publish.validation.finding import Finding, Validation, cleaned


def as_text(validations: Sequence[Validation]) -> str:
    """Return a line for each folder, and one block for each finding."""
    lines = []
    for each in map(cleaned, validations):
        by = f" by {each.trusted_by}" if each.trusted_by else ""
        count = f", {len(each.findings)} findings" if len(each.findings) > 1 else ""
        lines.append(f"{each.folder}: {each.verdict}{by}{count}")
        if each.root and not each.findings:
            lines.append(f"  {each.root}")
        for finding in each.findings:
            at = f":{finding.line}" if finding.line else ""
            lines.append(f"  {finding.kind}: {finding.message}")
            lines.append(f"    where:    {finding.file}{at and f' (manifest.json{at})'}")
            lines += [
                f"    {word + ':':<9} {text}"
                for word, text in (
                    ("expected", finding.expected),
                    ("found", finding.found),
                    ("hint", finding.hint),
                )
                if text
            ]
    return "\n".join(lines) + "\n"


def as_json(validations: Sequence[Validation]) -> str:
    """Return a JSON list with an object for each folder."""
    clean = [cleaned(each) for each in validations]
    return msgspec.json.format(msgspec.json.encode(clean, enc_hook=str), indent=2).decode()


def as_annotations(validations: Sequence[Validation]) -> str:
    """Return GitHub annotations: a workflow command for each finding."""
    return "".join(
        f"::error file={_property(_file(each, finding))}"
        f"{f',line={finding.line}' if finding.line else ''}"
        f",title={_property(finding.kind)}::{_data(_sentence(finding))}\n"
        for each in map(cleaned, validations)
        for finding in each.findings
    )


def as_junit(validations: Sequence[Validation]) -> str:
    """Return JUnit XML: a suite for each folder, a failing case for each finding."""
    root = ElementTree.Element("testsuites", name="wasi-nn validate")
    for each in map(cleaned, validations):
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=str(each.folder),
            tests=str(max(1, len(each.findings))),
            failures=str(len(each.findings)),
        )
        if not each.findings:
            ElementTree.SubElement(suite, "testcase", classname=each.name, name=str(each.verdict))
        for finding in each.findings:
            case = ElementTree.SubElement(
                suite, "testcase", classname=each.name, name=f"{finding.kind} {finding.file}"
            )
            failure = ElementTree.SubElement(
                case, "failure", type=finding.kind, message=finding.message
            )
            failure.text = _sentence(finding)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _file(validation: Validation, finding: Finding) -> str:
    # A line number refers to the manifest.
    name = "manifest.json" if finding.line else finding.file
    return os.path.relpath(validation.folder / name)


def _sentence(finding: Finding) -> str:
    parts = [f"{finding.file}: {finding.message}"]
    parts += [f"Expected {finding.expected}."] if finding.expected else []
    parts += [f"Found {finding.found}."] if finding.found else []
    return " ".join([*parts, finding.hint]).strip()


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")

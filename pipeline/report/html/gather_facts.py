"""A fixture's facts, from its config and whatever of its files is there and can be read."""

from __future__ import annotations

from pathlib import Path
from stat import S_ISREG
from typing import Annotated, Any, TypeVar

import msgspec

from pipeline.cache.json_decoding import decode_json
from pipeline.model.convert.request import Interface
from pipeline.report.html import facts
from pipeline.report.html.drawings import CaseDrawings as DrawnCase
from pipeline.report.html.drawings import Drawings
from pipeline.report.html.subject import GuestSubject, Subject
from pipeline.verify.accuracy import AccuracyReport as AccuracyReport
from pipeline.verify.evidence import Evidence

T = TypeVar("T")
_MOST_BYTES = 16 << 20


class _File(msgspec.Struct, frozen=True):
    path: str
    size: Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]
    sha256: str


class _Source(msgspec.Struct, frozen=True):
    sha256: str = ""


class _Manifest(msgspec.Struct, frozen=True):
    files: list[_File] = []
    sources: dict[str, _Source] = {}
    tools: dict[str, str] = {}
    run: dict[str, str] = {}


def gather(subject: Subject, drawn: Drawings | None) -> facts.FixtureFacts:
    """Return a fixture's facts; what is missing or damaged is said, and stops nothing."""
    manifest = _read(subject.manifest, _Manifest)
    kept = manifest or _Manifest()
    cases = tuple(_case(subject, case, drawn) for case in subject.tensors)
    return facts.FixtureFacts(
        name=subject.name,
        description=subject.config.description,
        state=_state(subject, manifest is not None),
        problems=(
            *((step, f"failed last time: {message}") for step, message in subject.failed.items()),
            *subject.blocked.items(),
        ),
        cases=cases,
        model=_model(subject, drawn),
        guest=subject.config.guest.program,
        guest_load=subject.config.guest.load,
        sources=tuple(_source(subject, label, kept) for label in sorted(subject.sources)),
        files=_files(kept),
        commands=tuple(kept.run.items()),
        tools=tuple(kept.tools.items()),
        accuracies=tuple(_accuracies(subject)),
    )


def gather_guest(subject: GuestSubject) -> facts.GuestFacts:
    """Return a guest's facts."""
    modules: dict[str, list[str]] = {}
    for name in _read(subject.imports, list[str]) or []:
        module, _, function = name.partition(".")
        modules.setdefault(module, []).append(function)
    return facts.GuestFacts(
        name=subject.name,
        language=subject.language,
        description=subject.description,
        size=_size(subject.wasm),
        imports=tuple((module, tuple(names)) for module, names in modules.items()),
        used_by=subject.used_by,
    )


def _state(subject: Subject, whole: bool) -> facts.State:
    if subject.failed:
        return facts.State.FAILED
    if whole and subject.complete:
        return facts.State.VERIFIED
    if subject.blocked:
        return facts.State.BLOCKED
    if whole:
        return facts.State.STALE
    made = [subject.xml, *(path for case in subject.tensors.values() for path in case.values())]
    if any(path.exists() for path in made):
        return facts.State.UNFINISHED
    return facts.State.ABSENT


def _case(subject: Subject, case: str, drawn: Drawings | None) -> facts.CaseFacts:
    step = subject.verify_steps[case]
    shown = (drawn.cases.get(case) if drawn else None) or DrawnCase()
    evidence = _read(subject.evidence[case], Evidence) if step in subject.current else None
    problem = ""
    if evidence is None:
        failed = subject.failed.get(step)
        problem = f"failed last time: {failed}" if failed else subject.blocked.get(step, "")
        if not problem and step in subject.current:
            problem = "The evidence of this case is missing or damaged."
        problem = problem or "This case has not been verified as it is now declared."
    return facts.CaseFacts(
        name=case,
        inputs=shown.inputs,
        outputs=shown.outputs if evidence else (),
        files={name: path.name for name, path in subject.tensors[case].items()},
        checks=_checks(subject, case, evidence) if evidence else None,
        problem=problem,
        failed=step in subject.failed,
        failure=subject.failures.get(case) if step in subject.failed else None,
    )


def _checks(subject: Subject, case: str, evidence: Evidence) -> facts.Checks:
    expect = subject.config.expect.get(case)
    golden = evidence.golden
    largest = max((abs(each.value) for each in evidence.top), default=0.0)
    return facts.Checks(
        native_equal=evidence.native_equal,
        printed=evidence.printed,
        component_equal=evidence.component_equal,
        executor=golden.executor,
        version=golden.version,
        factor=golden.factor,
        ulps=golden.ulps,
        reason=golden.tolerance.reason,
        distances=tuple(
            facts.Distance(
                output=name,
                agrees=each.agrees,
                distance=each.distance,
                floor=each.floor,
                bound=each.bound,
                margin=each.margin,
                cosine=each.cosine,
                ties=each.ties,
                kernels=each.kernels,
                note=each.note,
            )
            for name, each in golden.outputs.items()
        ),
        expected=evidence.expected,
        expected_value=expect.value if expect else None,
        within=expect.within if expect else None,
        top=tuple(
            facts.Bar(
                index=str(list(each.place)) if each.place else each.index,
                label=each.label,
                value=each.value,
                share=max(0.0, each.value / largest) if largest else 0.0,
            )
            for each in evidence.top
        ),
        seconds=evidence.seconds,
        processor=evidence.machine.processor,
        system=evidence.machine.system,
    )


def _model(subject: Subject, drawn: Drawings | None) -> facts.ModelFacts:
    model = subject.config.model
    interface = _read(subject.interface, Interface)
    before = [_size(subject.sources[name]) for name in model.files.values()]
    after = [_size(subject.xml), _size(subject.weights)]
    statistics = drawn.statistics if drawn else None
    return facts.ModelFacts(
        framework=model.framework,
        precision=model.precision,
        inputs=_ports(interface.inputs) if interface else (),
        outputs=_ports(interface.outputs) if interface else (),
        before=_sum(before),
        after=_sum(after),
        layers=statistics.layers if statistics else None,
        kinds=tuple(statistics.kinds.items()) if statistics else (),
        parameters=tuple(statistics.parameters.items()) if statistics else (),
        unread=drawn.unread if drawn else "",
    )


def _ports(ports: tuple[Any, ...]) -> tuple[facts.PortFacts, ...]:
    return tuple(
        facts.PortFacts(name=port.name, type=port.type, shape=" × ".join(map(str, port.shape)))
        for port in ports
    )


def _source(subject: Subject, label: str, manifest: _Manifest) -> facts.SourceFacts:
    source = subject.config.source[label]
    found = manifest.sources.get(label)
    return facts.SourceFacts(
        name=label,
        license=source.license,
        url=source.urls[0],
        homepage=source.homepage,
        size=_size(subject.sources[label]) or source.size,
        sha256=(found.sha256 if found else "") or source.sha256 or "",
    )


def _files(manifest: _Manifest) -> tuple[facts.File, ...]:
    same: dict[tuple[str, int], list[str]] = {}
    for file in manifest.files:
        same.setdefault((file.sha256, file.size), []).append(file.path)
    return tuple(
        facts.File(names=tuple(names), size=size, sha256=sha256)
        for (sha256, size), names in same.items()
    )


def _accuracies(subject: Subject) -> list[facts.AccuracyFacts]:
    found = []
    for name, path in subject.accuracy.items():
        report = _read(path, AccuracyReport)
        if report is not None:
            found.append(
                facts.AccuracyFacts(
                    dataset=name,
                    pictures=report.pictures,
                    skipped=report.skipped,
                    top1=report.accuracy.guest.top1,
                    top5=report.accuracy.guest.top5,
                )
            )
    return found


def _read(path: Path, kind: type[T]) -> T | None:
    """Return what a JSON file holds, or None where it is missing, damaged or far too large."""
    try:
        about = path.stat()
        # Who opens a pipe waits for another end that may never come.
        if not S_ISREG(about.st_mode) or about.st_size > _MOST_BYTES:
            return None
        return decode_json(path.read_bytes(), kind)
    except (OSError, msgspec.MsgspecError):
        return None


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _sum(sizes: list[int | None]) -> int | None:
    known = [size for size in sizes if size is not None]
    return sum(known) if sizes and len(known) == len(sizes) else None

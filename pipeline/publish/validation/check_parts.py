"""Check the parts of a fixture against its manifest: IR, tensors, guest, sources."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.guest.component.component_imports import component_imports
from pipeline.guest.imports import imports_of
from pipeline.model.ir.canonical_digest import canonical_digest
from pipeline.model.ir.canonical_xml import weights_size
from pipeline.publish.release.manifest_tables import Manifest
from pipeline.publish.validation.finding import Finding
from pipeline.publish.validation.read_manifest import MANIFEST
from pipeline.tensor.inspect_tensor import inspect_tensor
from pipeline.tensor.spec import parse_file_name
from pipeline.verify.descriptor import output_files, output_spec

_MOST_XML = 256 << 20
_MOST_WASM = 256 << 20


def ir(folder: Path, manifest: Manifest) -> Iterator[Finding]:
    """Yield whether xml and bin do not match, or are another network."""
    xml, weights = (folder / f"{manifest.stem}.{end}" for end in ("xml", "bin"))
    if not (xml.is_file() and weights.is_file()):
        return
    if xml.stat().st_size > _MOST_XML:
        yield Finding(kind="ir", message="The xml is too large.", file=xml.name)
        return
    text = xml.read_bytes()
    try:
        expected, size = weights_size(text), weights.stat().st_size
        if expected != size:
            yield Finding(
                kind="pair",
                message="The xml and the bin do not match.",
                file=xml.name,
                expected=f"{expected} bytes of weights, by the xml",
                found=f"{size} bytes",
            )
            return
        digest = canonical_digest(text, weights)
    except ValueError as error:
        yield Finding(
            kind="ir",
            message="The xml is not an IR.",
            file=xml.name,
            found=str(error)[:200],
        )
        return
    if digest != manifest.model.canonical_digest:
        yield Finding(
            kind="network",
            message="The IR's network does not match the manifest.",
            file=xml.name,
            expected=f"canonical digest {manifest.model.canonical_digest}",
            found=digest,
        )


def tensors(folder: Path, manifest: Manifest) -> Iterator[Finding]:
    """Yield tensors whose bytes, name and entry disagree, or that look like another layout."""
    seen = set()
    for inputs in manifest.tensors.values():
        for tensor in inputs.values():
            path = folder / tensor.file
            if tensor.file in seen or not path.is_file():
                continue
            seen.add(tensor.file)
            try:
                _, _, spec = parse_file_name(tensor.file)
                if (spec.dims, spec.type) != (tensor.dims, tensor.type):
                    yield Finding(
                        kind="tensor",
                        message="The tensor's name does not match the manifest's shape or type.",
                        file=tensor.file,
                        expected=f"{'x'.join(map(str, tensor.dims))} {tensor.type}",
                        found=f"{'x'.join(map(str, spec.dims))} {spec.type}",
                    )
                    continue
                info = inspect_tensor(path)
            except PipelineError as error:
                yield Finding.of("tensor", tensor.file, error)
                continue
            if "warning" in info:
                yield Finding(
                    kind="layout",
                    message=str(info["warning"]),
                    file=tensor.file,
                    hint="`wasi-nn preview` renders the tensor.",
                )
            if info["not finite"]:
                yield Finding(
                    kind="tensor",
                    message="The tensor has values that are not finite.",
                    file=tensor.file,
                    found=f"{info['not finite']} of NaN or infinity",
                )


def guest(folder: Path, manifest: Manifest) -> Iterator[Finding]:
    """Yield undeclared imports of the guest and its component, and declared ones they lack."""
    declared = manifest.guest
    yield from _imports(folder / f"{declared.program}.wasm", declared.imports, imports_of)
    if declared.component:
        component = declared.component
        yield from _imports(folder / component.file, component.imports, component_imports)


def _imports(
    path: Path, declared: Iterable[str], found_in: Callable[[bytes, str], Iterable[str]]
) -> Iterator[Finding]:
    if not path.is_file():
        return
    if path.stat().st_size > _MOST_WASM:
        yield Finding(kind="guest", message="The guest is too large.", file=path.name)
        return
    try:
        imports = set(found_in(path.read_bytes(), path.name))
    except PipelineError as error:
        yield Finding.of("guest", path.name, error)
        return
    if imports != set(declared):
        yield Finding(
            kind="imports",
            message="The guest's imports do not match the manifest.",
            file=path.name,
            expected=_some(set(declared) - imports) or "only declared imports",
            found=_some(imports - set(declared)) or "none of these",
        )


def sources(manifest: Manifest) -> Iterator[Finding]:
    """Yield sources without a URL or a licence."""
    for name, source in sorted(manifest.sources.items()):
        for what, there in (("licence", source.license), ("URL", source.urls)):
            if not there:
                yield Finding(
                    kind="source",
                    message=f"Source {name} has no {what}.",
                    file=MANIFEST,
                )


def outputs(manifest: Manifest) -> Iterator[Finding]:
    """Yield cases whose output tensors do not match the IR's outputs."""
    if manifest.manifest_version < 3:
        return
    for case in sorted({*manifest.tensors, *manifest.outputs}):
        interface = manifest.model.interface.of_case(case)
        declared = [
            (each.name, each.file, each.dims, each.type) for each in manifest.outputs.get(case, ())
        ]
        try:
            expected = [
                (port.name, file, port.shape, output_spec(port).type)
                for port, file in zip(interface.outputs, output_files(interface, case), strict=True)
            ]
        except PipelineError as error:
            yield Finding.of("outputs", MANIFEST, error)
            return
        if declared != expected or case not in manifest.tensors:
            yield Finding(
                kind="outputs",
                message=f"The outputs of case {case} do not match the model's interface.",
                file=MANIFEST,
                expected=", ".join(file for _, file, _, _ in expected),
                found=", ".join(file for _, file, _, _ in declared) or "none",
            )


def steps(manifest: Manifest) -> Iterator[Finding]:
    """Yield files that no step made, or that are not declared."""
    if manifest.manifest_version < 3:
        return
    made = {name for step in manifest.steps.values() for name in step.files}
    for name in sorted(made ^ {file.path for file in manifest.files}):
        yield Finding(
            kind="step",
            message="The files do not match the outputs of the steps.",
            file=MANIFEST,
            expected="each declared file made by a step",
            found=name,
        )


def _some(names: set[str]) -> str:
    return ", ".join(sorted(names)[:10]).encode("unicode_escape").decode()[:400]

"""Read an untrusted manifest.json, of this version or an older one."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from pipeline.cache.json_decoding import decode_json
from pipeline.errors import Code, PipelineError, printable
from pipeline.publish.release.manifest_tables import READ_VERSIONS, SINCE_3, Manifest
from pipeline.publish.release.release import check_name, check_path

MANIFEST = "manifest.json"
_MOST_BYTES = 16 << 20
# Of ours, 6; Python's own reader and writer of JSON give up at some hundreds.
_DEEPEST = 64
_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[{]|[\]}]', re.DOTALL)


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of a folder; raises PipelineError (VERIFY) if it is invalid."""
    path = folder / MANIFEST
    try:
        if path.is_symlink() or not path.is_file():
            raise _no_manifest(path, "no such file" if not path.is_symlink() else "a link")
        with path.open("rb") as stream:
            data = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        raise _no_manifest(path, error.strerror or str(error)) from None
    if len(data) > _MOST_BYTES:
        raise _no_manifest(path, f"more than {_MOST_BYTES} bytes")
    try:
        if _nesting(data) > _DEEPEST:
            raise _no_manifest(path, f"more than {_DEEPEST} levels of nesting")
        version = decode_json(data, _VersionField).manifest_version
        if version not in READ_VERSIONS:
            raise _no_manifest(
                path,
                f"manifest_version {version}",
                f"one of {READ_VERSIONS}; later ones need a newer wasi-nn",
            )
        manifest = decode_json(data, Manifest)
        missing = [key for key in SINCE_3 if version >= 3 and not getattr(manifest, key)]
        if missing:
            raise _no_manifest(path, f"no {missing[0]}", f"the keys of manifest_version {version}")
        for case in manifest.tensors:
            manifest.expected(case)
        check_name(manifest.name)
        for name in (*_names(manifest),):
            check_path(name, str(path))
    except msgspec.DecodeError as error:
        raise _no_manifest(path, printable(str(error)[:200])) from None
    except PipelineError as error:
        if error.code is Code.VERIFY:
            raise
        raise _no_manifest(path, error.found, error.expected) from None
    return manifest


def _nesting(data: bytes) -> int:
    """Return how deep the arrays and objects of a JSON text are nested."""
    depth = deepest = 0
    for found in _BRACKETS.finditer(data):
        mark = data[found.start()]
        depth += (mark in b"[{") - (mark in b"]}")
        deepest = max(deepest, depth)
    return deepest


class _VersionField(msgspec.Struct):
    manifest_version: int


def _names(manifest: Manifest) -> list[str]:
    return [
        *(file.path for file in manifest.files),
        *(tensor.file for inputs in manifest.tensors.values() for tensor in inputs.values()),
        *(output.file for outputs in manifest.outputs.values() for output in outputs),
        *(case for case in (*manifest.tensors, *manifest.outputs)),
        f"{manifest.stem}.xml",
        f"{manifest.guest.program}.wasm",
        *([manifest.guest.component.file] if manifest.guest.component else []),
    ]


def _no_manifest(path: Path, found: str, expected: str = "") -> PipelineError:
    return PipelineError(
        Code.VERIFY,
        "Invalid manifest.",
        where=str(path),
        expected=expected or f"manifest.json as written by `doit`, below {_MOST_BYTES} bytes",
        found=found,
    )

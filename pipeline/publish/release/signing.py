"""Sign releases, and verify signatures, with OpenSSF's model-signing.

The signature is a Sigstore bundle with an in-toto statement that has the digest of each file. Its
subject is `NAME@VERSION`, so that no release passes for another one of the same key. Keys use the
elliptic curve P-256, P-384 or P-521, in PEM, as made by `openssl ecparam`.
"""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from stat import S_ISREG
from typing import Any

from msgspec import structs

from pipeline.cache.digest import Digest
from pipeline.errors import Code, PipelineError, printable
from pipeline.publish.release.release import (
    DATASETS,
    EVIDENCE,
    SIGNATURE,
    SUMS,
    Release,
    ReleasedFile,
)
from pipeline.publish.release.release_index import RELEASE
from pipeline.scratch import part_beside

PASSWORD = "WASI_NN_SIGN_PASSWORD"  # noqa: S105 - the name of the variable
_MOST_BYTES = 16 << 20
_MOST_KEY_BYTES = 1 << 16
_BUNDLE_KEYS = {"mediaType", "verificationMaterial", "dsseEnvelope"}
_ENVELOPE_KEYS = {"payload", "payloadType", "signatures"}
# Not covered by the signature: derived files, and files beside the fixture. It lists these itself.
_APART = (SIGNATURE, SUMS, RELEASE, EVIDENCE, DATASETS)


@contextmanager
def signed(release: Release, folder: Path, key: Path | None) -> Iterator[tuple[Release, Path]]:
    """Yield the release and its folder; with ``key``, both including a signature.

    The folder is not changed: the signature is in a temporary folder with links to the files. The
    key's password is read from the environment. Raises PipelineError (USAGE, STORAGE).
    """
    if key is None:
        yield release, folder
        return
    # Beside the folder, so that its files can be linked.
    with part_beside(folder.resolve().with_name("signing")) as part:
        # The library signs the folder's name as the subject.
        target = part / _subject(release.name, release.version)
        for file in structs.replace(release, signature=()).all_files:
            path = target / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            _link(folder / file.path, path)
        _sign(target, key)
        digest = Digest.of_file(target / SIGNATURE)
        file = ReleasedFile(SIGNATURE, digest.size, digest.sha256)
        yield structs.replace(release, signature=(file,)), target


def check_signature(
    folder: Path, key: Path, signature: Path | None = None, *, name: str, version: str = ""
) -> str:
    """Return '' if ``key`` signed the folder's files as this release, else the reason.

    ``key`` is the public key, ``signature`` a file (default: that of the folder), ``name`` the
    fixture's; without a ``version`` it may be any. Raises PipelineError (USAGE) if the key is
    invalid.
    """
    verifier = _verifier(key)
    path = signature or folder / SIGNATURE
    try:
        if path.is_symlink() or path.stat().st_size > _MOST_BYTES:
            return f"{path.name} is a link, or too large"
    except OSError as error:
        return f"{path.name}: {error.strerror}"
    try:
        # The library prints warnings about older signatures.
        with redirect_stdout(StringIO()):
            verifier.verify(folder, path)
    # The library's exception depends on the untrusted file.
    except Exception as error:
        reason = printable(" ".join(str(error).split())[:300])
        return reason or "not signed with this key"
    try:
        signed_as = _signed_subject(path.read_bytes())
    except (OSError, ValueError, LookupError, TypeError):
        return f"{path.name} is not written as by model-signing"
    if signed_as != _subject(name, version or signed_as.partition("@")[2]):
        return f"the key signed these files as {printable(signed_as[:200])}"
    return ""


def _subject(name: str, version: str) -> str:
    return f"{name}@{version}"


def _signed_subject(bundle: bytes) -> str:
    """Return the subject of a bundle whose signature was verified; raises ValueError, TypeError.

    The bundle may have just the keys that the library writes: of two spellings of one key, it
    might have verified the other one.
    """
    outer = json.loads(bundle, object_pairs_hook=_unique)
    envelope = outer["dsseEnvelope"]
    if outer.keys() != _BUNDLE_KEYS or envelope.keys() != _ENVELOPE_KEYS:
        raise ValueError("other keys")
    payload = json.loads(base64.b64decode(envelope["payload"], validate=True))
    (subject,) = payload["subject"]
    return str(subject["name"])


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a key twice")
    return dict(pairs)


def check_public(key: Path) -> None:
    """Raise PipelineError (USAGE) unless the key can verify signatures."""
    _verifier(key)


def check_private(key: Path) -> None:
    """Raise PipelineError (USAGE) unless the key can sign."""
    _signer(key)


def _sign(folder: Path, key: Path) -> None:
    hashing = _library("hashing").Config()
    hashing.set_ignored_paths(paths=_APART, ignore_git_paths=False)
    _signer(key).set_hashing_config(hashing).sign(folder, folder / SIGNATURE)


def _signer(key: Path) -> Any:
    expected = f"a private key in PEM, its password in {PASSWORD}"
    _check_file(key, expected)
    config = _library("signing").Config()
    password = os.environ.get(PASSWORD)
    try:
        return config.use_elliptic_key_signer(
            private_key=key, password=password.encode() if password else None
        )
    except (OSError, ValueError, TypeError, AttributeError) as error:
        # Never show the error's message, which may contain parts of the key.
        reason = error.strerror if isinstance(error, OSError) else None
        found = reason or "not a private key, or incorrect password"
        raise _no_key(key, expected, found) from None


def _verifier(key: Path) -> Any:
    expected = "a public key in PEM"
    data = _check_file(key, expected)
    config = _library("verifying").Config()
    try:
        return config.use_elliptic_key_verifier(public_key=key)
    # The library's exception depends on the file.
    except Exception:
        private = b"PRIVATE KEY-----" in data
        found = "a private key" if private else "not a public key of these curves"
        raise _no_key(key, expected, found) from None


def _check_file(key: Path, expected: str) -> bytes:
    """Return the bytes of a key file; raises PipelineError unless it is a small regular file."""
    try:
        about = key.stat()
        if not S_ISREG(about.st_mode):
            raise _no_key(key, expected, "a folder" if key.is_dir() else "not a regular file")
        if about.st_size > _MOST_KEY_BYTES:
            raise _no_key(key, expected, f"{about.st_size} bytes")
        return key.read_bytes()
    except OSError as error:
        raise _no_key(key, expected, error.strerror or str(error)) from None


def _library(room: str) -> Any:
    if importlib.util.find_spec("model_signing") is None:
        raise PipelineError(
            Code.USAGE,
            "The package for signatures is not installed.",
            where="model-signing",
            hint="pip install 'wasi-nn-pipeline[sign]'",
        )
    return importlib.import_module(f"model_signing.{room}")


def _no_key(key: Path, expected: str, found: str) -> PipelineError:
    return PipelineError(
        Code.USAGE,
        "Invalid key.",
        where=str(key),
        expected=f"{expected}, of the curve P-256, P-384 or P-521",
        found=found,
        hint="openssl ecparam -name prime256v1 -genkey -noout -out key.pem; "
        "openssl ec -in key.pem -pubout -out key.pub",
    )


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)

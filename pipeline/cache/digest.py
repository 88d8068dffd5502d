"""SHA-256 digests of bytes, files and JSON values."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Digest:
    """The SHA-256 and the number of bytes.

    >>> Digest.of_bytes(b"").sha256[:8]
    'e3b0c442'
    """

    sha256: str
    size: int

    def __post_init__(self) -> None:
        if not _HEX.fullmatch(self.sha256) or self.size < 0:
            raise ValueError(f"not a digest: {self.sha256!r}, {self.size} bytes")

    @classmethod
    def of_bytes(cls, data: bytes) -> Digest:
        """Return the digest of ``data``."""
        return cls(hashlib.sha256(data).hexdigest(), len(data))

    @classmethod
    def of_file(cls, path: Path) -> Digest:
        """Return the digest of a file; raises OSError."""
        with path.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
            return cls(sha256, stream.tell())


def canonical_json(value: object) -> bytes:
    """Return the canonical JSON of a value: sorted keys, no spaces, UTF-8, no NaN.

    >>> canonical_json({"b": 1, "a": [True, None]})
    b'{"a":[true,null],"b":1}'
    """
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode()


def key_of(parts: Mapping[str, object]) -> str:
    """Return the SHA-256 of a mapping's canonical JSON, as 64 hex digits."""
    return Digest.of_bytes(canonical_json(parts)).sha256

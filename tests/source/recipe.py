"""The recipe as the engine calls it, and what it said."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.execution.action import Job
from pipeline.source.fetch_source import fetch_source
from tests.source.site import HASTY


@dataclass
class Fetch:
    """A folder of downloads, a target, and settings that a test may change."""

    folder: Path
    offline: bool = False
    said: list[str] = field(default_factory=list)

    @property
    def target(self) -> Path:
        return self.folder / "out" / "file.bin"

    @property
    def downloads(self) -> Path:
        return self.folder / "downloads"

    def __call__(self, *urls: str, of: bytes | None = None, **declared: object) -> bytes:
        """Fetch what is pinned by the digest and size of ``of``, or as declared; return it."""
        parameters: dict[str, object] = {"name": "tiny.weights", "size": None}
        parameters |= {"sha256": None, "sha384": None, "sha1": None}
        if of is not None:
            parameters |= {"sha256": hashlib.sha256(of).hexdigest(), "size": len(of)}
        fetch_source(
            Job(
                inputs={},
                outputs={"file": self.target},
                parameters=parameters | declared,
                scratch=self.folder,
                unkeyed={
                    "urls": urls,
                    "downloads": self.downloads,
                    "offline": self.offline,
                    "root": self.folder,
                    "retry_policy": HASTY,
                },
                progress=lambda text, _=None: self.said.append(text),
            )
        )
        return self.target.read_bytes()

    def fails(self, *urls: str, of: bytes | None = None, **declared: object) -> PipelineError:
        """Fetch, expecting an error and no trace of a file at the target; return the error."""
        with pytest.raises(PipelineError) as caught:
            self(*urls, of=of, **declared)
        assert not self.target.exists()
        assert [path.name for path in self.target.parent.glob("*")] == []
        return caught.value

    def parts(self) -> list[str]:
        """Return the names of what was left half-downloaded."""
        return sorted(path.name for path in self.downloads.glob("*.part*"))

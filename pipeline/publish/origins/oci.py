"""Releases in an OCI registry."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipeline.errors import Code, PipelineError
from pipeline.publish.oci import evidence_tag, parse, parse_evidence
from pipeline.publish.registry import Registry
from pipeline.publish.release import Release, ReleasedFile
from pipeline.source.download import progress
from pipeline.source.downloads import Downloads
from pipeline.source.wanted import Wanted
from pipeline.store.atomic import replace
from pipeline.store.digest import Digest
from pipeline.work.amount import Amount

_ATTEMPTS = 3


class OciOrigin:
    """A registry and a namespace in it."""

    def __init__(self, place: str, downloads: Downloads) -> None:
        self._registry = Registry(place)
        self._downloads = downloads

    def describe(self) -> str:
        """Return the address."""
        return self._registry.describe()

    def versions(self, name: str) -> Mapping[str, object]:
        """Return the tags of a fixture but those of evidence; raises PipelineError."""
        tags = self._registry.tags(name)
        return {tag: None for tag in tags if not tag.endswith(".evidence")}

    def release(self, name: str, version: str) -> Release:
        """Return a version; raises PipelineError."""
        where = f"{self.describe()}/{name}:{version}"
        data = self._registry.manifest(name, version)
        if data is None:
            raise PipelineError(Code.USAGE, "There is no such version.", where=where)
        return parse(data, name, version, where)

    def evidence(self, release: Release) -> tuple[ReleasedFile, ...]:
        """Return the files of the artifact beside the release, none without one."""
        tag = evidence_tag(release)
        data = self._registry.manifest(release.name, tag)
        where = f"{self.describe()}/{release.name}:{tag}"
        return () if data is None else parse_evidence(data, release, where)

    def obtain(self, release: Release, file: ReleasedFile) -> Path:
        """Return the checked blob in the cache; raises PipelineError."""
        digest = Digest(file.sha256, file.size)
        wanted = Wanted(file.size, {"sha256": file.sha256})
        if kept := self._downloads.kept(wanted):
            return kept
        path = self._downloads.folder / wanted.name
        with self._downloads.alone(wanted.name, file.path):
            if kept := self._downloads.kept(wanted):
                return kept
            self._downloads.say(f"downloading {file.path}")
            part = path.with_name(f"{path.name}.oci.part")

            def tell(done: int) -> None:
                amount = Amount(done, file.size, of=file.path)
                self._downloads.say(progress(done, file.size), amount)

            for attempt in range(_ATTEMPTS):
                try:
                    self._registry.get_blob(release.name, digest, part, tell)
                    wanted.check(part, f"{self.describe()}/{release.name}: {file.path}")
                    break
                except PipelineError as error:
                    # What is there of another attempt may be what is wrong.
                    if error.code is Code.SOURCE_MISMATCH:
                        part.unlink(missing_ok=True)
                    if attempt == _ATTEMPTS - 1:
                        raise
            replace(part, path)
        return path

"""The paths of a project."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from pipeline.cache.owned_folder import INNER_MARKER, claim
from pipeline.config.load_project import Configs
from pipeline.config.model_tables import Model
from pipeline.config.schema import Source
from pipeline.errors import Code, PipelineError
from pipeline.toolchain.environment import TOOLCHAINS, Environment, environment_folder
from pipeline.toolchain.toolchain_lock import lock_file
from pipeline.verify.evidence import REPORT

# What lies beside the fixtures.
_OURS = (".cache", "README.md", "lock.json")


class Layout:
    """Every path that a step of these configs reads or writes."""

    def __init__(self, configs: Configs) -> None:
        self.configs = configs
        self.root = configs.root
        self.artifacts = configs.root / "artifacts"
        self.cache = configs.root / configs.project.cache
        # Not in the cache, which projects may share: these are targets of this project alone.
        self.local = self.artifacts / ".steps"
        self.toolchains = configs.root / configs.project.toolchains
        self.offline = configs.project.offline

    def display(self, path: Path) -> str:
        """Return a path from the project's folder on, or as it is if it is outside."""
        inside = path.is_relative_to(self.root)
        return (path.relative_to(self.root) if inside else path).as_posix()

    def claim_artifacts(self) -> None:
        """Make the folder of outputs ours; raises PipelineError (STORAGE) if it is not.

        It may be a link, but not to a folder with somebody's files.
        """
        try:
            claim(self.artifacts, known=_OURS, within=self.root, marker=INNER_MARKER)
        except OSError as error:
            raise PipelineError(
                Code.STORAGE,
                "The folder of outputs cannot be used.",
                where=str(error.filename or self.artifacts),
                found=error.strerror or str(error),
                hint="artifacts/ may lead out of the project only to an empty folder.",
            ) from None

    def source(self, fixture: str, name: str, source: Source) -> Path:
        """Return where a fetched file lies; its suffix is that of its first address."""
        first = source.urls[0]
        path = first.partition("#")[2] or urlsplit(first).path
        return self.local / fixture / "sources" / (name + PurePosixPath(path).suffix)

    def ir(self, fixture: str, model: Model) -> Mapping[str, Path]:
        """Return where a fixture's IR is published: its ``xml`` and ``bin``."""
        stem = model.stem or fixture
        return {end: self.artifacts / fixture / f"{stem}.{end}" for end in ("xml", "bin")}

    def evidence(self, fixture: str, case: str) -> Path:
        """Return where the report of a verified case is published."""
        return self.artifacts / fixture / "evidence" / case / REPORT

    def lock(self, toolchain: str) -> Path:
        """Return the requirements file of a toolchain."""
        return lock_file(self.root, toolchain)

    def environment(self, toolchain: str) -> Environment:
        """Return a toolchain's locked environment."""
        lock = self.lock(toolchain)
        return Environment(
            toolchain=toolchain,
            lock=lock,
            folder=environment_folder(TOOLCHAINS[toolchain], lock, self.toolchains),
            offline=self.offline,
        )

    def stamp(self, toolchain: str) -> Path:
        """Return the file that states which environment a toolchain runs in."""
        return self.step("toolchains", f"{toolchain}.json")

    def step(self, fixture: str, name: str) -> Path:
        """Return the path of a file that other steps read, and that is not published."""
        return self.local / fixture / name

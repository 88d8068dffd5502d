"""Wheels, sdists and index pages made on the spot."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.source.site import Site, plainly, resumable, sha256

JSON = "application/vnd.pypi.simple.v1+json"


def wheel(members: Mapping[str, bytes]) -> bytes:
    """Return a zip of these members."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def sdist(members: Mapping[str, bytes | tarfile.TarInfo]) -> bytes:
    """Return a tar.gz of these members; a TarInfo stands for a link or a device."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in members.items():
            if isinstance(data, tarfile.TarInfo):
                data.name = name
                archive.addfile(data)
            else:
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return gzip.compress(out.getvalue(), mtime=0)


@dataclass(frozen=True)
class Listed:
    """A file as an index lists it."""

    name: str
    data: bytes
    sha256: str | None = None
    url: str | None = None
    yanked: str | None = None


def publish(site: Site, project: str, files: Sequence[Listed], *, form: str = "html") -> str:
    """Serve the files and the project's page, and return the index's address."""
    for each in files:
        site.put(f"/files/{each.name}", resumable(each.data))
    page, kind = (_html(files), "text/html") if form == "html" else (_json(project, files), JSON)
    site.put(f"/simple/{project}/", plainly(page, {"Content-Type": kind}))
    return f"{site.address}/simple"


def _html(files: Sequence[Listed]) -> bytes:
    lines = []
    for each in files:
        digest = sha256(each.data) if each.sha256 is None else each.sha256
        url = (each.url or f"../../files/{each.name}") + (digest and f"#sha256={digest}")
        yanked = "" if each.yanked is None else f' data-yanked="{each.yanked}"'
        lines.append(f'<a href="{url}"{yanked}>{each.name}</a><br>')
    return ("<!DOCTYPE html><html><body>" + "".join(lines) + "</body></html>").encode()


def _json(project: str, files: Sequence[Listed]) -> bytes:
    listed = [
        {
            "filename": each.name,
            "url": each.url or f"../../files/{each.name}",
            "hashes": {"sha256": each.sha256 or sha256(each.data)},
            "size": len(each.data),
            "yanked": each.yanked or False,
        }
        for each in files
    ]
    page = {"meta": {"api-version": "1.1"}, "name": project, "files": listed, "versions": ["1.0"]}
    return json.dumps(page).encode()

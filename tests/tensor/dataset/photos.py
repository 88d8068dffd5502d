"""Small real JPEGs, archives of them that mean well or not, and what a shard is asked for."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pipeline.execution.action import Job
from pipeline.tensor.dataset.pictures import Pictures

TENSOR = {
    "image": "picture",
    "type": "f32",
    "resize": "opencv-linear",
    "colour": "RGB",
    "range": "0-255",
    "layout": "NCHW",
}
DIMS = (1, 3, 8, 8)
TABLE = """
[dataset.photos]
folder = "photos"
bad = "skip"
shards = 2
label_folders = true
classes = "classes"

[dataset.photos.tensor]
resize = "opencv-linear"
colour = "RGB"
range = "0-255"
type = "f32"
layout = "NCHW"
"""
COLOURS = {"red": (240, 20, 30), "green": (10, 230, 30), "blue": (20, 30, 240)}


def jpeg(colour: tuple[int, int, int], seed: int = 0, size: tuple[int, int] = (24, 20)) -> bytes:
    """Return a JPEG of one colour with noise; each seed gives other bytes."""
    import numpy
    from PIL import Image

    noise = numpy.random.default_rng(seed).integers(-10, 10, (size[1], size[0], 3))
    pixels = numpy.clip(noise + numpy.array(colour), 0, 255).astype(numpy.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def photos(count: int) -> dict[str, bytes]:
    """Return that many pictures by name, in a folder for each colour."""
    colours = list(COLOURS.items())
    return {f"{colours[n % 3][0]}/{n:03}.jpg": jpeg(colours[n % 3][1], n) for n in range(count)}


def write_folder(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write files by name below a folder."""
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def write_tar(
    path: Path,
    files: Mapping[str, bytes],
    mode: str = "w:gz",
    more: Callable[[tarfile.TarFile], None] = lambda _: None,
) -> Path:
    """Write a tar of these files, and of what ``more`` adds."""
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload] # any mode
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        more(archive)
    return path


def write_zip(path: Path, files: Mapping[str, bytes]) -> Path:
    """Write a zip of these files."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def job(folder: Path, outputs: tuple[str, ...], **fields: Any) -> Job:
    """Return a job whose outputs lie in ``folder``."""
    scratch = folder / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    paths = {name: folder / name for name in outputs}
    return Job(**{"inputs": {}, "outputs": paths, "scratch": scratch, **fields})


def contents(pictures: Pictures, scratch: Path) -> dict[str, bytes]:
    """Return what each picture's file holds, by name; the fault of one that has none."""
    scratch.mkdir(exist_ok=True)
    return {
        each.name: each.fault.encode() or each.path.read_bytes() for each in pictures.each(scratch)
    }

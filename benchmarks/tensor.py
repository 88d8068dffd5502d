"""What a picture's tensor costs beside Pillow's decode and the named resize alone, as ratios.

Run `python benchmarks/tensor.py`. The pictures are smooth noise of 1, 3 and 12 megapixels as JPEG,
made on the spot. It prints the exact path over its bare cost for a kernel of OpenCV's and one of
Pillow's, how much faster a fast decode is and how close to the exact one, and what two threads gain
over one, beside what two processes do: on a machine that has other work, neither can gain all.
Costs are processor time, of which the least of several runs counts.
"""

from __future__ import annotations

import math
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy
from msgspec import structs
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from pipeline.config.tensor_tables import Tensor
from pipeline.tensor.image import image_tensor

RUNS, ROUNDS = 15, 8
SIDE = 227
DIMS = (1, 3, SIDE, SIDE)
EXACT = Tensor(
    type="f32",
    image="photo",
    colour="BGR",
    layout="NCHW",
    range="0-255",
    resize="opencv-linear",
)
SIZES = {1: (1152, 864), 3: (2048, 1536), 12: (4032, 3024)}


def main() -> None:
    """Print a line for each size."""
    with tempfile.TemporaryDirectory() as folder:
        for megapixels, size in SIZES.items():
            print(f"{megapixels:>2} MP: {measured(photo(Path(folder) / 'photo.jpg', size))}")


def measured(picture: Path) -> str:
    """Return the figures of one picture."""

    def made(how: Tensor) -> Callable[[], Any]:
        return partial(image_tensor, picture, how, DIMS, "")

    exact, smooth = made(EXACT), made(structs.replace(EXACT, resize="pillow-bilinear"))
    fast = made(structs.replace(EXACT, resize="pillow-bilinear", decode="fast"))
    linear, bare = both(exact, lambda: plain(picture))
    bilinear, smoothed = both(smooth, lambda: plain_pillow(picture))
    slow, quick = both(smooth, fast)
    threads, processes = shared(exact)
    return (
        f"exact {linear / bare:.2f} x bare, by Pillow's kernel {bilinear / smoothed:.2f} x; "
        f"fast {slow / quick:.1f} x faster at {psnr(smooth(), fast()):.0f} dB; "
        f"two threads {threads:.2f} x, two processes {processes:.2f} x"
    )


def photo(path: Path, size: tuple[int, int]) -> Path:
    """Write a picture with detail at all scales, as a camera would compress it."""
    source = numpy.random.default_rng(1)
    total = numpy.zeros((size[1], size[0], 3))
    for step in (4, 16, 64, 256):
        shape = (size[1] // step + 1, size[0] // step + 1, 3)
        total += cv2.resize(source.normal(0, step**0.5, shape), size, interpolation=cv2.INTER_CUBIC)
    values = 128 + total * (50 / total.std())
    Image.fromarray(numpy.clip(values, 0, 255).astype(numpy.uint8)).save(path, quality=92)
    return path


def plain(picture: Path) -> object:
    """Decode and resize, and no more."""
    with Image.open(picture) as image:
        pixels = numpy.asarray(image.convert("RGB") if image.mode != "RGB" else image)
    return cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)


def plain_pillow(picture: Path) -> object:
    """Do the same by Pillow alone."""
    with Image.open(picture) as image:
        return numpy.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def both(one: Callable[[], object], other: Callable[[], object]) -> tuple[float, float]:
    """Return the least processor seconds of two calls that take turns."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(RUNS):
        for call, found in zip((one, other), times, strict=True):
            started = time.process_time()
            call()
            found.append(time.process_time() - started)
    return min(times[0]), min(times[1])


def shared(call: Callable[[], object]) -> tuple[float, float]:
    """Return how many times faster two threads are than one, and two processes than one."""
    context = multiprocessing.get_context("spawn")
    gains = []
    for pool in (ThreadPoolExecutor, partial(ProcessPoolExecutor, mp_context=context)):
        one, two = (least(pool(count), call) for count in (1, 2))
        gains.append(one / two)
    return gains[0], gains[1]


def least(pool: Executor, call: Callable[[], object]) -> float:
    """Return the least seconds in which a pool makes a dozen tensors."""
    times = []
    with pool:
        for _ in range(1 + ROUNDS):
            started = time.perf_counter()
            for future in [pool.submit(done, call) for _ in range(12)]:
                future.result()
            times.append(time.perf_counter() - started)
    return min(times[1:])


def done(call: Callable[[], object]) -> None:
    """Make a tensor and drop it, as whoever writes it to a file does."""
    call()


def psnr(one: Any, other: Any) -> float:
    """Return the peak signal-to-noise ratio in decibels, of values up to 255."""
    error = float(((one - other) ** 2).mean())
    return 10 * math.log10(255**2 / error) if error else math.inf


if __name__ == "__main__":
    main()

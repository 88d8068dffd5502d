"""Publishing and fetching 1 GB on loopback, beside skopeo and curl moving the same bytes.

Needs Debian's docker-registry, skopeo and curl. Prints ratios of one run, the lowest of three
rounds of each.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from pipeline.publish.fetch_release import fetch
from pipeline.publish.places.destination import publish_all
from pipeline.publish.places.open_place import open_destination
from pipeline.publish.release.release import Release, release_of
from tests.publish.places import registry

_MB = 1 << 20
_SIZES = (700 * _MB, 200 * _MB, 60 * _MB, 40 * _MB)
_ROUNDS = 3


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="wasi-nn-") as name:
        work = Path(name)
        folder = work / "fixture" / "large"
        folder.mkdir(parents=True)
        for number, size in enumerate(_SIZES):
            (folder / f"weights-{number}.bin").write_bytes(os.urandom(size))
        (folder / "manifest.json").write_text("{}")
        release = release_of(folder, "1.0")
        layout = work / "layout"
        _publish(f"oci-layout:{layout}", release, folder)
        ours, theirs, again = [], [], []
        for number in range(_ROUNDS):
            with registry(work / f"ours-{number}") as place:
                ours.append(_timed(lambda: _publish(place.to, release, folder)))
                again.append(_publish(place.to, release, folder))
                if number == _ROUNDS - 1:
                    _fetching(place.to, release, work)
            shutil.rmtree(work / f"ours-{number}")
            with registry(work / f"theirs-{number}") as place:
                theirs.append(_timed(lambda: _skopeo(layout, place.to)))
            shutil.rmtree(work / f"theirs-{number}")
        print(f"publish / skopeo copy: {min(ours) / min(theirs):.2f}  (reach 1.3)")
        print(f"a second publish moved {sum(again)} bytes  (reach 0)")


def _publish(to: str, release: Release, folder: Path) -> int:
    (result,) = publish_all(
        open_destination(to), [(release, folder)], dry_run=False, progress=lambda _: None
    )
    return result.moved or 0


def _skopeo(layout: Path, to: str) -> None:
    address = to.replace("oci://", "docker://")
    subprocess.run(
        [
            *("skopeo", "--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false"),
            *(f"oci:{layout}:large:1.0", f"{address}/large:1.0"),
        ],
        check=True,
    )


def _fetching(to: str, release: Release, work: Path) -> None:
    host = to.removeprefix("oci://")
    base = f"http://{host.partition('/')[0]}/v2/{host.partition('/')[2]}/large/blobs"
    out = work / "curl"
    out.mkdir()

    def curl() -> None:
        # The same bytes, checked as well, four at a time.
        urls = [
            part
            for file in release.files
            for part in ("-o", str(out / file.path), f"{base}/sha256:{file.sha256}")
        ]
        subprocess.run(
            ["curl", "--no-progress-meter", "--parallel", "--parallel-max", "4", *urls], check=True
        )
        (out / "SHA256SUMS").write_bytes(release.sums())
        subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=out, check=True)

    def ours() -> None:
        shutil.rmtree(work / "cache", ignore_errors=True)
        fetch("large", version="1.0", sources=[to], cache=work / "cache")

    mine, theirs = [], []
    for _ in range(_ROUNDS):
        theirs.append(_timed(curl))
        mine.append(_timed(ours))
    print(f"curl and sha256sum / fetch: {min(theirs) / min(mine):.2f}  (reach 0.8)")


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()

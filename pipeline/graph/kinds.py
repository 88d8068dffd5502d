"""The kinds of steps: the groups of doit's tasks, in the order in which data flows."""

from __future__ import annotations

# What `doit list` shows of each. The module that makes a kind's actions names it in `Action.kind`.
KINDS = {
    "toolchain": "make the locked environments that converters live in",
    "source": "fetch models, labels and photos by hash",
    "weights": "generate the weights of a topology that has none from a seed",
    "ir": "convert each model to OpenVINO IR",
    "int8": "quantise the IRs of precision int8",
    "int4": "compress the weights of the IRs of precision int4",
    "tensor": "convert pictures and signals to tensors",
    "guest": "compile the guests to wasm and audit their imports",
    "component": "compile guests as components and audit their imports",
    "fixture": "write fixture.txt and put the guest beside it",
    "verify": "run each case in the sandbox and compare the outputs",
    "pictures": "list the pictures of a dataset, and distribute them among its shards",
    "shard": "convert a part of a dataset's pictures to tensors",
    "dataset": "write the index of a dataset's tensors, with their digests and labels",
    "score": "classify a shard's tensors, natively and in the sandbox",
    "accuracy": "count how many pictures of a dataset were classified right",
    "manifest": "write manifest.json, once every case of a fixture is verified",
}
# Steps of these kinds serve several fixtures.
SHARED = frozenset({"toolchain", "guest", "component"})

"""The tasks of the pipeline. `doit` builds and verifies; `doit list --all` shows every step."""

from pathlib import Path

from pipeline.doit_plugin import Engine

engine = Engine(Path(__file__).resolve().parent)
DOIT_CONFIG = engine.settings()


def task_toolchain():
    """make the locked environments that converters live in"""
    yield from engine.tasks("toolchain")


def task_source():
    """fetch models, labels and photos by hash"""
    yield from engine.tasks("source")


def task_weights():
    """draw the weights of a topology that has none from a seed"""
    yield from engine.tasks("weights")


def task_ir():
    """convert each model to OpenVINO IR"""
    yield from engine.tasks("ir")


def task_int8():
    """quantise the IRs of precision int8"""
    yield from engine.tasks("int8")


def task_tensor():
    """turn pictures and signals into exact tensors"""
    yield from engine.tasks("tensor")


def task_guest():
    """compile the guests to wasm and audit their imports"""
    yield from engine.tasks("guest")


def task_fixture():
    """write fixture.txt and put the guest beside it"""
    yield from engine.tasks("fixture")


def task_verify():
    """run each case in the sandbox and compare what comes out"""
    yield from engine.tasks("verify")


def task_pictures():
    """find the pictures of a dataset, and share them out among its shards"""
    yield from engine.tasks("pictures")


def task_shard():
    """turn a share of a dataset's pictures into tensors"""
    yield from engine.tasks("shard")


def task_dataset():
    """write the index of a dataset's tensors, with their digests and labels"""
    yield from engine.tasks("dataset")


def task_score():
    """classify a shard's tensors, natively and in the sandbox"""
    yield from engine.tasks("score")


def task_accuracy():
    """count how many pictures of a dataset were classified right"""
    yield from engine.tasks("accuracy")


def task_manifest():
    """write manifest.json, once every case of a fixture is verified"""
    yield from engine.tasks("manifest")

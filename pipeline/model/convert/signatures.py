"""Choose one signature of a TFLite file or SavedModel: OpenVINO takes the first, or merges all.

Fields are those of TensorFlow's schema.fbs, saved_model.proto and meta_graph.proto.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from pipeline.config.model_tables import Framework
from pipeline.errors import Code, PipelineError, printable
from pipeline.model.convert.flatbuffer import (
    FlatBufferError,
    read_field,
    read_number,
    read_offset,
    read_text,
    read_vector,
)
from pipeline.protobuf.wire import Wire, WireError, bytes_field, read_fields

_DEFAULT = "serving_default"
# The file that holds the signatures, by framework.
_FILES: Mapping[Framework, str] = {"tflite": "model", "tensorflow": "saved_model.pb"}
# TFLite's Model, SignatureDef, SubGraph and Tensor.
_SUBGRAPHS, _SIGNATURES, _KEY, _SUBGRAPH = 2, 7, 2, 4
_TENSORS, _OUTPUTS, _NAME = 0, 2, 3
# SavedModel's meta_graphs, MetaGraphDef's signature_def, a map.
_META_GRAPH, _SIGNATURE_DEF, _MAP_KEY, _MAP_VALUE = 2, 5, 1, 2


def check_signature(framework: Framework, files: Collection[str], signature: str | None) -> None:
    """Raise PipelineError (USAGE) if a model of these files, by label, has no signatures."""
    if signature is not None and _FILES.get(framework) not in files:
        raise PipelineError(
            Code.USAGE,
            "--signature applies to TFLite files and SavedModels only.",
            hint="Omit --signature.",
        )


def with_signature(
    framework: Framework, files: Mapping[str, Path], signature: str | None, folder: Path
) -> Mapping[str, Path]:
    """Return a model's files, with a copy in ``folder`` that has the chosen signature alone.

    Without ``signature`` it is the only one, or ``serving_default``. Raises PipelineError (MODEL)
    if there are several others, and for TFLite outputs that have no name of their own. A damaged
    file is left to the converter.
    """
    label = _FILES.get(framework, "")
    if label not in files:
        return files
    path = files[label]
    data = path.read_bytes()
    try:
        select = _select_tflite if framework == "tflite" else _select_saved_model
        made = select(data, signature, path)
    except (FlatBufferError, WireError):
        return files
    if made == data:
        return files
    target = folder / "signature" / path.name
    target.parent.mkdir()
    target.write_bytes(made)
    return {**files, label: target}


def _select_tflite(data: bytes, signature: str | None, path: Path) -> bytes:
    """Return the file with the signature's subgraph first, the one that OpenVINO converts.

    Other subgraphs keep their indices, by which loops and branches call them.
    """
    model = read_offset(data, 0)
    subgraphs = read_vector(data, model, _SUBGRAPHS)
    indices = {}
    for at in read_vector(data, model, _SIGNATURES):
        table = read_offset(data, at)
        place = read_field(data, table, _SUBGRAPH)
        indices[read_text(data, table, _KEY)] = (
            0 if place is None else read_number(data, place, "I")
        )
    chosen = _chosen(indices, signature, path)
    index = indices[chosen] if chosen else 0
    if index >= len(subgraphs):
        raise FlatBufferError(f"no subgraph {index}")
    _check_outputs(data, read_offset(data, subgraphs[index]), path)
    made = bytearray(data)
    # Entries are distances from themselves.
    for here, there in ((0, index), (index, 0)):
        distance = read_offset(data, subgraphs[there]) - subgraphs[here]
        if distance < 0:
            raise FlatBufferError("a subgraph before the vector")
        made[subgraphs[here] : subgraphs[here] + 4] = distance.to_bytes(4, "little")
    return bytes(made)


def _check_outputs(data: bytes, subgraph: int, path: Path) -> None:
    """Raise PipelineError (MODEL) for outputs that OpenVINO would drop."""
    tensors = read_vector(data, subgraph, _TENSORS)
    outputs = {read_number(data, at, "i") for at in read_vector(data, subgraph, _OUTPUTS)}
    if any(not 0 <= output < len(tensors) for output in outputs):
        raise FlatBufferError("an output without a tensor")
    names = Counter(
        read_text(data, read_offset(data, tensors[output]), _NAME) for output in outputs
    )
    if any(not name or count > 1 for name, count in names.items()):
        raise PipelineError(
            Code.MODEL,
            "OpenVINO drops outputs without a name of their own.",
            where=path.name,
            expected="a different name for each output",
            found=printable(", ".join(repr(name) for name in sorted(names.elements()))[:200]),
            hint="Export the model again, with a name for each output.",
        )


def _select_saved_model(data: bytes, signature: str | None, path: Path) -> bytes:
    """Return the SavedModel with the signature alone, as the default one."""
    graphs = [field for field in read_fields(data) if _holds(field.number, field.wire, _META_GRAPH)]
    names = [
        name
        for graph in graphs
        for each in read_fields(data, graph.start, graph.end)
        if _holds(each.number, each.wire, _SIGNATURE_DEF)
        for name in [_entry(data[each.start : each.end])[0]]
    ]
    chosen = _chosen(names, signature, path)
    # OpenVINO takes the default one by itself.
    if chosen is None or signature is None:
        return data
    made, before = b"", 0
    for field in read_fields(data):
        part = data[before : field.end]
        if _holds(field.number, field.wire, _META_GRAPH):
            part = bytes_field(_META_GRAPH, _only(data[field.start : field.end], chosen))
        made, before = made + part, field.end
    return made


def _only(graph: bytes, chosen: str) -> bytes:
    """Return a meta graph with one signature, and the internal ones, which start with '__'."""
    made, before = b"", 0
    for field in read_fields(graph):
        part = graph[before : field.end]
        if _holds(field.number, field.wire, _SIGNATURE_DEF):
            name, value = _entry(graph[field.start : field.end])
            if name == chosen:
                entry = bytes_field(_MAP_KEY, _DEFAULT.encode()) + bytes_field(_MAP_VALUE, value)
                part = bytes_field(_SIGNATURE_DEF, entry)
            elif not name.startswith("__"):
                part = b""
        made, before = made + part, field.end
    return made


def _entry(entry: bytes) -> tuple[str, bytes]:
    parts = {field.number: entry[field.start : field.end] for field in read_fields(entry)}
    return parts.get(_MAP_KEY, b"").decode(errors="replace"), parts.get(_MAP_VALUE, b"")


def _holds(number: int, wire: Wire, wanted: int) -> bool:
    return number == wanted and wire is Wire.BYTES


def _chosen(names: Iterable[str], signature: str | None, path: Path) -> str | None:
    """Return the signature to convert, None to leave the model as it is."""
    public = [name for name in names if not name.startswith("__")]
    shown = printable(", ".join(public)[:400]) or "no signatures"
    if signature is not None and signature not in public:
        raise PipelineError(
            Code.MODEL,
            f"The model has no signature {signature!r}.",
            where=path.name,
            found=shown,
        )
    if signature is None and len(public) > 1 and _DEFAULT not in public:
        raise PipelineError(
            Code.MODEL,
            "The model has several signatures, and none is named serving_default.",
            where=path.name,
            expected="one: --signature NAME, or signature under [model] in the config",
            found=shown,
        )
    if signature is None:
        return _DEFAULT if len(public) > 1 else None
    return signature if len(public) > 1 or signature != _DEFAULT else None

"""Models in other formats than IR, field by field: a Relu of four f32, or as told."""

from __future__ import annotations

from pathlib import Path


def field(number: int, data: bytes) -> bytes:
    """Return a field of a protobuf message that holds bytes or a message."""
    assert len(data) < 128 * 128
    size = bytes([len(data)]) if len(data) < 128 else bytes([len(data) & 127 | 128, len(data) >> 7])
    return bytes([number << 3 | 2]) + size + data


def tensorflow_graph() -> bytes:
    """A frozen graph of a placeholder of 1x4 and a Relu (graph.proto)."""

    def attribute(key: bytes, value: bytes) -> bytes:
        return field(5, field(1, key) + field(2, value))

    kind = b"\x30\x01"
    shape = field(7, field(2, b"\x08\x01") + field(2, b"\x08\x04"))
    placeholder = field(1, b"x") + field(2, b"Placeholder")
    placeholder += attribute(b"dtype", kind) + attribute(b"shape", shape)
    relu = field(1, b"y") + field(2, b"Relu") + field(3, b"x") + attribute(b"T", kind)
    return field(1, placeholder) + field(1, relu)


def saved_model(folder: Path) -> None:
    """The same as a SavedModel without variables (saved_model.proto, meta_graph.proto)."""
    shape = field(2, b"\x08\x01") + field(2, b"\x08\x04")

    def tensor(name: bytes) -> bytes:
        return field(1, name + b":0") + b"\x10\x01" + field(3, shape)

    signature = field(1, field(1, b"x") + field(2, tensor(b"x")))
    signature += field(2, field(1, b"y") + field(2, tensor(b"y")))
    signature += field(3, b"tensorflow/serving/predict")
    graph = field(1, field(4, b"serve")) + field(2, tensorflow_graph())
    graph += field(5, field(1, b"serving_default") + field(2, signature))
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(b"\x08\x01" + field(2, graph))


def paddle_model(folder: Path) -> None:
    """The same as a Paddle program without parameters (framework.proto)."""

    def tensor(name: bytes) -> bytes:
        described = b"\x08\x05" + b"\x10\x01\x10\x04"
        return field(3, field(1, name) + field(2, b"\x08\x07" + field(3, field(1, described))))

    def holder(name: bytes, kind: int) -> bytes:
        return field(3, field(1, name) + field(2, bytes([8, kind])))

    def operator(kind: bytes, given: tuple[bytes, bytes], made: tuple[bytes, bytes]) -> bytes:
        column = field(4, field(1, b"col") + b"\x10\x00\x18\x00")
        text = field(1, field(1, given[0]) + field(2, given[1]))
        text += field(2, field(1, made[0]) + field(2, made[1])) + field(3, kind)
        return field(4, text + (b"" if kind == b"relu" else column))

    block = b"\x08\x00\x10\x00" + holder(b"feed", 9) + holder(b"fetch", 10)
    block += tensor(b"x") + tensor(b"y")
    block += operator(b"feed", (b"X", b"feed"), (b"Out", b"x"))
    block += operator(b"relu", (b"X", b"x"), (b"Out", b"y"))
    block += operator(b"fetch", (b"X", b"y"), (b"Out", b"fetch"))
    folder.mkdir()
    (folder / "net.pdmodel").write_bytes(field(1, block) + field(4, b"\x08\x00"))
    (folder / "net.pdiparams").write_bytes(b"")


def tflite_model(kind: int = 0, dims: tuple[int, ...] = (1, 4)) -> bytes:
    """The same in TFLite; ``kind`` is the number of its element type, 0 for f32.

    An axis of -1 may have any size.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    def tensor(name: str) -> schema.TensorT:
        made = schema.TensorT()
        made.name, made.type, made.buffer = name, kind, 0
        made.shape = [abs(size) for size in dims]
        made.shapeSignature = list(dims)
        return made

    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.RELU
    code.version = 1
    relu = schema.OperatorT()
    relu.opcodeIndex, relu.inputs, relu.outputs = 0, [0], [1]
    graph = schema.SubGraphT()
    graph.tensors = [tensor("x"), tensor("y")]
    graph.inputs, graph.outputs, graph.operators = [0], [1], [relu]
    model = schema.ModelT()
    model.version, model.operatorCodes, model.subgraphs = 3, [code], [graph]
    model.buffers = [schema.BufferT()]
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def quantised_tflite(kind: int, zero_point: int, dims: tuple[int, ...] = (1, 8, 8, 3)) -> bytes:
    """A Relu in TFLite between tensors of bytes that stand for numbers from -1 to 1.

    ``kind`` is the number of the element type: 3 for u8, 9 for i8.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(tflite_model(kind, dims), 0)
    model.operatorCodes[0].version = 2
    for tensor in model.subgraphs[0].tensors:
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale = [1 / 127.5]
        tensor.quantization.zeroPoint = [zero_point]
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())

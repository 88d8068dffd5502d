r"""Kaldi's feed-forward networks of nnet1 and nnet2, computed with NumPy from their binary files.

A file is ``\0B``, then tokens that end in a space; a number is a byte with its size and then
its bytes, a matrix ``FM `` with rows, columns and float32 in rows, a vector ``FV `` with its
size and float32. A component of nnet1 begins with its sizes, output before input; one of nnet2
lies between its token and the closing one. The arithmetic is that of Kaldi's nnet-activation.h
and nnet-component.cc.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any

from pipeline.errors import Code, PipelineError
from pipeline.verify.executors.reference_executor import InferenceRequest, InferenceResult

_LARGEST = 2**31
_MOST_COMPONENTS = 10_000


def run_kaldi(request: InferenceRequest) -> InferenceResult:
    """Run the network ``model`` on rows of features; it has one input and one output.

    Raises PipelineError (VERIFY).
    """
    import numpy

    path = request.files["model"]
    try:
        with numpy.errstate(over="ignore"):
            data = path.read_bytes()
            draws = [rows for draw in request.draws for rows in draw.values()]
            if request.moved is not None:
                # No graph optimisation to switch off: double precision is the second way.
                draws.append(draws[0].astype(numpy.float64))
            found = [_KaldiNetwork(data).infer(rows).astype(numpy.float32) for rows in draws]
    except (ValueError, struct.error) as error:
        raise PipelineError(
            Code.VERIFY,
            "The Kaldi network could not be computed for the golden check.",
            where=path.name,
            found=str(error),
            expected="a binary network of nnet1 or nnet2 with " + ", ".join(sorted(_ACTIVATIONS)),
        ) from None
    return InferenceResult(found[:1], numpy.__version__, [[rows] for rows in found[1:]])


class _KaldiNetwork:
    """A binary network, and the place in it that is read next."""

    def __init__(self, data: bytes) -> None:
        if not data.startswith(b"\0B"):
            raise ValueError("a file that does not begin as Kaldi's binary files do")
        self._data = data
        self._at = 2

    def infer(self, rows: Any) -> Any:
        word = self._token()
        if word == "<TransitionModel>":
            self._after(b"</TransitionModel> ")
            word = self._token()
        if word != "<Nnet>":
            raise ValueError(f"{word} where a network begins")
        components = self._nnet2 if self._next(b"<NumComponents>") else self._nnet1
        for component in components():
            rows = component(rows)
        return rows

    def _nnet1(self) -> list[Callable[[Any], Any]]:
        found: list[Callable[[Any], Any]] = []
        while (word := self._token()) != "</Nnet>":
            if word == "<!EndOfComponent>":
                continue
            self._integer()
            self._integer()
            found.append(self._component(word.strip("<>")))
            if len(found) > _MOST_COMPONENTS:
                raise ValueError("more components than any network has")
        return found

    def _nnet2(self) -> list[Callable[[Any], Any]]:
        self._token()
        count = self._integer()
        if self._token() != "<Components>" or not 0 <= count <= _MOST_COMPONENTS:
            raise ValueError(f"{count} components")
        found = []
        for _ in range(count):
            name = self._token().strip("<>")
            if name == "SpliceComponent":
                component = self._splice()
            else:
                component = self._component(name.removesuffix("Component"))
            self._after(f"</{name}> ".encode())
            found.append(component)
        return found

    def _component(self, name: str) -> Callable[[Any], Any]:
        if name in ("AffineTransform", "Affine", "FixedAffine", "AffineComponentPreconditioned"):
            weights, biases = self._matrix(), self._vector()
            return lambda rows: rows @ weights.T + biases
        if name == "Rescale":
            factors = self._vector()
            return lambda rows: rows * factors
        if name == "AddShift":
            shift = self._vector()
            return lambda rows: rows + shift
        if name not in _ACTIVATIONS:
            raise ValueError(f"a component {name!r}")
        return _ACTIVATIONS[name]

    def _splice(self) -> Callable[[Any], Any]:
        """Read which rows before and after are seen beside each.

        The IR keeps earlier rows as its state and waits for later ones, so a first row is the last
        that it sees, after zeros.
        """
        import numpy

        self._skip("<InputDim>")
        self._integer()
        unseen = 0
        for word in ("<LeftContext>", "<RightContext>"):
            self._skip(word)
            unseen += self._integer()
        if not 0 <= unseen <= _MOST_COMPONENTS:
            raise ValueError(f"a splice of {unseen} rows")
        return lambda rows: numpy.pad(rows, ((0, 0), (unseen * rows.shape[1], 0)))

    def _matrix(self) -> Any:
        import numpy

        self._after(b"FM ", 4096)
        rows, columns = self._integer(), self._integer()
        return numpy.frombuffer(self._floats(rows * columns), "<f4").reshape(rows, columns)

    def _vector(self) -> Any:
        import numpy

        self._after(b"FV ", 4096)
        return numpy.frombuffer(self._floats(self._integer()), "<f4")

    def _floats(self, count: int) -> bytes:
        if not 0 < count < _LARGEST // 4 or self._at + 4 * count > len(self._data):
            raise ValueError(f"{count} numbers at byte {self._at}")
        self._at += 4 * count
        return self._data[self._at - 4 * count : self._at]

    def _integer(self) -> int:
        size, value = struct.unpack_from("<bi", self._data, self._at)
        if size != 4:
            raise ValueError(f"no 32-bit number at byte {self._at}")
        self._at += 5
        return int(value)

    def _token(self) -> str:
        end = self._data.find(b" ", self._at, self._at + 100)
        if end < 0:
            raise ValueError(f"no token at byte {self._at}")
        word = self._data[self._at : end].decode("ascii", "replace")
        self._at = end + 1
        return word

    def _skip(self, word: str) -> None:
        if self._token() != word:
            raise ValueError(f"no {word} before byte {self._at}")

    def _next(self, word: bytes) -> bool:
        return self._data.startswith(word, self._at)

    def _after(self, mark: bytes, within: int = _LARGEST) -> None:
        found = self._data.find(mark, self._at, self._at + within)
        if found < 0:
            raise ValueError(f"no {mark.decode()}after byte {self._at}")
        self._at = found + len(mark)


def _sigmoid(rows: Any) -> Any:
    import numpy

    return 1 / (1 + numpy.exp(-rows))


def _tanh(rows: Any) -> Any:
    import numpy

    return numpy.tanh(rows)


def _relu(rows: Any) -> Any:
    import numpy

    return numpy.maximum(rows, 0)


def _softmax(rows: Any) -> Any:
    import numpy

    powers = numpy.exp(rows - rows.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


_ACTIVATIONS: Mapping[str, Callable[[Any], Any]] = {
    "RectifiedLinear": _relu,
    "Sigmoid": _sigmoid,
    "Softmax": _softmax,
    "Tanh": _tanh,
}

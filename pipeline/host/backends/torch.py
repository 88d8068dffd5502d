"""PyTorch backend: TorchScript on the CPU, if torch is installed.

TorchScript is a program. Its operators can read and write files (aten::from_file, aten::save) and
expose uninitialised memory (aten::empty), even while it is loaded; torch has no option to forbid
that. So it is trusted only if the host's owner provides it or trusts the guest.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.host.arrays import Arrays, element_of, output_bytes
from pipeline.host.backend import BackendError, BackendUnavailable, Framework, GraphPort, Tuning
from pipeline.host.clean_text import clean_text
from pipeline.host.model_types import Encoding, Target

_TENSOR, _TUPLE, _LIST = "Tensor", "Tuple[", "List[Tensor]"


class Torch:
    """The torch of this Python; of the tuning it supports ``threads``, for all its graphs."""

    def __init__(self, tuning: Tuning) -> None:
        self._tuning = tuning

    def targets(self) -> Mapping[Target, str]:
        """Return the CPU, which also serves AUTO."""
        return {Target.CPU: "CPU", Target.AUTO: "CPU"}

    def load(self, _encoding: Encoding, parts: Sequence[bytearray], _device: str) -> TorchGraph:
        """Load a program from its bytes; raises BackendError and BackendUnavailable."""
        return self._load(io.BytesIO(parts[0]))

    def load_files(self, _encoding: Encoding, files: Sequence[Path], _device: str) -> TorchGraph:
        """Load a program from a file; raises BackendError and BackendUnavailable."""
        return self._load(str(files[0]))

    def _load(self, program: io.BytesIO | str) -> TorchGraph:
        try:
            import torch
        except ImportError as error:
            raise BackendUnavailable(
                f"cannot import PyTorch ({error}); run `pip install torch`, or convert the model "
                "to OpenVINO IR with `wasi-nn convert`"
            ) from None
        if self._tuning.threads:
            torch.set_num_threads(self._tuning.threads)
        try:
            with warnings.catch_warnings():
                # TorchScript is deprecated.
                for category in (DeprecationWarning, FutureWarning):
                    warnings.simplefilter("ignore", category)
                # Never use torch.load: pickles can run any Python code.
                module = torch.jit.load(program, map_location="cpu")
            return TorchGraph(module.eval())
        except (RuntimeError, ValueError, EOFError, OSError) as error:
            raise BackendError(clean_text(error)) from None


class TorchGraph:
    """A program; its inputs and outputs are the arguments and results of forward()."""

    def __init__(self, module: Any) -> None:
        self._module = module
        schema = module.forward.schema
        # The first is the module itself, whatever its name.
        given = schema.arguments[1:]
        needed = [each for each in given if not each.has_default_value()]
        other = [each.name for each in needed if str(each.type) != _TENSOR]
        if other:
            raise BackendError(
                f"forward() takes arguments that are not tensors: {', '.join(other)}"
            )
        results = [str(each.type) for each in schema.returns]
        if len(results) == 1 and results[0].startswith(_TUPLE):
            results = results[0].removeprefix(_TUPLE).removesuffix("]").split(", ")
        if not results or set(results) != {_TENSOR}:
            raise BackendError(
                f"forward() returns {', '.join(results) or 'nothing'}; wasi-nn needs a tensor or a "
                "tuple of tensors"
            )
        # A program declares neither types nor shapes.
        self.inputs = tuple(GraphPort(each.name, None, None) for each in needed)
        self.outputs = tuple(GraphPort(str(index), None, None) for index in range(len(results)))

    def context(self) -> TorchContext:
        """Return a new context."""
        return TorchContext(self._module)


class TorchContext:
    """Inputs and outputs of one inference at a time."""

    def __init__(self, module: Any) -> None:
        self._module = module
        self._inputs = Arrays()
        self._outputs: list[Any] = []

    def input_memory(self, index: int, element: str, dims: Sequence[int]) -> memoryview:
        """Return the bytes of the input's array."""
        return self._inputs.memory(index, element, dims)

    def compute(self) -> None:
        """Run inference; raises BackendError."""
        import torch

        arrays = [self._inputs.by_index[index] for index in sorted(self._inputs.by_index)]
        try:
            with torch.inference_mode():
                # A program may write to its arguments.
                made = self._module(*(torch.from_numpy(array.copy()) for array in arrays))
                tensors = made if isinstance(made, tuple) else (made,)
                self._outputs = [each.detach().contiguous().numpy() for each in tensors]
        except (RuntimeError, TypeError, ValueError) as error:
            raise BackendError(clean_text(error)) from None

    def cancel(self) -> None:
        """Do nothing: torch cannot cancel an inference, so the process is killed instead."""

    def output(self, index: int) -> memoryview:
        """Return the bytes of an output; raises BackendError."""
        return output_bytes(self._outputs[index])

    def output_type(self, index: int) -> tuple[str, tuple[int, ...]]:
        """Return the element type and shape of an output of the last inference."""
        array = self._outputs[index]
        return element_of(array.dtype), tuple(array.shape)


FRAMEWORK = Framework(
    name="torch", encodings=(Encoding.PYTORCH,), start=Torch, runs_models_code=True
)

"""Script: insert a copy before each state assignment of an IR, for OpenVINO's CPU plug-in.

If a state is assigned a Concat of its own last value, as in the splices of Kaldi's nnet2, the
plug-in (2024.6 to 2026.4) uses the same memory for both and reads overwritten values. An operation
in between gives the state its own memory; the maximum with minus infinity does not change values.
"""

import sys

import numpy
import openvino
from openvino import opset13


def main(xml: str, target: str) -> None:
    """Write the modified IR ``xml`` to ``target``."""
    model = openvino.Core().read_model(xml)
    for node in model.get_ordered_ops():
        if node.get_type_name() != "Assign":
            continue
        source = node.input_value(0)
        kind = source.get_element_type()
        if source.get_node().get_type_name() == "Concat" and kind.is_real():
            least = opset13.constant(numpy.array(-numpy.inf, kind.to_dtype()))
            copied = opset13.maximum(source, least)
            copied.set_friendly_name(f"{node.get_friendly_name()}/copied")
            node.input(0).replace_source_output(copied.output(0))
    openvino.save_model(model, target, compress_to_fp16=False)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except Exception as error:  # The reader raises many types; its traceback is no help.
        sys.exit(str(error))

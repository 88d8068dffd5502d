"""The program that gives each state of an IR a copy of what it keeps, for OpenVINO's CPU plug-in.

Where a state is assigned what a Concat made of its own last value, as in the splices of Kaldi's
nnet2, the plug-in (2024.6 to 2026.4) lets both lie in one place and reads what it has just written
over. An operation between the two gives the state a place of its own; the greater of a number and
minus infinity is that number.
"""

import sys

import numpy
import openvino
from openvino import opset13


def main(xml: str, target: str) -> None:
    """Write the IR ``xml`` again to ``target``."""
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
    except Exception as error:  # Whatever the reader raises; a traceback of its own helps nobody.
        sys.exit(str(error))

"""Script: run Model Optimizer with this command line."""

import runpy
import sys

if __name__ == "__main__":
    # Python's -P, which came with 3.11.
    del sys.path[0]
    runpy.run_module("openvino.tools.mo", run_name="__main__", alter_sys=True)

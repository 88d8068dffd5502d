"""Script: run a module as ``python -m`` does, but not from the working folder: ``PATHS MODULE …``.

``PATHS`` come after the standard library, and before what is installed.
"""

import os
import runpy
import sys

if __name__ == "__main__":
    paths, module, *arguments = sys.argv[1:]
    installed = [at for at, path in enumerate(sys.path) if path.endswith("-packages")]
    place = installed[0] if installed else len(sys.path)
    sys.path[place:place] = paths.split(os.pathsep)
    sys.argv[1:] = arguments
    runpy.run_module(module, run_name="__main__", alter_sys=True)

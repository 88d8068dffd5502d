"""Script: exec a program that is killed when its parent ends: ``PARENT COMMAND…``."""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    parent, *command = sys.argv[1:]
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # The parent may have ended before prctl.
    if os.getppid() != int(parent):
        sys.exit(1)
    try:
        os.execvp(command[0], command)  # noqa: S606 - no shell intended
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")

"""Script: run a program with few files, no network and limits: ``LIMITS COMMAND…``, LIMITS as JSON.

LIMITS has ``readable`` and ``writable`` paths, and in bytes ``memory``, ``file`` for each file and
``disk`` for all in ``watched``. Files and network are limited as far as this system can: by
Landlock, and by namespaces of its own for users, processes and the network. Only the standard
library is imported.
"""

import contextlib
import ctypes
import json
import os
import resource
import signal
import struct
import sys
from typing import Any

# The exit status of a program that exceeded its disk limit; shells use none above 128 + 64.
DISK_EXCEEDED = 201
_LOOK_SECONDS = 0.25
_ENTRY_BYTES = 4096

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_CLONE_NEWUSER, _CLONE_NEWPID, _CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ABI, _PATH_BENEATH = 1, 1
# Rights of Landlock's first version, by bit: to run, write and read a file, to list a folder, and
# what changes folders. Later versions: to move between folders, to truncate, to control a device.
_EXECUTE, _WRITE, _READ, _LIST = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_FIRST, _MOVE, _TRUNCATE, _CONTROL = (1 << 13) - 1, 1 << 13, 1 << 14, 1 << 15
_OF_FILES = _EXECUTE | _WRITE | _READ | _TRUNCATE | _CONTROL
_TCP, _SCOPES = 0b11, 0b11


def main(limits: dict[str, Any], command: list[str]) -> int:
    """Run the command; return its exit status."""
    libc = ctypes.CDLL(None, use_errno=True)
    # Waited for below. Set before there is a child, so that none ends unnoticed.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    user, group = os.getuid(), os.getgid()
    apart = libc.unshare(_CLONE_NEWUSER | _CLONE_NEWPID | _CLONE_NEWNET) == 0
    if apart:
        _map_ids(user, group)
    child = os.fork()
    if child == 0:
        _become(libc, limits, command)
    return _watch(child, limits)


def _become(libc: Any, limits: dict[str, Any], command: list[str]) -> None:
    try:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
        for kind, most in (
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_DATA, limits["memory"]),
            (resource.RLIMIT_FSIZE, limits["file"]),
        ):
            _, hard = resource.getrlimit(kind)
            bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(kind, (bound, bound))
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        _restrict(libc, limits["readable"], limits["writable"])
        os.execv(command[0], command)  # noqa: S606 - no shell intended
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr, flush=True)
    finally:
        os._exit(127)


def _restrict(libc: Any, readable: list[str], writable: list[str]) -> None:
    """Restrict this process and all that it starts; where there is no Landlock, do nothing.

    Raises OSError if the kernel has Landlock and refuses.
    """
    version = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint(_ABI))
    if version < 1:
        return
    rights = _FIRST | (_MOVE if version >= 2 else 0) | (_TRUNCATE if version >= 3 else 0)
    rights |= _CONTROL if version >= 5 else 0
    attributes = struct.pack("=Q", rights)
    if version >= 4:
        attributes += struct.pack("=Q", _TCP)
    if version >= 6:
        attributes += struct.pack("=Q", _SCOPES)
    ruleset = _checked(
        libc.syscall(
            _CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint(0)
        )
    )
    for path in readable:
        _allow(libc, ruleset, path, _EXECUTE | _READ | _LIST)
    for path in writable:
        _allow(libc, ruleset, path, rights & ~_CONTROL)
    _checked(libc.syscall(_RESTRICT_SELF, ruleset, ctypes.c_uint(0)))
    os.close(ruleset)


def _allow(libc: Any, ruleset: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        # What is missing needs no right.
        return
    if not os.path.isdir(path):  # noqa: PTH112 - pathlib takes longer to import than this runs
        rights &= _OF_FILES
    rule = struct.pack("=Qi", rights, place)
    _checked(libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, rule, ctypes.c_uint(0)))
    os.close(place)


def _checked(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"Landlock: {os.strerror(code)}")
    return result


def _map_ids(user: int, group: int) -> None:
    """Keep the user's and the group's id in the new namespace of users."""
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as stream:  # noqa: PTH123
            stream.write(text)


def _watch(child: int, limits: dict[str, Any]) -> int:
    """Wait for the child, and kill it when its files grow too large; return its exit status."""
    while True:
        signal.sigtimedwait([signal.SIGCHLD], _LOOK_SECONDS)
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        if sum(map(_size, limits["watched"])) > limits["disk"]:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return DISK_EXCEEDED


def _size(folder: str) -> int:
    size = 0
    for place, folders, files in os.walk(folder):
        size += _ENTRY_BYTES * (len(folders) + len(files))
        for name in files:
            with contextlib.suppress(OSError):
                size += os.lstat(os.path.join(place, name)).st_size  # noqa: PTH118
    return size


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1]), sys.argv[2:]))

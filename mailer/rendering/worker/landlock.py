"""Allow this process to read a few folders and no other file, with Landlock (Linux 5.13 and later).

It needs no rights and lasts for the rest of the process. Later kernels can also forbid TCP, and signals to
other processes; what a kernel does not know is left out.
"""

import ctypes
import os
import platform
import struct
from collections.abc import Sequence
from pathlib import Path

# The same on all architectures but Alpha and MIPS.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_EXCEPTIONS = ("alpha", "mips")
_GET_VERSION = 1
_RULE_PATH_BENEATH = 1
_READ_FILE, _READ_FOLDER = 1 << 2, 1 << 3
_FILE_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
"""By version, all rights to files that it knows: executing, writing, creating, removing …; since 2 moving,
since 3 truncating, since 5 talking to devices."""

_TCP_VERSION, _TCP_RIGHTS = 4, 0b11
_SCOPE_VERSION, _SCOPES = 6, 0b11
"""Signals to other processes, and abstract Unix sockets of theirs."""

_PR_SET_NO_NEW_PRIVS = 38


def read_version() -> int:
    """The version of Landlock that this kernel offers; 0 if it offers none."""
    if platform.system() != "Linux" or platform.machine().startswith(_EXCEPTIONS):
        return 0
    return max(
        0, int(_libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint(_GET_VERSION)))
    )


def allow_reading_only(folders: Sequence[Path]) -> bool:
    """Take away all rights to files but reading what is in ``folders``; return whether this is in force.

    A folder that does not exist is left out. Files that are open stay as they are.
    """
    version = read_version()
    if not version:
        return False
    libc = _libc()
    rights = _FILE_RIGHTS[max(known for known in _FILE_RIGHTS if known <= version)]
    attributes = struct.pack("=Q", rights)
    if version >= _TCP_VERSION:
        attributes += struct.pack("=Q", _TCP_RIGHTS)
    if version >= _SCOPE_VERSION:
        attributes += struct.pack("=Q", _SCOPES)
    ruleset = libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint(0))
    if ruleset < 0:
        return False
    try:
        if not all(_allow(libc, ruleset, folder) for folder in folders):
            return False
        if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
            return False
        return bool(libc.syscall(_RESTRICT_SELF, ruleset, ctypes.c_uint(0)) == 0)
    finally:
        os.close(ruleset)


def _allow(libc: ctypes.CDLL, ruleset: int, folder: Path) -> bool:
    try:
        descriptor = os.open(folder, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return True
    try:
        rule = struct.pack("=Qi", _READ_FILE | _READ_FOLDER, descriptor)
        return bool(libc.syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, rule, ctypes.c_uint(0)) == 0)
    finally:
        os.close(descriptor)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)

"""What the render process may still do, once it runs templates that others may have written."""

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import templates
from locales.phrase import Phrase, gettext_noop

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

# Numbers of the kernel for x86-64 and 64-bit ARM; None where there is no such call.
_REFUSED: dict[str, tuple[int | None, int | None]] = {
    # The network. io_uring would make the same calls behind the filter's back.
    "socket": (41, 198),
    "socketpair": (53, 199),
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    # Other programs: starting them, reading them, sending them signals.
    "execve": (59, 221),
    "execveat": (322, 281),
    "fork": (57, None),
    "vfork": (58, None),
    "clone": (56, 220),
    "clone3": (435, 435),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "kcmp": (312, 272),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    # Changing files.
    "creat": (85, None),
    "openat2": (437, 437),
    "truncate": (76, 45),
    "rename": (82, None),
    "renameat": (264, 38),
    "renameat2": (316, 276),
    "unlink": (87, None),
    "unlinkat": (263, 35),
    "rmdir": (84, None),
    "mkdir": (83, None),
    "mkdirat": (258, 34),
    "mknod": (133, None),
    "mknodat": (259, 33),
    "link": (86, None),
    "linkat": (265, 37),
    "symlink": (88, None),
    "symlinkat": (266, 36),
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "utime": (132, None),
    "utimes": (235, None),
    "utimensat": (280, 88),
    "futimesat": (261, None),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    # The system.
    "unshare": (272, 97),
    "setns": (308, 268),
    "chroot": (161, 51),
    "pivot_root": (155, 41),
    "mount": (165, 40),
    "umount2": (166, 39),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "fsopen": (430, 430),
    "fsmount": (432, 432),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
}
_ONLY_ITSELF = {"kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131), "prlimit64": (302, 261)}
"""Calls whose first argument has to be this process: the C library ends a process by a signal to itself."""
_OPEN_FLAGS: dict[str, tuple[tuple[int | None, int | None], int]] = {
    "open": ((2, None), 1),
    "openat": ((257, 56), 2),
}
"""Calls that open a file, and which argument holds the flags."""
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_X32_CALLS = 0x40000000
"""On x86-64, the same calls exist a second time from this number on."""
_ACTIONS = Path("/proc/sys/kernel/seccomp/actions_avail")


def read_version() -> int:
    """Return the version of Landlock that this kernel offers; 0 if it offers none."""
    if platform.system() != "Linux" or platform.machine().startswith(_EXCEPTIONS):
        return 0
    return max(
        0, int(_libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint(_GET_VERSION)))
    )


def allow_reading_only(folders: Sequence[Path]) -> bool:
    """Take away all rights to files but reading what is in ``folders``, as far as they exist; return whether
    this is in force. Files that are open stay as they are."""
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


_X86, _ARM = 0, 1
_ARCHITECTURES = {"x86_64": (_X86, 0xC000003E), "aarch64": (_ARM, 0xC00000B7)}
"""The column of the tables below, and AUDIT_ARCH of the kernel's headers."""


_LOAD, _EQUALS, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _REFUSE = 0x7FFF0000, 0x80000000, 0x00050000 | errno.EPERM
_NUMBER_OFFSET, _ARCHITECTURE_OFFSET, _ARGUMENTS_OFFSET = 0, 4, 16

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def is_available() -> bool:
    """Return whether this kernel filters system calls, and we know its numbers."""
    return platform.machine() in _ARCHITECTURES and _ACTIONS.exists()


def forbid_system_calls() -> bool:
    """Install the filter, for this process and for good; return whether it is in force."""
    if not is_available():
        return False
    code = b"".join(_build_filter(*_ARCHITECTURES[platform.machine()], pid=os.getpid()))
    program = _Program(len(code) // 8, code)
    libc = _libc()
    # Without this, only root may install a filter: a program that gains rights could be led astray by it.
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        return False
    return bool(libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0) == 0)


def _build_filter(column: int, architecture: int, *, pid: int) -> Iterator[bytes]:
    """Yield the filter as the kernel's classic BPF: one comparison after another, each with an answer."""
    yield _step(_LOAD, _ARCHITECTURE_OFFSET)
    yield _step(_EQUALS, architecture, then=1)
    yield _step(_RETURN, _KILL)
    yield _step(_LOAD, _NUMBER_OFFSET)
    if column == _X86:
        yield _step(_AT_LEAST, _X32_CALLS, otherwise=1)
        yield _step(_RETURN, _KILL)
    for numbers in _REFUSED.values():
        if (number := numbers[column]) is not None:
            yield _step(_EQUALS, number, otherwise=1)
            yield _step(_RETURN, _REFUSE)
    for ours in _ONLY_ITSELF.values():
        yield _step(_EQUALS, ours[column], otherwise=5)
        yield _step(_LOAD, _ARGUMENTS_OFFSET)
        yield _step(_EQUALS, 0, then=2)
        yield _step(_EQUALS, pid, then=1)
        yield _step(_RETURN, _REFUSE)
        yield _step(_RETURN, _ALLOW)
    for numbers, argument in _OPEN_FLAGS.values():
        if (number := numbers[column]) is not None:
            yield _step(_EQUALS, number, otherwise=4)
            yield _step(_LOAD, _ARGUMENTS_OFFSET + 8 * argument)
            yield _step(_ANY_BIT, _WRITES, otherwise=1)
            yield _step(_RETURN, _REFUSE)
            yield _step(_RETURN, _ALLOW)
    yield _step(_RETURN, _ALLOW)


def _step(code: int, value: int, *, then: int = 0, otherwise: int = 0) -> bytes:
    """Return one instruction: ``then`` and ``otherwise`` are how many to skip."""
    return struct.pack("HBBI", code, then, otherwise, value)


def confine_to(folder: Path | None) -> None:
    """Let this process read the program, its libraries and ``folder``, and no other file, if the kernel can.
    Links out of ``folder`` lead to files that cannot be read."""
    own = [] if folder is None else [folder]
    allow_reading_only([*_list_program_folders(), templates.ROOT, *own])


def describe_confinement() -> tuple[bool, str]:
    """Return what this kernel holds a template to beside limits on time and memory: whether it is all of it,
    and in words."""
    version, filters = read_version(), is_available()
    if version and filters:
        return True, Phrase(
            "a template can read only templates and the program itself, and cannot change a file, "
            "start a program or use the network (Landlock version %(version)s, seccomp)",
            version=version,
        )
    if not version and not filters:
        return False, gettext_noop(
            "this system offers neither Landlock nor seccomp: a template that escapes from its "
            "sandbox has your rights to files and to the network. Use only templates that you "
            "trust."
        )
    if filters:
        return False, gettext_noop(
            "a template cannot change a file, start a program or use the network (seccomp), but "
            "this system does not offer Landlock: one that escapes from its sandbox can read your "
            "files. Use only templates that you trust."
        )
    return False, Phrase(
        "a template can read only templates and the program itself (Landlock version %(version)s), "
        "but this system does not offer seccomp: one that escapes from its sandbox may use the "
        "network. Use only templates that you trust.",
        version=version,
    )


def _list_program_folders() -> Iterator[Path]:
    """Yield the folders that Python still loads modules and shared libraries from: not all of its import
    path, which may contain the workspace, but Python's installation and the packages that are loaded."""
    prefixes = (sys.prefix, sys.base_prefix)
    yield from (path for path in map(Path, sys.path) if any(map(path.is_relative_to, prefixes)))
    # The libraries of a virtual environment's Python are elsewhere.
    yield Path(sys.base_prefix) / "lib"
    yield from (Path(place) for place in ("/lib", "/lib64", "/usr/lib", "/usr/lib64"))
    for name, module in list(sys.modules.items()):
        if "." not in name:
            yield from (Path(folder) for folder in getattr(module, "__path__", ()))

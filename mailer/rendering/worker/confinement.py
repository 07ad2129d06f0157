"""What the render process may still do, once it runs templates that somebody else may have written."""

import sys
from collections.abc import Iterator
from pathlib import Path

import templates
from locales.phrase import Phrase, gettext_noop
from mailer.rendering.worker import landlock, syscall_filter


def confine_to(folder: Path | None) -> None:
    """Let this process read the program, its libraries and ``folder``, and no other file, if the kernel can.

    Links out of ``folder`` lead to files that cannot be read.
    """
    own = [] if folder is None else [folder]
    landlock.allow_reading_only([*_list_program_folders(), templates.ROOT, *own])


def describe_confinement() -> tuple[bool, str]:
    """What this kernel holds a template to beside limits on time and memory: whether it is all of it, and in
    words.
    """
    version, filters = landlock.read_version(), syscall_filter.is_available()
    if version and filters:
        return True, (
            Phrase(
                gettext_noop(
                    "a template can read only templates and the program itself, and cannot change a file, "
                    "start a program or use the network (Landlock version %(version)s, seccomp)"
                ),
                version=version,
            )
        )
    if not version and not filters:
        return False, (
            gettext_noop(
                "this system offers neither Landlock nor seccomp: a template that escapes from its "
                "sandbox has your rights to files and to the network. Use only templates that you "
                "trust."
            )
        )
    if filters:
        return False, (
            gettext_noop(
                "a template cannot change a file, start a program or use the network (seccomp), but "
                "this system does not offer Landlock: one that escapes from its sandbox can read your "
                "files. Use only templates that you trust."
            )
        )
    return False, (
        Phrase(
            gettext_noop(
                "a template can read only templates and the program itself (Landlock version %(version)s), "
                "but this system does not offer seccomp: one that escapes from its sandbox may use the "
                "network. Use only templates that you trust."
            ),
            version=version,
        )
    )


def _list_program_folders() -> Iterator[Path]:
    """The folders that Python still loads modules and shared libraries from.

    Not all of its import path, which may contain the workspace: only what belongs to Python's installation,
    and the packages that are loaded.
    """
    prefixes = (sys.prefix, sys.base_prefix)
    yield from (path for path in map(Path, sys.path) if any(map(path.is_relative_to, prefixes)))
    # The libraries of a virtual environment's Python are elsewhere.
    yield Path(sys.base_prefix) / "lib"
    yield from (Path(place) for place in ("/lib", "/lib64", "/usr/lib", "/usr/lib64"))
    for name, module in list(sys.modules.items()):
        if "." not in name:
            yield from (Path(folder) for folder in getattr(module, "__path__", ()))

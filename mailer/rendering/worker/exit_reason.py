"""Why a render process ended, in words, and what to do."""

import signal

from locales.phrase import SENTENCES, Phrase, gettext_noop
from mailer.rendering.worker.protocol import RenderLimits

_SECONDS = gettext_noop("%(number)s seconds")
_MEMORY_ADVICE = gettext_noop("Look for text that is repeated many times, or a loop over too many items.")


def explain_exit(code: int | None, limits: RenderLimits) -> str:
    """Why a process ended while rendering, and what to do; ``code`` is as in :class:`subprocess.Popen`."""
    if code == -signal.SIGXCPU:
        number = limits.cpu_seconds
        seconds = gettext_noop("1 second") if number == 1 else Phrase(_SECONDS, number=number)
        return Phrase(
            gettext_noop(
                "rendering was stopped after %(seconds)s of processor time. A whole edition takes less than "
                "one second: look for a loop over too many items, or one loop inside another."
            ),
            seconds=seconds,
        )
    if code == -signal.SIGKILL:
        ended = gettext_noop(
            "the operating system ended the render process, as it does when memory runs out."
        )
        return Phrase(SENTENCES, first=Phrase(ended), next=Phrase(_MEMORY_ADVICE))
    if code is not None and code < 0:
        return Phrase(
            gettext_noop(
                "the renderer crashed (%(name)s), as it does on components or tags nested a thousand deep. "
                "Look for a template that includes itself."
            ),
            name=_name_signal(-code),
        )
    return Phrase(
        gettext_noop(
            "the render process ended unexpectedly (exit code %(code)s). Look for the fault in the "
            "workspace’s own templates."
        ),
        code=code,
    )


def _name_signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def explain_memory(limits: RenderLimits) -> str:
    """Why a process was stopped that needed too much memory, and what to do."""
    stopped = Phrase(
        gettext_noop("rendering needed more than %(size)s MiB of memory, and was stopped."),
        size=f"{limits.memory_bytes // 2**20:,}",
    )
    return Phrase(SENTENCES, first=stopped, next=Phrase(_MEMORY_ADVICE))

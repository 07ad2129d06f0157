"""Checks of the workspace's files: who can read them."""

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from locales.phrase import Phrase, gettext_noop
from mailer.doctor.diagnosis import Diagnosis, Health, find_bad, find_good
from mailer.privacy.file_permissions import find_exposed_paths, holds_secrets
from mailer.workspace import KEYS_FILE, Workspace


def check_files(workspace: Workspace) -> Iterator[Diagnosis]:
    """Check that no other user can read the keys, or anything with addresses or links that work."""
    root = workspace.root
    keys = root / KEYS_FILE
    exposed = find_exposed_paths(workspace)
    if keys in exposed:
        yield find_bad("keys", "keys-exposed", _explain_exposed([keys], root))
    else:
        yield find_good("keys", gettext_noop("only you can read the keys"))
    others = [path for path in exposed if path != keys]
    if others:
        verdict = Health.bad if any(holds_secrets(path, workspace) for path in others) else Health.doubtful
        message = _explain_exposed(others, root)
        yield Diagnosis(subject="files", verdict=verdict, code="files-exposed", message=message)
    else:
        yield find_good(
            "files", gettext_noop("only you can read the database, the settings, the outbox and the log")
        )


def _explain_exposed(paths: Sequence[Path], root: Path) -> str:
    names = [str(path.relative_to(root) if path.is_relative_to(root) else path) for path in paths]
    command = shlex.join(["chmod", "-R", "go=", *map(str, paths)])
    if len(names) > 4:
        words = gettext_noop("other users can read %(names)s and %(number)s more. Run: %(command)s")
        return Phrase(words, names=", ".join(names[:3]), number=len(names) - 3, command=command)
    words = gettext_noop("other users can read %(names)s. Run: %(command)s")
    return Phrase(words, names=", ".join(names), command=command)

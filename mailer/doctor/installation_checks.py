"""Checks what is here: Python, the files, the database, the sender, and the sign-ins."""

import shlex
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from locales.phrase import FULL_STOP, Phrase, gettext_noop, join_sentences, read_error
from mailer.campaigns.recipients import find_missing_identity
from mailer.campaigns.trial import find_example_sender, read_trial
from mailer.database.engine import measure_commit_latency, read_clock
from mailer.database.schema import ensure_current
from mailer.doctor.diagnosis import Diagnosis, Health, find_bad, find_doubtful, find_good
from mailer.errors import ConfigurationError
from mailer.network import is_reserved_domain
from mailer.oauth.health import SignInState, check_sign_ins
from mailer.privacy.file_permissions import find_exposed_paths, holds_secrets
from mailer.rendering.message import names_survive_folding
from mailer.rendering.worker.confinement import describe_confinement
from mailer.workspace import KEYS_FILE, Workspace

_SLOW_COMMIT_SECONDS = 0.02
_CLOCK_TOLERANCE = timedelta(seconds=2)
_MEGABYTE = 1_000_000
_LITTLE_SPACE = 1000 * _MEGABYTE
_NO_SPACE = 100 * _MEGABYTE
"""A campaign to 100,000 readers adds about 50 MB to the database, and a backup needs its size again."""
_CODES = MappingProxyType(
    {
        SignInState.missing: "sign-in-missing",
        SignInState.ended: "sign-in-ended",
        SignInState.ends_soon: "sign-in-ends-soon",
        SignInState.application_ended: "client-secret-ended",
        SignInState.application_ends_soon: "client-secret-ends-soon",
    }
)
_SOON = frozenset({SignInState.ends_soon, SignInState.application_ends_soon})


def check_templates(_: Workspace) -> Iterator[Diagnosis]:
    """Say what this system holds a template to that escapes from its sandbox."""
    is_complete, message = describe_confinement()
    if is_complete:
        yield find_good("templates", message)
    else:
        yield find_doubtful("templates", "templates-unconfined", message)


def check_python(_: Workspace) -> Iterator[Diagnosis]:
    """Check that this Python does not have the bug that adds addresses to headers."""
    if names_survive_folding():
        yield find_good("python", gettext_noop("this Python writes long names in headers correctly"))
        return
    message = gettext_noop(
        "this Python has a bug: a long name in a header can add a second address. Use a newer Python release."
    )
    yield find_bad("python", "python-header-bug", message)


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


def check_database(workspace: Workspace) -> Iterator[Diagnosis]:
    """Open the database, write to it, and compare its clock with this machine's."""
    engine = workspace.open_database(durable=True)
    try:
        ensure_current(engine)
        if fault := _find_damage(engine):
            words = gettext_noop("cannot read the database: %(words)s")
            yield find_bad("database", "database-unusable", Phrase(words, words=fault))
            return
        words = gettext_noop("%(database)s, tables up to date")
        yield find_good("database", Phrase(words, database=engine.dialect.name))
        yield _check_disk(engine)
        yield _check_clock(engine)
    except ConfigurationError as error:
        yield find_bad("database", "database-unusable", read_error(error))
    except SQLAlchemyError as error:
        words = str(getattr(error, "orig", None) or error).strip()
        yield find_bad(
            "database",
            "database-unusable",
            Phrase("cannot read the database: %(words)s", words=words),
        )
    finally:
        engine.dispose()


def _find_damage(engine: Engine) -> str:
    """Return the first fault of a SQLite file; "" if it has none. One damaged page stops few commands."""
    if engine.dialect.name != "sqlite":
        return ""
    with engine.connect().execution_options(read_only=True) as connection:
        found = str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar())
    return "" if found == "ok" else " ".join(found.split())


def _check_disk(engine: Engine) -> Diagnosis:
    try:
        seconds = measure_commit_latency(engine)
    except (OSError, sqlite3.Error) as error:
        return find_bad(
            "disk",
            "disk-unwritable",
            Phrase("cannot write to the database: %(error)s", error=error),
        )
    message = Phrase("saving a change safely to disk takes %(seconds)s ms", seconds=f"{seconds * 1000:.1f}")
    if seconds < _SLOW_COMMIT_SECONDS:
        return find_good("disk", message)
    advice = gettext_noop(
        "That is slow, and every group of messages waits for it. Use a local disk, or more [smtp] "
        "connections."
    )
    return find_doubtful("disk", "disk-slow", join_sentences([Phrase(FULL_STOP, words=message), advice]))


def _check_clock(engine: Engine) -> Diagnosis:
    """Compare the database's clock, which schedules and rates follow, with this machine's."""
    with engine.connect() as connection:
        difference = read_clock(connection) - datetime.now(UTC)
    if abs(difference) < _CLOCK_TOLERANCE:
        return find_good("clock", gettext_noop("the database's clock agrees with this machine's"))
    seconds = difference.total_seconds()
    message = Phrase(
        gettext_noop(
            "the database's clock is %(seconds)s s ahead of this machine's. Schedules follow the database's "
            "clock. Set both clocks by NTP."
        )
        if seconds > 0
        else gettext_noop(
            "the database's clock is %(seconds)s s behind this machine's. Schedules follow the database's "
            "clock. Set both clocks by NTP."
        ),
        seconds=f"{abs(seconds):.0f}",
    )
    return find_doubtful("clock", "clock-differs", message)


def check_space(workspace: Workspace) -> Iterator[Diagnosis]:
    """Say how much space is left where the workspace writes."""
    yield judge_space(workspace.root, shutil.disk_usage(workspace.root).free)


def judge_space(folder: Path, free: int) -> Diagnosis:
    """Judge ``free`` bytes on the disk of ``folder``."""
    if free >= _LITTLE_SPACE:
        return find_good(
            "space",
            Phrase("%(free)s GB are free on the disk of the workspace", free=f"{free / 1e9:,.0f}"),
        )
    message = Phrase(
        "only %(free)s MB are free on the disk of %(folder)s. Delete what you no longer need, such "
        "as old backups and messages in outbox/, or use a larger disk.",
        free=f"{free // _MEGABYTE:,}",
        folder=folder,
    )
    if free < _NO_SPACE:
        end = gettext_noop("A campaign would stop in the middle.")
        return find_bad("space", "disk-full", join_sentences([message, end]))
    return find_doubtful("space", "disk-full", message)


def check_sender(workspace: Workspace) -> Iterator[Diagnosis]:
    settings = workspace.settings
    if fault := find_missing_identity(settings):
        yield find_bad("sender", "sender-incomplete", fault)
        return
    if fault := find_example_sender(settings):
        yield find_bad("sender", "sender-sample", fault)
        return
    address = settings.sender.address
    if is_reserved_domain(settings.sender.domain):
        message = Phrase(
            "%(address)s is only an example. Set [sender] address to your own address.",
            address=address,
        )
        yield find_doubtful("sender", "sender-example", message)
    else:
        yield find_good("sender", address)


def check_trial(workspace: Workspace) -> Iterator[Diagnosis]:
    """Say whether campaigns reach anybody but test readers."""
    try:
        with workspace.use_database() as engine, engine.connect() as connection:
            trial = read_trial(connection)
    except SQLAlchemyError:
        return  # What is wrong with the database is said already.
    words = trial.describe()
    if trial.is_on:
        advice = gettext_noop("When the doctor finds nothing bad, end it with `mailer trial end --by NAME`.")
        words = join_sentences([Phrase(FULL_STOP, words=words), advice])
    yield find_good("trial", words)


def check_sign_in(workspace: Workspace) -> Iterator[Diagnosis]:
    """Look at each sign-in. The checks of relays and mailbox have used them before, and renewed tokens."""
    try:
        findings = tuple(check_sign_ins(workspace.settings, workspace.root, now=datetime.now(UTC)))
    except ConfigurationError as error:
        yield find_bad("sign-in", "sign-in-missing", read_error(error))
        return
    for finding in findings:
        subject = f"sign-in {finding.name}"
        if finding.state is SignInState.working:
            yield find_good(subject, finding.message)
        elif finding.state in _SOON:
            yield find_doubtful(subject, _CODES[finding.state], finding.message)
        else:
            yield find_bad(subject, _CODES[finding.state], finding.message)

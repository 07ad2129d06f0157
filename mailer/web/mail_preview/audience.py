"""The groups of readers that versions are made for, counted at most once a minute."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import Engine

from mailer.campaigns.audiences.recipient_selection import Cohort, find_variants, list_cohorts
from mailer.database.engine import open_session
from mailer.errors import BuildError
from mailer.rendering.body.variants import Variant
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.rendering.recipient import Reader
from mailer.web.mail_preview.shown_mail import personalise_mail
from subscribers.segments.segment import eligible

_COUNTED_FOR = timedelta(minutes=1)
_MAX_VERSIONS = 40
"""Versions whose mail is measured: the ones that most readers get."""

_TAG_LENGTH = 10


@dataclass(frozen=True, kw_only=True)
class MailVersion:
    """A version of an edition: ``variant``, how many ``readers`` get it, and its size in bytes. ``tag`` names
    it in an address. ``is_whole`` is the edition with all its stories in their own order."""

    tag: str
    variant: Variant
    readers: int
    size: int
    is_whole: bool


class Audience:
    """The readers of today in groups. Counting a million takes seconds, so it is done once a minute.
    Thread-safe."""

    def __init__(self, engine: Engine, clock: Callable[[], datetime]) -> None:
        self._engine = engine
        self._clock = clock
        self._lock = threading.Lock()
        self._counted: tuple[datetime, tuple[Cohort, ...]] | None = None

    def list_cohorts(self) -> tuple[Cohort, ...]:
        """The groups of readers who get mail today."""
        now = self._clock()
        with self._lock:
            # A clock that was set back counts again.
            if self._counted is None or not self._counted[0] <= now < self._counted[0] + _COUNTED_FOR:
                with open_session(self._engine, read_only=True) as session:
                    self._counted = (now, tuple(list_cohorts(session, eligible(now.date()))))
            return self._counted[1]


def list_versions(
    mails: Sequence[CompiledEdition], cohorts: Sequence[Cohort], reader: Reader
) -> tuple[list[MailVersion], int]:
    """The versions that the cohorts get of an edition in its languages, those of most readers first, and how
    many further ones there are. The whole edition in its own language is always among them."""
    if not mails:
        return [], 0
    found = {variant: cohort.size for variant, cohort in find_variants(cohorts, mails).items()}
    wholes = {mail.language: mail.full_variant for mail in mails}
    found.setdefault(wholes[mails[0].language], 0)
    by_language = {mail.language: mail for mail in mails}
    listed = list(found)[:_MAX_VERSIONS]
    if wholes[mails[0].language] not in listed:
        listed[-1] = wholes[mails[0].language]
    versions = [
        MailVersion(
            tag=tag_variant(variant),
            variant=variant,
            readers=found[variant],
            size=measure_variant(by_language[variant.language], variant, reader),
            is_whole=variant == wholes[variant.language],
        )
        for variant in listed
    ]
    return versions, len(found) - len(versions)


def find_variant(mails: Sequence[CompiledEdition], cohorts: Sequence[Cohort], tag: str) -> Variant | None:
    """The variant that ``tag`` names; None if no reader gets it any more."""
    known = dict.fromkeys((*(mail.full_variant for mail in mails), *find_variants(cohorts, mails)))
    return next((variant for variant in known if tag_variant(variant) == tag), None)


def tag_variant(variant: Variant) -> str:
    """A short name for a variant in an address."""
    words = "\0".join((variant.language, *variant.stories))
    return sha256(words.encode()).hexdigest()[:_TAG_LENGTH]


def measure_variant(mail: CompiledEdition, variant: Variant, reader: Reader) -> int:
    """The size in bytes of the HTML of a variant; 0 if it cannot be made."""
    try:
        shown = personalise_mail(mail, reader, replace(variant, named=False))
    except BuildError:
        return 0
    return len(shown.html.encode()) if shown is not None else 0

"""What is answered to the question whether a mail is from us. None of it says who got the mail."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class MailVerdict(StrEnum):
    """The answer."""

    genuine = "genuine"
    """The mail is one of ours, exactly as we sent it: our signature says so."""

    same_content = "same_content"
    """The words and links are those of our edition; the signature was lost on the way, as when somebody
    passes a mail on."""

    code_known = "code_known"
    """The code is one of ours. Whether the mail is too, its subject and sender tell."""

    letter = "letter"
    """Our signature is on it, but it is no edition of the newsletter."""

    test = "test"
    preview = "preview"
    """The code of a mail that was only looked at, not sent."""

    altered = "altered"
    """It began as a mail of ours, and something in it was changed."""

    copied = "copied"
    """It has a code or a link of ours, but the mail around it is another one."""

    foreign = "foreign"
    mistyped = "mistyped"
    """What was typed is not a whole code."""

    unknown = "unknown"
    """It cannot be told; ``Answer.obstacle`` says why."""


class Obstacle(StrEnum):
    """Why it cannot be told."""

    outlook_file = "outlook_file"
    winmail = "winmail"
    """A message wrapped for Outlook (winmail.dat)."""

    no_mail = "no_mail"
    encrypted = "encrypted"
    no_marks = "no_marks"
    """Somebody passed it on without our code and links."""

    retired = "retired"
    """The marks were made with a key that somebody else may have."""

    no_edition = "no_edition"
    too_long = "too_long"
    """The text is longer than any edition, so not all of it was compared."""

    busy = "busy"
    """The key of the signature could not be looked up just now."""


class Change(StrEnum):
    """What differs from the mail that we sent."""

    words = "words"
    links = "links"
    sender = "sender"
    """The sender, or where answers go."""

    subject = "subject"
    attachments = "attachments"
    signature = "signature"
    """The signature does not fit the mail any more."""


@dataclass(frozen=True, kw_only=True)
class VerifiedEdition:
    """An edition that was sent: what a reader can compare with the mail before them. ``subjects`` are those
    of its languages, its own first; days are in UTC; ``archive_path`` is "" if the archive does not have it.
    """

    slug: str
    title: str
    subjects: tuple[str, ...]
    first_day: date
    last_day: date
    archive_path: str = ""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The answer, with what it rests on. ``hosts`` are the places that changed links lead to."""

    verdict: MailVerdict
    edition: VerifiedEdition | None = None
    changes: tuple[Change, ...] = ()
    hosts: tuple[str, ...] = ()
    obstacle: Obstacle | None = None
    was_passed_on: bool = False

    @property
    def is_warning(self) -> bool:
        return self.verdict in (MailVerdict.altered, MailVerdict.copied, MailVerdict.foreign)

"""The errors of this package, which carry their data.

Every message says what is wrong, where, and what to try next. No message contains a secret. Those about a row
of a file are phrases (:class:`locales.phrase.Phrase`), which a page shows in its own language.
"""

from unicodedata import combining, east_asian_width

from locales.phrase import Phrase, gettext_noop


class SubscriberError(Exception):
    """The base class: something about the list cannot be done as requested."""

    @property
    def words(self) -> str:
        """The message; unlike ``str()``, a phrase stays one."""
        return self.args[0] if self.args and isinstance(self.args[0], str) else str(self)


class AddressError(SubscriberError):
    """An address cannot be used. ``text`` is what was given, ``reason`` a clause without a full stop."""

    def __init__(self, text: str, reason: str) -> None:
        self.text = text
        self.reason = reason
        words = gettext_noop("%(text)s is not an address we can write to: %(reason)s.")
        super().__init__(Phrase(words, text=quote_for_message(text), reason=reason))


class CountryError(SubscriberError):
    """A country is unknown or ambiguous. ``candidates`` are alpha-2 codes, most likely first."""

    def __init__(self, text: str, message: str, candidates: tuple[str, ...] = ()) -> None:
        self.text = text
        self.candidates = candidates
        super().__init__(message)


class DetailError(SubscriberError):
    """A detail of a subscriber is invalid. ``field`` names it, ``reason`` is a full sentence."""

    def __init__(self, field: str, reason: str) -> None:
        self.field = field
        self.reason = reason
        super().__init__(Phrase("%(field)s: %(reason)s", field=field, reason=reason))


class SegmentError(SubscriberError):
    """A segment cannot be parsed. ``position`` counts characters of ``text`` from 0, ``reason`` says what is
    wrong and what to try. ``str()`` shows the query as one ``line``, a ``caret`` under the position, and the
    reason.
    """

    def __init__(self, text: str, position: int, reason: str) -> None:
        self.text = text
        self.position = position
        self.reason = reason
        self.line = write_on_one_line(text)
        self.caret = f"{_padding(text[:position])}^"
        # Starts on a new line, so that a prefix such as "Error: " does not shift the query against its caret.
        place = f"  {self.line}\n  {self.caret}"
        introduction = gettext_noop("The segment cannot be understood:")
        super().__init__(f"{introduction}\n{place}\n{reason}")


class ImportFileError(SubscriberError):
    """A file cannot be imported, and nothing was. ``row`` is None if the error concerns the whole file.

    ``reason`` says what is wrong, ``advice`` what to try on the command line. ``columns_text`` is a columns
    file to complete, where one would help; the message ends with it.
    """

    def __init__(
        self, name: str, reason: str, row: int | None = None, *, advice: str = "", columns_text: str = ""
    ) -> None:
        self.name = name
        self.row = row
        self.reason = reason
        self.advice = advice
        self.columns_text = columns_text
        words = f"{reason} {advice}" if advice else reason
        table = f"\n\n{columns_text}" if columns_text else ""
        super().__init__(f"{name}{'' if row is None else f', row {row}'}: {words}{table}")


class RollbackError(SubscriberError):
    """An import cannot be rolled back. ``is_done`` says that it was already; ``mailed`` is how many of the
    people it added are in the audience of a campaign.
    """

    def __init__(self, message: str, *, is_done: bool = False, mailed: int = 0) -> None:
        self.is_done = is_done
        self.mailed = mailed
        super().__init__(message)


class StatusError(SubscriberError):
    """A status change is not allowed."""


class SuppressionError(SubscriberError):
    """A suppressed address cannot be added, or cannot be removed from the suppression list."""


class OnListError(SubscriberError):
    def __init__(self, email: str, status: str) -> None:
        self.email = email
        known = {
            "active": f"To change it: mailer subscribers edit {email}",
            "paused": f"To change it: mailer subscribers edit {email}",
            "pending": "They signed up, and were sent a link to confirm it.",
            "merged": f"To see with whom: mailer subscribers show {email}",
        }
        come_back = "Only they can come back, by signing up, or through the link in a newsletter."
        advice = known.get(status, come_back)
        super().__init__(f"{email} is on the list already, as {status}. {advice}")


class MergeError(SubscriberError):
    """Two subscribers cannot be merged."""


class UnknownSubscriberError(SubscriberError):
    """There is no such subscriber. ``who`` is the address or ID that was looked up."""

    def __init__(self, who: str | int) -> None:
        self.who = who
        missing = gettext_noop(
            "There is no subscriber %(who)s. To see who is on the list: mailer subscribers list"
        )
        super().__init__(Phrase(missing, who=who))


class TokenError(SubscriberError):
    """A link's token was not issued by us for this purpose, or was damaged."""

    message = "This link is incomplete. Open it again from the email, or copy the whole link."

    def __init__(self) -> None:
        super().__init__(self.message)


class RetiredKeyError(TokenError):
    """A link is genuine, but its key no longer counts: someone else may have it and could have made it."""

    message = "This link no longer works. Ask for a new one on the page for people without a link."


class LinkOfTestError(TokenError):
    """A link comes from a test of a newsletter, so there is nothing that it could change."""

    message = "This link comes from a test of the newsletter. It changes nothing."


class SpentLinkError(TokenError):
    """A mailed link is genuine but has been used or has expired."""

    message = "This link has been used or has expired. Ask for a new one on the page where you started."


def quote_for_message(text: str, limit: int = 60) -> str:
    """Quote ``text``, shortened to ``limit`` characters, with invisible characters escaped."""
    shown = text if len(text) <= limit else text[: limit - 1] + "…"
    return '"' + "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in shown) + '"'


def write_on_one_line(text: str) -> str:
    """Return ``text`` with a space for each invisible character."""
    return "".join(char if char.isprintable() else " " for char in text)


def _padding(text: str) -> str:
    """Return spaces as wide as ``text`` on a terminal, where East Asian characters take two columns."""
    return "".join(
        "" if combining(char) else " " * (2 if east_asian_width(char) in {"W", "F"} else 1) for char in text
    )

"""Check 13: Gmail shows the first 102 kB of a mail and hides the rest, with the link to unsubscribe."""

from collections.abc import Iterator

from mailer.checks.document.parsed_mail import ParsedMail
from mailer.checks.finding import Finding, finding

MAX_HTML_BYTES = 100_000
"""Bytes of HTML above which a mail is refused: Gmail cuts off a little above 102,000 and hides the rest, with
the link to unsubscribe."""

WARN_HTML_BYTES = 85_000
"""Bytes of HTML above which a writer is warned: a translation or two more stories would be too much."""


def check_size(mail: ParsedMail) -> Iterator[Finding]:
    """13: measured in bytes of this very mail."""
    size = len(mail.source.html.encode())
    if size > MAX_HTML_BYTES:
        yield finding(
            "mail-too-large",
            f"the mail is {size:,} bytes of HTML, more than the {MAX_HTML_BYTES:,} that Gmail shows: it would hide "
            "the rest and the link to unsubscribe. Shorten stories, or move some to the next edition.",
            key="",
            weight=size,
        )
    elif size > WARN_HTML_BYTES:
        yield finding(
            "mail-large",
            f"the mail is {size:,} bytes of HTML, close to the {MAX_HTML_BYTES:,} that Gmail shows. It can be "
            "sent; a longer one, or a longer translation, could not.",
            key="",
            weight=size,
        )

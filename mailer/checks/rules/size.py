"""Check 13: Gmail shows the first 102 kB of an email and hides the rest, including the unsubscribe link."""

from collections.abc import Iterator

from locales.phrase import gettext_noop
from mailer.checks.finding import Finding, finding
from mailer.checks.mail.parsed_mail import ParsedMail
from mailer.rendering.body.counted_links import measure_growth

MAX_HTML_BYTES = 100_000
"""Bytes of HTML above which an email is rejected: Gmail cuts it off a little above 102,000."""

WARN_HTML_BYTES = 85_000
"""Bytes of HTML above which the author is warned: a translation or two more stories would be too much."""


def check_size(mail: ParsedMail) -> Iterator[Finding]:
    """13: measured in bytes of this email, with the addresses that count clicks if they are counted."""
    size = len(mail.source.html.encode())
    if mail.source.counts_clicks:
        size += measure_growth(mail.source.html, mail.source.base_url)
    values = {"size": f"{size:,}", "most": f"{MAX_HTML_BYTES:,}"}
    if size > MAX_HTML_BYTES:
        yield finding(
            "mail-too-large",
            gettext_noop(
                "the email has %(size)s bytes of HTML, more than the %(most)s that Gmail "
                "shows: it would hide the rest, including the unsubscribe link. Shorten stories, or move "
                "some to the next edition."
            )
            % values
            + _name_longest_story(mail),
            key="",
            weight=size,
        )
    elif size > WARN_HTML_BYTES:
        yield finding(
            "mail-large",
            gettext_noop(
                "the email has %(size)s bytes of HTML, close to the %(most)s that Gmail shows. "
                "It can be sent, but a longer text or translation might not fit."
            )
            % values
            + _name_longest_story(mail),
            key="",
            weight=size,
        )


def _name_longest_story(mail: ParsedMail) -> str:
    """A sentence about where to begin, if it is known where the stories are."""
    spans = mail.source.html_stories
    if len(spans) < 2:
        return ""
    sizes = {span.slug: len(mail.source.html[span.start : span.end].encode()) for span in spans}
    longest = max(sizes, key=lambda slug: sizes[slug])
    return " " + gettext_noop("The longest story is %(longest)s, with %(bytes)s of them.") % {
        "longest": longest,
        "bytes": f"{sizes[longest]:,}",
    }

"""How a change that a member makes is written into a partner's record."""

from mailer.web.studio.page import StudioPage
from subscribers.consent.status_changes import ConsentContext
from subscribers.validation import clean_line

METHOD = "studio"


def make_context(page: StudioPage, *, reason: str = "", basis: str = "") -> ConsentContext:
    """The context of a change by the member who makes the request.

    Raises:
        DetailError: the reason or the basis is too long, or has characters that no text has.
    """
    return {
        "method": METHOD,
        "now": page.state.clock(),
        "source": f"by {page.member.name}",
        "evidence": clean_line(reason, "reason"),
        "basis": clean_line(basis, "basis"),
    }

"""Writing down what a member does with editions."""

from sqlmodel import Session

from mailer.activity.acts import Act
from mailer.activity.record import Actor, record_activity
from mailer.web.studio.page import StudioPage


def log_act(page: StudioPage, session: Session, act: Act, edition: str, subject: str = "") -> None:
    """Write down what the member of ``page`` did to an edition, or to ``subject`` of it. The caller
    commits."""
    record_activity(
        session,
        Actor.from_member(page.member),
        act,
        edition=edition,
        subject=subject,
        now=page.state.clock(),
    )

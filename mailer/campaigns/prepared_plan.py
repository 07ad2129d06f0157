"""The plan of a campaign as the team has prepared it."""

from datetime import datetime

from sqlalchemy import Engine

from locales.phrase import Phrase, gettext_noop
from mailer.campaigns.audiences.segments import read_segment
from mailer.campaigns.named_plan import plan_named_campaign
from mailer.campaigns.plan import Plan
from mailer.campaigns.preparation.preparation import Preparation
from mailer.database.engine import open_session
from mailer.errors import MailerError
from mailer.workspace import Workspace


class NoSegmentError(MailerError):
    """Nobody has chosen yet who gets a prepared campaign."""

    def __init__(self, campaign_id: int) -> None:
        self.campaign_id = campaign_id
        super().__init__(
            Phrase(
                gettext_noop(
                    "Nobody has chosen yet who gets campaign %(campaign_id)s. Choose its segment in Studio, "
                    "or give --segment."
                ),
                campaign_id=campaign_id,
            )
        )


def plan_prepared_campaign(
    workspace: Workspace, engine: Engine, preparation: Preparation, *, now: datetime
) -> Plan:
    """Plan sending what was prepared, as it would be launched ``now``. Nothing is stored.

    Raises:
        NoSegmentError: its segment is not chosen yet.
        SegmentError: its segment is not valid any more, for example because a sector was renamed.
        ConfigurationError: its edition is not there any more.
        NoteMissingError: it sends a correction, and the note of that is not there any more.
    """
    decided = preparation.decisions
    if decided.segment is None:
        raise NoSegmentError(preparation.campaign_id)
    with open_session(engine, read_only=True) as session:
        segment = read_segment(decided.segment, workspace.settings, session)
    return plan_named_campaign(
        workspace,
        engine,
        preparation.edition,
        segment,
        again=decided.again,
        count_clicks=decided.count_clicks,
        now=now,
    )

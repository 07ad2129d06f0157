"""Saving what a form decides about a campaign, beside what others decide at the same time."""

from dataclasses import replace

from mailer.activity.acts import Act
from mailer.activity.record import record_activity
from mailer.campaigns.preparation.preparation import Decision, Decisions, Preparation
from mailer.campaigns.preparation.preparation_store import (
    AlreadyPreparedError,
    PreparationConflictError,
    PreparationOverError,
    save_preparation,
)
from mailer.i18n import gettext_noop
from mailer.web.studio.campaigns.campaign_words import DECISION_NAMES
from mailer.web.studio.campaigns.place import PreparationClosedError
from mailer.web.studio.page import StudioPage

_OTHER = gettext_noop(
    "%(name)s has changed this meanwhile: %(what)s. What you chose is still here, and theirs is shown below: "
    "save again to keep yours."
)
_SOMEBODY = gettext_noop("Somebody else")
_ELSEWHERE = gettext_noop(
    "This campaign was approved. It cannot be changed while campaign %(number)s of the same edition is being "
    "prepared. Discard that one first, or change it instead."
)


class DecisionsRefusedError(Exception):
    """What a form decides was not saved. ``words`` say why, for people; ``theirs`` is what is decided now,
    and ``decisions`` are those that somebody else has changed meanwhile."""

    def __init__(self, words: str, theirs: Preparation, decisions: frozenset[Decision] = frozenset()) -> None:
        self.words = words
        self.theirs = theirs
        self.decisions = decisions
        super().__init__(words)


def save_decisions(
    page: StudioPage, preparation: Preparation, was: Decisions, wanted: Decisions
) -> Preparation:
    """Save what differs between ``was``, which the form began from, and ``wanted``, and write it down.

    Raises:
        DecisionsRefusedError: somebody else has decided otherwise meanwhile, or it cannot be changed.
        PreparationClosedError: nothing can be decided any more.
    """
    now = page.state.clock()
    try:
        with page.state.write_session() as session:
            saved = save_preparation(
                session, replace(preparation, decisions=was), wanted, member_id=page.member.id, now=now
            )
            changed = preparation.decisions.list_changes(saved.decisions) & was.list_changes(wanted)
            if changed:
                record_activity(
                    session,
                    page.actor,
                    Act.changed_campaign,
                    edition=saved.edition,
                    subject=str(saved.campaign_id),
                    detail=describe_changes(saved.decisions, changed),
                    now=now,
                )
    except PreparationOverError as error:
        raise PreparationClosedError(f"/campaigns/{preparation.campaign_id}") from error
    except PreparationConflictError as error:
        raise DecisionsRefusedError(_explain_conflict(page, error), error.theirs, error.decisions) from error
    except AlreadyPreparedError as error:
        words = page.translator.translate(_ELSEWHERE, number=error.campaign_id)
        raise DecisionsRefusedError(words, preparation) from error
    return saved


def describe_changes(decided: Decisions, changed: frozenset[Decision]) -> str:
    """What the log says of ``changed`` decisions: "segment: country:MN; canary: 50"."""
    values = decided.as_dict()
    names = {Decision.clicks: "count_clicks", Decision.start: "start_at", Decision.archive: "archived"}
    parts = []
    for decision in (one for one in Decision if one in changed):
        if decision is Decision.note:
            parts.append("note")
            continue
        value = values[names.get(decision, decision.value)]
        if decision is Decision.segment and decided.segment_name:
            value = f"{value} (saved as {decided.segment_name})"
        parts.append(f"{decision.value}: {'as usual' if value is None else value}")
    return "; ".join(parts)


def _explain_conflict(page: StudioPage, error: PreparationConflictError) -> str:
    translate = page.translator.translate
    what = ", ".join(translate(DECISION_NAMES[one]) for one in Decision if one in error.decisions)
    return translate(_OTHER, name=error.theirs.changed_by or translate(_SOMEBODY), what=what)

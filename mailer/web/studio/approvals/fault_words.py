"""What Studio says about answers that were not written down, and about who may not answer."""

from collections.abc import Mapping
from types import MappingProxyType

from mailer.campaigns.approvals.answers import AnswerFault
from mailer.i18n import gettext_noop

FAULT_WORDS: Mapping[AnswerFault, str] = MappingProxyType(
    {
        AnswerFault.gone: gettext_noop("This request is not there any more."),
        AnswerFault.ended: gettext_noop(
            "This request has ended, so your answer was not taken. If the approval is asked for again, you "
            "will find it here."
        ),
        AnswerFault.replaced: gettext_noop(
            "Your answer was not taken: the approval was asked for again while you read. Look at what is "
            "asked for now."
        ),
        AnswerFault.changed: gettext_noop(
            "Your answer was not taken, because this has changed since you were asked. Whoever asked has to "
            "ask again."
        ),
        AnswerFault.answered: gettext_noop(
            "You have answered already. If the approval is asked for again, you can answer anew."
        ),
        AnswerFault.not_asked: gettext_noop("You are not asked in this step."),
        AnswerFault.author: gettext_noop(
            "You wrote in this edition or asked for its approval, and another person has to approve it."
        ),
        AnswerFault.no_author: gettext_noop(
            "Nobody knows who wrote this edition, so nobody can approve it as another person. Name its "
            "authors in its details first."
        ),
        AnswerFault.no_words: gettext_noop("Say what has to change."),
    }
)
"""A test demands that each has words."""

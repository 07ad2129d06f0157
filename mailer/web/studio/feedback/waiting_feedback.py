"""What came back and waits for a person, for the first page."""

from collections.abc import Iterator

from mailer.feedback.overview import count_held
from mailer.feedback.reply_forwarder import list_waiting_replies
from mailer.feedback.successors import count_proposals
from mailer.i18n import gettext_noop
from mailer.team.members import Permission
from mailer.web.studio.page import StudioPage
from mailer.web.studio.waiting_item import WaitingItem, WaitingSource


def _list_feedback(page: StudioPage) -> Iterator[WaitingItem]:
    """Messages that nobody has judged, replies that do not go on, and proposed successors."""
    translate, plural = page.translator.translate, page.translator.translations.ngettext
    with page.state.read_session() as session:
        held, successors = count_held(session), count_proposals(session)
        replies = len(list_waiting_replies(session))
    if replies:
        yield WaitingItem(
            title=translate(gettext_noop("Feedback")),
            words=plural(
                "%(num)s reply of a partner does not reach you",
                "%(num)s replies of partners do not reach you",
                replies,
            )
            % {"num": replies},
            act=translate(gettext_noop("See the replies")),
            path="/feedback#replies",
            tone="wrong",
        )
    if held:
        yield WaitingItem(
            title=translate(gettext_noop("Feedback")),
            words=plural(
                "%(num)s message that came back waits for a judgement",
                "%(num)s messages that came back wait for a judgement",
                held,
            )
            % {"num": held},
            act=plural("Judge the message", "Judge the messages", held),
            path="/feedback",
        )
    if successors:
        yield WaitingItem(
            title=translate(gettext_noop("Feedback")),
            words=plural(
                "%(num)s person may follow a partner who has left",
                "%(num)s people may follow partners who have left",
                successors,
            )
            % {"num": successors},
            act=translate(gettext_noop("See who")),
            path="/feedback#successors",
        )


WAITING_FEEDBACK = WaitingSource(
    name=gettext_noop("Feedback"), permission=Permission.change_partners, list_items=_list_feedback
)

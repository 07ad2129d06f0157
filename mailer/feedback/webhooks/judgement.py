"""Why a message came back, by the server's words and by what the provider made of them."""

from mailer.reasons.reason import Reason
from mailer.reasons.reason_classifier import classify_reason

_UNTOLD = frozenset({Reason.other, Reason.unconfirmed})


def judge_reason(
    words: str,
    *,
    status: str = "",
    code: str = "",
    category: Reason | None = None,
    is_delay: bool = False,
) -> Reason:
    """The reason in the server's ``words``; where they leave it open, the provider's ``category``.

    Providers call many things a hard bounce that are not: blocks, spam, full mailboxes. The server's words
    know better. A category decides where there are no words, or where they say "user unknown" in a way that
    some servers also use for people who exist. While the provider goes on trying, nobody is dead.
    """
    action = "delayed" if is_delay else "failed"
    told = classify_reason(words, status=status, code=code, action=action)
    if told not in _UNTOLD or category is None or (is_delay and category.is_dead):
        return told
    return category

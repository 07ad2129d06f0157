"""What a form says of a field that was changed while its page was open."""

from mailer.i18n import Translator, gettext_noop

_BY_ANOTHER = gettext_noop(
    "Somebody else has changed this meanwhile, to “%(theirs)s”. What you wrote is still here: save again to "
    "keep it."
)
_IN_ANOTHER_TAB = gettext_noop(
    "You have changed this in another tab, to “%(theirs)s”. What you wrote is still here: save again to keep "
    "it."
)


def describe_overtaken_field(translator: Translator, theirs: str, *, is_own: bool) -> str:
    """The words beside a field that says ``theirs`` by now; ``is_own`` if the same member has changed it."""
    return translator.translate(_IN_ANOTHER_TAB if is_own else _BY_ANOTHER, theirs=theirs)

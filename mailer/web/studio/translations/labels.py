"""What states of translations and the texts of a file are called."""

from collections.abc import Mapping
from types import MappingProxyType

from editions.source.yaml_parser import KeyPath
from mailer.i18n import Translator, gettext_noop
from mailer.translations.states import TranslationState

STATE_WORDS: Mapping[TranslationState, tuple[str, str]] = MappingProxyType(
    {
        TranslationState.missing: (gettext_noop("Not begun"), "quiet"),
        TranslationState.unreadable: (gettext_noop("Cannot be read"), "wrong"),
        TranslationState.draft: (gettext_noop("In progress"), "careful"),
        TranslationState.outdated: (gettext_noop("Original changed"), "careful"),
        TranslationState.complete: (gettext_noop("Translated"), "right"),
    }
)
"""Each state in words, and its tone."""

_KEYS: Mapping[str, str] = MappingProxyType(
    {
        "title": gettext_noop("Title"),
        "date": gettext_noop("Day, as readers see it"),
        "lead": gettext_noop("Summary in a digest"),
        "subject": gettext_noop("Subject of the email"),
        "preheader": gettext_noop("What inboxes show after the subject"),
        "period": gettext_noop("Period"),
        "letter.title": gettext_noop("Heading of the letter"),
        "letter.name": gettext_noop("Who signs it, if written otherwise"),
        "letter.titles": gettext_noop("Lines below the name"),
    }
)
_PARTS: Mapping[str, str] = MappingProxyType(
    {
        "alt": gettext_noop("What it shows, for readers who cannot see it"),
        "caption": gettext_noop("Caption"),
        "credit": gettext_noop("Credit"),
        "what": gettext_noop("Its words"),
        "url": gettext_noop("Its address, if it is another page"),
    }
)
_GROUPS: Mapping[str, str] = MappingProxyType(
    {
        "image": gettext_noop("Picture"),
        "images": gettext_noop("Further picture %(number)s"),
        "read_more": gettext_noop("Link %(number)s"),
        "button": gettext_noop("Button"),
        "video": gettext_noop("Video"),
        "letter": gettext_noop("Who signs the letter"),
        "letter.portrait": gettext_noop("Portrait"),
        "introductions": gettext_noop("Introductions of sections"),
    }
)


def name_field(path: KeyPath, translator: Translator) -> str:
    """What the text at ``path`` of a front matter is called."""
    key = ".".join(map(str, path))
    if path[0] == "introductions":
        return str(path[1])
    return translator.translate(_KEYS.get(key) or _PARTS[str(path[-1])])


def find_group(path: KeyPath) -> KeyPath:
    """The part of a page that the text at ``path`` belongs to; the first one is empty."""
    if path[:2] == ("letter", "portrait") or path[0] in {"images", "read_more"}:
        return path[:2]
    if path in {("letter", "title")} or len(path) == 1:
        return ()
    return path[:1]


def name_group(group: KeyPath, translator: Translator) -> str:
    """The heading of a part of a page; empty for the first."""
    if not group:
        return ""
    number = group[1] + 1 if len(group) > 1 and isinstance(group[1], int) else None
    key = str(group[0]) if number is not None else ".".join(map(str, group))
    words = _GROUPS[key]
    return translator.translate(words, number=number) if number is not None else translator.translate(words)

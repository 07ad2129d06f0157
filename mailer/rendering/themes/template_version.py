"""The version of the templates: which parts an email has, and what a theme's own templates must therefore do.

A theme file says for which version it was written (``version = 2``). A workspace's own theme keeps working
when the version rises; it only cannot be used for what it does not know yet, and then the message says what
changed.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from locales.phrase import Phrase, gettext_noop, join_sentences
from mailer.errors import TemplateError
from mailer.rendering.themes.phrases import Phrases
from mailer.rendering.themes.template_files import read_toml

VERSION_KEY = "version"
TEMPLATE_VERSION = 2
"""The version of the shipped templates; raised when templates of a workspace have to do something new."""

_UNVERSIONED = 1
"""The version of a theme that does not say: of before themes had versions."""

CHANGES: Mapping[int, str] = MappingProxyType(
    {
        2: gettext_noop(
            "an edition can be a digest. If page.form is “digest”, the layout includes "
            "email/blocks/digest.mjml.j2, which shows the stories of a section as cards where "
            "section.as_cards is true; the plain text does so in email/blocks/story.txt.j2; and the style "
            "sheets have rules for the classes kb, kc, kh and kw."
        )
    }
)
"""What each version changed for templates of a workspace."""

DIGEST_SINCE = 2
"""The version in which digests came."""


def check_version(values: Mapping[str, Any], file: str) -> int:
    """The version that the merged ``values`` of the theme ``file`` state.

    Raises:
        TemplateError: it is not a number, or is that of a newer program.
    """
    version = values.get(VERSION_KEY, _UNVERSIONED)
    if type(version) is not int or version < 1:
        raise TemplateError(
            Phrase(
                gettext_noop(
                    "%(file)s: invalid value %(value)s. Write the number of the version that the theme was "
                    "written for: %(key)s = %(version)s."
                ),
                file=f"{file}: {VERSION_KEY}",
                value=repr(version),
                key=VERSION_KEY,
                version=TEMPLATE_VERSION,
            )
        )
    if version > TEMPLATE_VERSION:
        raise TemplateError(
            Phrase(
                gettext_noop(
                    "%(file)s is of version %(version)s of the templates, and this program has version "
                    "%(current)s. Update the program, or use the theme as it was before."
                ),
                file=file,
                version=version,
                current=TEMPLATE_VERSION,
            )
        )
    return version


def read_version(template: str, overrides: Path | None) -> int:
    """The version of the theme ``template``. Raises the errors of :func:`check_version`."""
    file = f"email/{template}.toml"
    return check_version(read_toml(file, overrides), file)


def explain_old_version(template: str, version: int) -> str:
    """What has changed since ``version``, and what to do; empty if the theme is up to date."""
    if version >= TEMPLATE_VERSION:
        return ""
    since = gettext_noop("Since version %(number)s, %(change)s")
    changes = [
        Phrase(since, number=number, change=Phrase(CHANGES[number])) for number in _newer_than(version)
    ]
    return Phrase(
        gettext_noop(
            "templates/email/%(template)s.toml is of version %(version)s of the templates, and this program "
            "has %(current)s. %(changes)s Compare your templates with ours, add what is missing, then write "
            "`%(key)s = %(current)s` at the top of the file."
        ),
        template=template,
        version=version,
        current=TEMPLATE_VERSION,
        changes=join_sentences(changes),
        key=VERSION_KEY,
    )


def check_digest_support(template: str, overrides: Path | None, phrases: Phrases) -> None:
    """Refuse a digest with a theme that is older than digests, or in a language whose phrases are.

    Raises:
        TemplateError: with the file, what changed and what to do.
    """
    version = read_version(template, overrides)
    if version < DIGEST_SINCE:
        raise TemplateError(
            join_sentences(
                [
                    explain_old_version(template, version),
                    Phrase(gettext_noop("Until then, write `form: full` in edition.md.")),
                ]
            )
        )
    if not phrases.read_story:
        raise TemplateError(
            Phrase(
                gettext_noop(
                    "templates/email/words/%(language)s.toml has no `read_story`, which a digest needs: the "
                    "words of the link from a card to the story, in English “Read the story”. Add the line "
                    '`read_story = "…"`.'
                ),
                language=phrases.language,
            )
        )


def explain_lost_link(story: str) -> str:
    """The message about a block of a workspace that does not show the card of a ``story`` in a digest."""
    return Phrase(
        gettext_noop(
            "the story %(story)s has no link to its page, though the edition is a digest. A template of "
            "yours that replaces one of ours was probably written before there were digests: %(change)s "
            "Compare your files in templates/email/blocks with ours and add what is missing, or write "
            "`form: full` in edition.md."
        ),
        story=story,
        change=Phrase(CHANGES[DIGEST_SINCE]),
    )


def _newer_than(version: int) -> Iterator[int]:
    return (number for number in sorted(CHANGES) if number > version)

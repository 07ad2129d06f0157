"""What has changed since something was approved, or was asked to be: words, options and settings."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from locales.phrase import Phrase, gettext_noop
from mailer.campaigns.approvals.settings_hashes import BINDING, THEME
from mailer.campaigns.content_changes import NEWER_PROGRAM, list_content_changes
from mailer.campaigns.plan import digest_plan
from mailer.rendering.compiled_edition import CompiledEdition, CompiledVersionError


@dataclass(frozen=True, kw_only=True)
class SendingOptions:
    """What is approved beside the content: who gets it, whether also those who have it already, and whether
    clicks on its links are counted."""

    segment: str
    again: bool = False
    counts_clicks: bool = False


@dataclass(frozen=True, kw_only=True)
class FrozenState:
    """What was approved: the ``digest`` of content and segment, the ``options``, and the ``settings`` then,
    each as a hash. ``read_content`` reads the content, and may raise CompiledVersionError."""

    edition: str
    options: SendingOptions
    digest: str
    settings: Mapping[str, str]
    read_content: Callable[[], Sequence[CompiledEdition]]


def list_changed_settings(
    then: Mapping[str, str], now: Mapping[str, str], *, only: Iterable[str] = ()
) -> list[Phrase]:
    """The settings that have another value than ``then``; all of them count, or those in ``only``."""
    chosen = set(only) or set(now)
    return [
        Phrase(THEME) if name == THEME else Phrase(gettext_noop("the setting %(name)s"), name=name)
        for name, value in now.items()
        if name in chosen and then.get(name, value) != value
    ]


def list_changed_options(then: SendingOptions, now: SendingOptions) -> Iterator[Phrase]:
    """The options that are not what they were."""
    if then.segment != now.segment:
        words = gettext_noop("the segment, which was '%(then)s' and is '%(now)s'")
        yield Phrase(words, then=then.segment, now=now.segment)
    if then.again != now.again:
        yield Phrase(gettext_noop("whether those who have it already get it again"))
    if now.counts_clicks and not then.counts_clicks:
        yield Phrase(gettext_noop("clicks on its links, which are counted"))
    elif then.counts_clicks != now.counts_clicks:
        yield Phrase(gettext_noop("clicks on its links, which are no longer counted"))


def list_changes(
    state: FrozenState, compiled: Sequence[CompiledEdition], hashes: Mapping[str, str]
) -> list[Phrase]:
    """The differences between the frozen content and ``compiled``, and between the settings."""
    if state.digest == digest_plan(state.edition, state.options.segment, compiled):
        return list_changed_settings(state.settings, hashes, only=BINDING)
    settings = list_changed_settings(state.settings, hashes)
    try:
        frozen = state.read_content()
    except CompiledVersionError:
        return [Phrase(NEWER_PROGRAM)]
    changes = [*settings, *list_content_changes(frozen, compiled, restyled=bool(settings))]
    # A digest that differs is a change, also where it cannot be named.
    return changes or [Phrase(gettext_noop("how the mail is laid out"))]

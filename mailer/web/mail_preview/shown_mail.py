"""Which email of a compiled edition a preview shows, and how it looks in the frame."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import NamedTuple

from sqlalchemy import Engine

from editions.model import Edition, EditionForm
from mailer.campaigns.recipients import Cohort, find_variants, list_cohorts
from mailer.database.engine import open_session
from mailer.errors import BuildError, TemplateError
from mailer.i18n import Translator, gettext_noop
from mailer.rendering.body.variants import Variant, choose_language
from mailer.rendering.compiled_edition import CompiledEdition, MailTexts
from mailer.rendering.headers import plain_phrase
from mailer.rendering.mail_merge import Reader, personalise
from mailer.web.mail_html import (
    force_colour_scheme,
    force_paper,
    mark_heading,
    open_links_in_new_tab,
    remove_images,
    rewrite_media_urls,
)
from mailer.web.mail_preview.compiler import PreviewCompiler
from mailer.web.mail_preview.query import ColourScheme, ImageLoading, PreviewQuery, ShownForm, ShownWindows
from subscribers.segments.segment import eligible

_COUNTED_FOR = timedelta(minutes=1)
_MAX_VERSIONS = 40
"""Versions whose mail is measured: the ones that most readers get."""
_TAG_LENGTH = 10
_MOST_NAMED = 2
_MAIN = gettext_noop("What most partners get; the others are compared with it")
_WITHOUT = gettext_noop("Without %(stories)s")
_WITH = gettext_noop("Also with %(stories)s")
_ORDER = gettext_noop("In another order: %(story)s comes sooner")
_SAME = gettext_noop("The same stories in the same order")


def choose_mail(
    mails: Mapping[str, CompiledEdition], query: PreviewQuery, reader: Reader
) -> CompiledEdition | None:
    """Choose the email in the requested, the reader's or the edition's language; None if there is none."""
    if not mails:
        return None
    wanted = query.language if query.language in mails else reader.language
    return mails[choose_language(wanted, tuple(mails))]


def choose_form(
    compiler: PreviewCompiler, edition: Edition | None, query: PreviewQuery, mail: CompiledEdition | None
) -> tuple[CompiledEdition | None, str]:
    """Choose the email in the requested form; or in its own, with the reason, if its theme has no other."""
    if mail is None or edition is None or query.form is ShownForm.own:
        return mail, ""
    form = EditionForm(query.form.value)
    if form is edition.form:
        return mail, ""
    try:
        return compiler.compile_in_form(mail, form), ""
    except TemplateError as error:
        return mail, str(error)


def personalise_mail(
    mail: CompiledEdition | None, reader: Reader, variant: Variant | None = None
) -> MailTexts | None:
    """Personalise the email for the preview, without the reader's token, so that its links stay secret.

    Returns None if there is no email, or a merge tag in it cannot be filled; the problems say so.
    """
    try:
        return personalise(mail, reader._replace(token=""), variant) if mail else None
    except BuildError:
        return None


def mark_story(html: str, mail: CompiledEdition, reader: Reader, variant: Variant | None, story: str) -> str:
    """``html``, which :func:`personalise_mail` made of the other arguments, with a place that
    ``#story-SLUG`` leads to."""
    if variant is None:
        variant = mail.variant_for(reader.interests, named=bool(plain_phrase(reader.name)))
    spans, _ = mail.locate_stories(variant)
    start = next((span.start for span in spans if span.slug == story), None)
    if start is None:
        return html
    return mark_heading(html, mail.assemble(variant).html, start, f"story-{story}")


def measure_mail(mail: CompiledEdition, reader: Reader) -> int:
    """Return the size in bytes of the HTML that ``reader`` gets, links included."""
    return len(personalise(mail, reader).html.encode())


def dress_html(html: str, query: PreviewQuery, *, base_url: str, prefix: str = "") -> str:
    """Return the HTML of an email as the frame shows it: its pictures from this server, below ``prefix``, in
    the colour scheme and with the images that ``query`` asks for, on a screen or on paper."""
    html = open_links_in_new_tab(rewrite_media_urls(html, base_url, prefix))
    html = force_colour_scheme(html, dark=query.scheme is ColourScheme.dark)
    if query.show is ShownWindows.paper:
        html = force_paper(html)
    return remove_images(html) if query.images is ImageLoading.off else html


class EditionVersion(NamedTuple):
    """A version of an edition: ``variant``, how many ``readers`` get it, and its size in bytes. ``tag`` names
    it in an address. ``is_whole`` is the edition with all its stories in their own order."""

    tag: str
    variant: Variant
    readers: int
    size: int
    is_whole: bool


class CohortCache:
    """The readers of today in groups. Counting takes seconds, so it is done once a minute. Thread-safe."""

    def __init__(self, engine: Engine, clock: Callable[[], datetime]) -> None:
        self._engine = engine
        self._clock = clock
        self._lock = threading.Lock()
        self._counted: tuple[datetime, tuple[Cohort, ...]] | None = None

    def list_cohorts(self) -> tuple[Cohort, ...]:
        """Return the groups of readers who get mail today."""
        now = self._clock()
        with self._lock:
            # A clock that was set back counts again.
            if self._counted is None or not self._counted[0] <= now < self._counted[0] + _COUNTED_FOR:
                with open_session(self._engine, read_only=True) as session:
                    self._counted = (now, tuple(list_cohorts(session, eligible(now.date()))))
            return self._counted[1]


def list_versions(
    mails: Sequence[CompiledEdition], cohorts: Sequence[Cohort], reader: Reader
) -> tuple[list[EditionVersion], int]:
    """Return the versions that the cohorts get of an edition in its languages, those of most readers first,
    and how many further ones there are. The whole edition in its own language is always among them."""
    if not mails:
        return [], 0
    found = {variant: cohort.size for variant, cohort in find_variants(cohorts, mails).items()}
    wholes = {mail.language: mail.full_variant for mail in mails}
    found.setdefault(wholes[mails[0].language], 0)
    by_language = {mail.language: mail for mail in mails}
    listed = list(found)[:_MAX_VERSIONS]
    if wholes[mails[0].language] not in listed:
        listed[-1] = wholes[mails[0].language]
    versions = [
        EditionVersion(
            tag=tag_variant(variant),
            variant=variant,
            readers=found[variant],
            size=measure_variant(by_language[variant.language], variant, reader),
            is_whole=variant == wholes[variant.language],
        )
        for variant in listed
    ]
    return versions, len(found) - len(versions)


def find_variant(mails: Sequence[CompiledEdition], cohorts: Sequence[Cohort], tag: str) -> Variant | None:
    """Return the variant that ``tag`` names; None if no reader gets it any more."""
    known = dict.fromkeys((*(mail.full_variant for mail in mails), *find_variants(cohorts, mails)))
    return next((variant for variant in known if tag_variant(variant) == tag), None)


def tag_variant(variant: Variant) -> str:
    """Return a short name for a variant in an address."""
    words = "\0".join((variant.language, *variant.stories))
    return sha256(words.encode()).hexdigest()[:_TAG_LENGTH]


def measure_variant(mail: CompiledEdition, variant: Variant, reader: Reader) -> int:
    """Return the size in bytes of the HTML of a variant; 0 if it cannot be made."""
    try:
        shown = personalise_mail(mail, reader, replace(variant, named=False))
    except BuildError:
        return 0
    return len(shown.html.encode()) if shown is not None else 0


def describe_difference(
    translator: Translator, versions: Sequence[Sequence[str]], number: int, titles: Mapping[str, str]
) -> tuple[str, ...]:
    """Say in what the version with this ``number``, from 1, differs from the first one, which most readers
    get: a line for each kind of difference. ``versions`` are the slugs of the stories of each, in their
    order, which are named by their ``titles``.
    """
    translate, own, others = translator.translate, versions[number - 1], versions[0]
    if number == 1:
        return (translate(_MAIN),)
    missing = [slug for slug in others if slug not in own]
    more = [slug for slug in own if slug not in others]
    lines = []
    if missing:
        lines.append(translate(_WITHOUT, stories=_name_some(translator, missing, titles)))
    if more:
        lines.append(translate(_WITH, stories=_name_some(translator, more, titles)))
    # The first of the same stories that stands before others that it follows in the main version.
    shared = ([slug for slug in own if slug in others], [slug for slug in others if slug in own])
    sooner = next((slug for slug, other in zip(*shared, strict=True) if slug != other), "")
    if sooner:
        lines.append(translate(_ORDER, story=_quote(titles.get(sooner, sooner))))
    return tuple(lines) or (translate(_SAME),)


def _name_some(translator: Translator, slugs: Sequence[str], titles: Mapping[str, str]) -> str:
    named = ", ".join(_quote(titles.get(slug, slug)) for slug in slugs[:_MOST_NAMED])
    rest = len(slugs) - _MOST_NAMED
    if rest <= 0:
        return named
    more = translator.translations.ngettext("and %(count)s more", "and %(count)s more", rest)
    return f"{named} {more % {'count': rest}}"


def _quote(title: str) -> str:
    return f"“{title}”"

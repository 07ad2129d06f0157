"""Which email of a compiled edition a preview shows, and how it looks in the frame."""

from collections.abc import Mapping

from editions.model import Edition, EditionForm
from mailer.errors import BuildError, TemplateError
from mailer.rendering.body.variants import Variant, choose_language
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.rendering.headers import plain_phrase
from mailer.rendering.mail_merge import PersonalisedMail, personalise
from mailer.rendering.recipient import Reader
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
) -> PersonalisedMail | None:
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
    """The HTML of an email as the frame shows it: its pictures from this server, below ``prefix``, in the
    colour scheme and with the images that ``query`` asks for, on a screen or on paper."""
    html = open_links_in_new_tab(rewrite_media_urls(html, base_url, prefix))
    html = force_colour_scheme(html, dark=query.scheme is ColourScheme.dark)
    if query.show is ShownWindows.paper:
        html = force_paper(html)
    return remove_images(html) if query.images is ImageLoading.off else html

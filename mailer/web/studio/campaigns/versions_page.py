"""The different mails of a campaign as a contact sheet, and each at full size."""

from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.campaigns.preparation.preparation import Preparation
from mailer.campaigns.preparation.seen_variants import mark_variant_seen
from mailer.rendering.body.variants import choose_language
from mailer.web.form_options import own_language_name
from mailer.web.forms import OwnFormDep
from mailer.web.mail_preview.query import PreviewQuery, ShownWindows, parse_query
from mailer.web.mail_preview.shown_mail import dress_html, personalise_mail
from mailer.web.plain_number import read_number
from mailer.web.studio.campaigns.place import CampaignPlaceDep, PreparationDep, read_title
from mailer.web.studio.campaigns.version_words import describe_versions
from mailer.web.studio.campaigns.versions import MailVersionShown, PreparedMail, look_at_mail, make_reader
from mailer.web.studio.mail_frame import show_mail, show_text, show_words
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage

_ON_SHEET = 12


def show_versions(page: PageDep, place: CampaignPlaceDep, preparation: PreparationDep) -> Response:
    """Show the contact sheet: a page, or for htmx the sheet alone."""
    mail = look_at_mail(page, preparation, compiles=True)
    last = max(1, -(-len(mail.versions) // _ON_SHEET))
    wanted = read_number(page.request.query_params.get("page", ""), digits=5) or 1
    current = min(wanted, last)
    start = (current - 1) * _ON_SHEET
    shown = mail.versions[start : start + _ON_SHEET]
    return page.render(
        "campaign_contact_sheet.html" if page.is_fragment else "campaign_versions.html",
        section="campaigns",
        place=place,
        title=read_title(page, place),
        mail=mail,
        shown=shown,
        words=describe_versions(page, mail, shown),
        current=current,
        last=last,
        languages={mail.language: own_language_name(mail.language) for mail in mail.mails},
    )


def show_version(page: PageDep, place: CampaignPlaceDep, preparation: PreparationDep, tag: str) -> Response:
    """Show one version at full size."""
    mail, version = _find_version(page, preparation, tag)
    query = _read_query(page)
    beside = {one.number: one for one in mail.versions}
    return page.render(
        "campaign_version.html",
        section="campaigns",
        place=place,
        title=read_title(page, place),
        mail=mail,
        version=version,
        words=describe_versions(page, mail, [version]).get(tag),
        before=beside.get(version.number - 1),
        after=beside.get(version.number + 1),
        query=query,
        language=own_language_name(version.language),
    )


def show_version_frame(page: PageDep, preparation: PreparationDep, tag: str) -> Response:
    """Show the email of one version."""
    mail, version = _find_version(page, preparation, tag)
    query = _read_query(page)
    title = page.translator.translate("Preview")
    reader, variant = make_reader(page, version)
    languages = {one.language: one for one in mail.mails}
    compiled = languages[choose_language(version.language, tuple(languages))]
    shown = personalise_mail(compiled, reader, variant)
    if shown is None:
        words = page.translator.translate("There is nothing to show yet. The checks say why.")
        return show_words(words, query, title=title, language=page.translator.tag)
    if query.show is ShownWindows.text:
        return show_text(shown.text, query, title=title, language=compiled.language)
    prefix = page.make_path(f"/editions/{preparation.edition}")
    return show_mail(dress_html(shown.html, query, base_url=page.settings.web.base_url, prefix=prefix))


def mark_version(
    page: PageDep, place: CampaignPlaceDep, preparation: PreparationDep, tag: str, form: OwnFormDep
) -> Response:
    """Write down that the member has looked at a version, and go on to the next that they have not."""
    mail, version = _find_version(page, preparation, tag)
    if form.get("digest") != version.digest:
        # It has changed since the page was opened, so what they have looked at is not this.
        return page.redirect(f"{place.path}/versions/{tag}", Notice.version_changed)
    with page.state.write_session() as session:
        mark_variant_seen(
            session, preparation.campaign_id, page.member.id, version.digest, now=page.state.clock()
        )
    following = [*mail.versions[version.number :], *mail.versions[: version.number - 1]]
    unseen = next((one for one in following if not one.is_seen), None)
    if unseen is None:
        return page.redirect(place.path, Notice.versions_seen)
    return page.redirect(f"{place.path}/versions/{unseen.tag}")


def _find_version(
    page: StudioPage, preparation: Preparation, tag: str
) -> tuple[PreparedMail, MailVersionShown]:
    mail = look_at_mail(page, preparation, compiles=True)
    version = mail.find(tag)
    if version is None:
        raise HTTPException(404)
    return mail, version


def _read_query(page: StudioPage) -> PreviewQuery:
    query = parse_query(page.request.query_params)
    if query.show is ShownWindows.both:
        query = PreviewQuery(show=ShownWindows.desktop, scheme=query.scheme, images=query.images)
    return query

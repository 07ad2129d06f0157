"""The pages on which one looks at every version of a campaign's mail before it is launched."""

from dataclasses import replace

from starlette.responses import Response

from mailer.campaigns.preparation.seen_variants import mark_variant_seen
from mailer.rendering.body.variants import choose_language
from mailer.rendering.mail_merge import anonymous_reader
from mailer.team.members import Permission
from mailer.web.forms import OwnFormDep, read_number
from mailer.web.mail_preview.mail_frame import show_mail, show_text, show_words
from mailer.web.mail_preview.prepared_mail import describe_versions
from mailer.web.mail_preview.query import PreviewQuery, ShownWindows, parse_query
from mailer.web.mail_preview.shown_mail import dress_html, personalise_mail
from mailer.web.studio.campaign_place import PreparedPageDep
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import StudioPage, or_404
from mailer.web.studio.routing import Routes

ROUTES = Routes()
_ON_SHEET = 12


@ROUTES.get_route("/campaigns/{campaign}/versions", Permission.read)
def show_versions(page: PreparedPageDep) -> Response:
    """Show the contact sheet: a page, or for htmx the sheet alone."""
    mail = page.look_at_mail()
    last = max(1, -(-len(mail.versions) // _ON_SHEET))
    wanted = read_number(page.request.query_params.get("page", ""), digits=5) or 1
    current = min(wanted, last)
    start = (current - 1) * _ON_SHEET
    shown = mail.versions[start : start + _ON_SHEET]
    return page.render(
        "campaign_contact_sheet.html" if page.is_fragment else "campaign_versions.html",
        mail=mail,
        shown=shown,
        words=describe_versions(page.translator, page.settings, mail, shown),
        current=current,
        last=last,
    )


@ROUTES.get_route("/campaigns/{campaign}/versions/{tag}", Permission.read)
def show_version(page: PreparedPageDep, tag: str) -> Response:
    mail = page.look_at_mail()
    version = or_404(mail.find(tag))
    beside = {one.number: one for one in mail.versions}
    return page.render(
        "campaign_version.html",
        mail=mail,
        version=version,
        words=describe_versions(page.translator, page.settings, mail, [version]).get(tag),
        before=beside.get(version.number - 1),
        after=beside.get(version.number + 1),
        query=_read_query(page),
    )


@ROUTES.get_route("/campaigns/{campaign}/versions/{tag}/frame", Permission.read)
def show_version_frame(page: PreparedPageDep, tag: str) -> Response:
    mail, query = page.look_at_mail(), _read_query(page)
    version = or_404(mail.find(tag))
    languages = {one.language: one for one in mail.mails}
    compiled = languages[choose_language(version.language, tuple(languages))]
    title = page.translate("Preview")
    reader = anonymous_reader(page.settings)._replace(language=version.language, interests=version.interests)
    shown = personalise_mail(compiled, reader, replace(version.variant, named=False))
    if shown is None:
        words = page.translate("There is nothing to show yet. The checks say why.")
        return show_words(words, query, title=title, language=page.translator.tag)
    if query.show is ShownWindows.text:
        return show_text(shown.text, query, title=title, language=compiled.language)
    prefix = page.make_path(f"/editions/{page.campaign.edition}")
    return show_mail(dress_html(shown.html, query, base_url=page.settings.web.base_url, prefix=prefix))


@ROUTES.post_route("/campaigns/{campaign}/versions/{tag}/seen", Permission.read)
def mark_version(page: PreparedPageDep, tag: str, form: OwnFormDep) -> Response:
    """Write down that the member has looked at a version, and go on to the next that they have not."""
    mail = page.look_at_mail()
    version = or_404(mail.find(tag))
    if form.get("digest") != version.digest:
        # It has changed since the page was opened, so what they have looked at is not this.
        return page.redirect(f"{page.path}/versions/{tag}", Notice.version_changed)
    with page.writing() as session:
        now = page.state.clock()
        mark_variant_seen(session, page.number, page.member.id, version.digest, now=now)
    following = [*mail.versions[version.number :], *mail.versions[: version.number - 1]]
    unseen = next((one for one in following if not one.is_seen), None)
    if unseen is None:
        return page.go_back(Notice.versions_seen)
    return page.redirect(f"{page.path}/versions/{unseen.tag}")


def _read_query(page: StudioPage) -> PreviewQuery:
    query = parse_query(page.request.query_params)
    if query.show is ShownWindows.both:
        query = PreviewQuery(show=ShownWindows.desktop, scheme=query.scheme, images=query.images)
    return query

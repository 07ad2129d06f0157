"""The archive: editions as they were sent, without anything of the readers who got them."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from types import MappingProxyType

from fastapi import Request
from sqlmodel import select
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response

from locales.countries import is_country
from mailer.campaigns.corrections import SentCorrection, list_sent_corrections
from mailer.database.engine import open_session
from mailer.i18n import Translator
from mailer.settings import Settings
from mailer.site_proof import QUESTION_HEADER, is_question, sign_answer
from mailer.web.access import describe_origin
from mailer.web.archive.feeds import ATOM_TYPE, JSON_TYPE, ArchiveFeed, write_atom, write_json
from mailer.web.archive.reading_pages import ReadingPage, annotate_edition, answer_page
from mailer.web.archive_store import ArchivedContent, ArchivedEdition, find_content, list_editions
from mailer.web.dependencies import Site, SiteDep
from mailer.web.forms import list_countries, list_sectors, own_country_names, own_language_name
from mailer.web.mail_html import render_without_reader, rewrite_media_urls
from mailer.web.page_context import PageDep
from mailer.web.page_renderer import IMAGE_HEADERS, IMAGE_TYPES
from mailer.web.routing import GET, Route
from mailer.web.security import make_mail_policy

_IMAGE_NAME = re.compile(r"[0-9a-f]{16}\.(?:jpg|png|gif)")
_CACHE_ONE_HOUR = "public, max-age=3600"
_NO_ROBOTS = "noindex, nofollow"
_FEEDS = MappingProxyType({"atom": (write_atom, ATOM_TYPE), "json": (write_json, JSON_TYPE)})


def show_editions(page: PageDep) -> Response:
    with open_session(page.engine, read_only=True) as session:
        editions = list_editions(session, page.site.archived)
    answer = page.render(
        "editions.html",
        editions=editions,
        names={tag: own_language_name(tag) for edition in editions for tag in edition.languages},
        feeds=_list_feeds(page.translator, page.settings, editions),
    )
    return _set_robots_header(answer, page.settings)


def show_edition(site: SiteDep, request: Request, slug: str, language: str, v: str = "") -> Response:
    """Show the web edition as it was frozen with its campaign: everything, whatever the email has of it. With
    ``v``, the version in the link of the email, an edition outside the archive can be read, too."""
    found, corrections = _find_edition(site, slug, language, v)
    if found.content.web is None:
        return _show_mail(site, found, corrections)
    page = ReadingPage(site=site, found=found, web=found.content.web, corrections=corrections)
    return answer_page(request, page.render_edition(), _make_headers(site.workspace.settings, found))


def show_story(
    site: SiteDep, request: Request, slug: str, language: str, story: str, v: str = ""
) -> Response:
    """Show one story of an edition; ``v`` as for the edition."""
    found, corrections = _find_edition(site, slug, language, v)
    html = None
    if found.content.web is not None:
        page = ReadingPage(site=site, found=found, web=found.content.web, corrections=corrections)
        html = page.render_story(story)
    if html is None:
        raise HTTPException(404)
    return answer_page(request, html, _make_headers(site.workspace.settings, found))


def show_accessibility(page: PageDep) -> Response:
    sender = page.settings.sender
    contact = page.settings.web.accessibility_contact or sender.reply_to or sender.address
    answer = page.render("accessibility.html", report_to=contact)
    return _set_robots_header(answer, page.settings)


def _find_edition(
    site: Site, slug: str, language: str, version: str
) -> tuple[ArchivedContent, list[SentCorrection]]:
    with open_session(site.engine, read_only=True) as session:
        found = find_content(session, slug, language, version)
        if found is None:
            raise HTTPException(404)
        return found, list_sent_corrections(session.connection(), [slug])


def _show_mail(site: Site, found: ArchivedContent, corrections: list[SentCorrection]) -> Response:
    """Show the email of an edition that was sent before there were web editions, in a sandbox of its own."""
    settings = site.workspace.settings
    content = annotate_edition(found.content, corrections, site.workspace.template_overrides)
    html = rewrite_media_urls(
        render_without_reader(content, settings), settings.web.base_url, site.renderer.prefix
    )
    policy = make_mail_policy(images="'self' data:", ancestors="'none'")
    return HTMLResponse(html, headers={**_make_headers(settings, found), "content-security-policy": policy})


def _make_headers(settings: Settings, found: ArchivedContent) -> dict[str, str]:
    headers = {"content-language": found.content.language}
    if not found.is_public:
        return {**headers, "x-robots-tag": _NO_ROBOTS}
    hidden = {"x-robots-tag": _NO_ROBOTS} if settings.web.robots == "noindex" else {}
    return {**headers, **hidden, "cache-control": _CACHE_ONE_HOUR}


def show_feed(site: SiteDep, ending: str) -> Response:
    """Show all editions as a feed; ``ending`` is ``atom`` or ``json``."""
    return _render_feed(site, "/feed", "", ending, lambda _: True)


def show_topic_feed(page: PageDep, axis: str, about: str, ending: str) -> Response:
    site, settings, translator = page.site, page.settings, page.translator
    if axis == "sector" and about in settings.sectors:
        name = dict(list_sectors(translator, settings))[about]
        return _render_feed(
            site, f"/feed/sector/{about}", name, ending, lambda edition: about in edition.sectors
        )
    if axis == "country" and is_country(about):
        name = translator.name_country(about, own_country_names(settings))
        return _render_feed(
            site, f"/feed/country/{about}", name, ending, lambda edition: about in edition.countries
        )
    raise HTTPException(404)


def show_robots(site: SiteDep) -> Response:
    """Show robots.txt: crawlers may read the archive, and nothing that belongs to a reader."""
    lines = "".join(
        f"Disallow: {site.renderer.prefix}{path}\n" for path in ("/u/", "/p/", "/d/", "/confirm/")
    )
    return PlainTextResponse(f"User-agent: *\n{lines}", headers={"cache-control": _CACHE_ONE_HOUR})


def _render_feed(
    site: Site,
    path: str,
    about: str,
    ending: str,
    wanted: Callable[[ArchivedEdition], bool],
) -> Response:
    if ending not in _FEEDS:
        raise HTTPException(404)
    settings = site.workspace.settings
    with open_session(site.engine, read_only=True) as session:
        editions = [edition for edition in list_editions(session, site.archived) if wanted(edition)]
    name = settings.sender.name
    feed = ArchiveFeed(
        title=f"{name}: {about}" if about else name,
        base_url=settings.web.base_url,
        path=path,
        author=name,
        editions=editions,
        overrides=site.workspace.template_overrides,
    )
    write, media_type = _FEEDS[ending]
    answer = Response(write(feed), media_type=media_type, headers={"cache-control": _CACHE_ONE_HOUR})
    # The title is in the reader's language, so caches must keep a copy for each.
    answer.headers["vary"] = "accept-language"
    return _set_robots_header(answer, settings)


def _list_feeds(
    translator: Translator, settings: Settings, editions: Sequence[ArchivedEdition]
) -> list[tuple[str, str]]:
    sectors = {sector for edition in editions for sector in edition.sectors}
    countries = {country for edition in editions for country in edition.countries}
    return [
        *((f"sector/{slug}", name) for slug, name in list_sectors(translator, settings) if slug in sectors),
        *(
            (f"country/{code}", name)
            for code, name in list_countries(translator, own_country_names(settings), countries)
        ),
    ]


def _set_robots_header(answer: Response, settings: Settings) -> Response:
    if settings.web.robots == "noindex":
        answer.headers["x-robots-tag"] = _NO_ROBOTS
    return answer


def show_image(site: SiteDep, name: str) -> Response:
    path = site.workspace.media / name
    if not _IMAGE_NAME.fullmatch(name) or not path.is_file():
        raise HTTPException(404)
    return FileResponse(path, media_type=IMAGE_TYPES[path.suffix], headers=IMAGE_HEADERS)


def show_health(site: SiteDep, request: Request) -> Response:
    """Answer ``ok`` if the pages and their database work, for monitoring; the doctor's signed question gets a
    signed answer.
    """
    with open_session(site.engine, read_only=True) as session:
        session.exec(select(1)).one()
    key, question = site.workspace.keys.suppression, request.headers.get(QUESTION_HEADER, "")
    if not question or not is_question(key, question, datetime.now(UTC)):
        return PlainTextResponse("ok\n")
    answer = sign_answer(key, question, describe_origin(request.scope))
    return Response(answer, media_type="application/json")


ROUTES: tuple[Route, ...] = (
    ("/", show_editions, GET),
    ("/e/", show_editions, GET),
    ("/e/{slug}/{language}", show_edition, GET),
    ("/e/{slug}/{language}/{story}", show_story, GET),
    ("/accessibility", show_accessibility, GET),
    ("/feed.{ending}", show_feed, GET),
    ("/feed/{axis}/{about}.{ending}", show_topic_feed, GET),
    ("/robots.txt", show_robots, GET),
    ("/media/{name}", show_image, GET),
    ("/healthz", show_health, GET),
)

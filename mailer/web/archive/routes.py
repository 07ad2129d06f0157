"""What anybody may read: editions that were sent, as they were sent, without a trace of who got them."""

import re
from collections.abc import Callable, Sequence
from types import MappingProxyType

from fastapi import Request
from sqlmodel import select
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response

from mailer.database.engine import open_session
from mailer.i18n import NATIVE_NAMES, Translator
from mailer.settings import Settings
from mailer.web.archive.feeds import ATOM_TYPE, JSON_TYPE, Feed, write_atom, write_json
from mailer.web.archive.store import ArchivedEdition, find_content, list_editions
from mailer.web.dependencies import Site, SiteDep
from mailer.web.form_options import language_name, list_countries, list_sectors, own_country_names
from mailer.web.language import LANGUAGE_PARAMETER, choose_translator, read_requested_language
from mailer.web.mail_html import render_without_reader, rewrite_media_urls
from mailer.web.page_renderer import CACHE_FOREVER
from mailer.web.security import make_mail_policy
from subscribers.country import is_country

IMAGE_TYPES = {".jpg": "image/jpeg", ".png": "image/png", ".gif": "image/gif"}
IMAGE_HEADERS = {
    "cache-control": CACHE_FOREVER,
    "content-security-policy": "default-src 'none'; sandbox",
    # Mail programs in a browser show our pictures on their own pages.
    "cross-origin-resource-policy": "cross-origin",
}
_IMAGE_NAME = re.compile(r"[0-9a-f]{16}\.(?:jpg|png|gif)")
_CACHE_ONE_HOUR = "public, max-age=3600"
_NO_ROBOTS = "noindex, nofollow"
_READ_METHODS = ("GET", "HEAD")
_FEEDS = MappingProxyType({"atom": (write_atom, ATOM_TYPE), "json": (write_json, JSON_TYPE)})


def show_editions(site: SiteDep, request: Request) -> Response:
    """The list of what may be read, the newest first."""
    with open_session(site.engine, read_only=True) as opened:
        editions = list_editions(opened, site.archive_summaries)
    tongue, settings = choose_translator(request.scope), site.workspace.settings
    asked = read_requested_language(request.scope)
    suffix = f"?{LANGUAGE_PARAMETER}={asked}" if asked else ""
    page = site.renderer.render(
        "editions.html",
        tongue,
        asked=asked,
        editions=editions,
        names={tag: language_name(tag) for edition in editions for tag in edition.languages},
        feeds=_list_feeds(tongue, settings, editions),
        languages=NATIVE_NAMES.items(),
        subscribe_path=f"{site.renderer.prefix}/subscribe{suffix}" if settings.web.sign_up else "",
    )
    return _set_robots_header(page, settings)


def show_edition(site: SiteDep, slug: str, language: str, v: str = "") -> Response:
    """The mail as it was frozen with its campaign, in a sandbox of its own.

    ``v`` is what the link in the mail names: with it, an edition outside the archive can be read too.
    """
    with open_session(site.engine, read_only=True) as opened:
        found = find_content(opened, slug, language, v)
    if found is None:
        raise HTTPException(404)
    settings = site.workspace.settings
    html = rewrite_media_urls(
        render_without_reader(found.content, settings), settings.web.base_url, site.renderer.prefix
    )
    policy = make_mail_policy(images="'self' data:", ancestors="'none'")
    headers = {"content-security-policy": policy, "content-language": found.content.language}
    if not found.is_public:
        return HTMLResponse(html, headers={**headers, "x-robots-tag": _NO_ROBOTS})
    return _set_robots_header(
        HTMLResponse(html, headers={**headers, "cache-control": _CACHE_ONE_HOUR}), settings
    )


def show_feed(site: SiteDep, ending: str) -> Response:
    """All editions as a feed; ``ending`` is ``atom`` or ``json``."""
    return _render_feed(site, "/feed", "", ending, lambda _: True)


def show_topic_feed(site: SiteDep, request: Request, axis: str, about: str, ending: str) -> Response:
    """The editions with a story of a sector or about a country as a feed."""
    tongue, settings = choose_translator(request.scope), site.workspace.settings
    if axis == "sector" and about in settings.sectors:
        name = dict(list_sectors(tongue, settings))[about]
        return _render_feed(
            site, f"/feed/sector/{about}", name, ending, lambda edition: about in edition.sectors
        )
    if axis == "country" and is_country(about):
        name = tongue.name_country(about, own_country_names(settings))
        return _render_feed(
            site, f"/feed/country/{about}", name, ending, lambda edition: about in edition.countries
        )
    raise HTTPException(404)


def show_robots(site: SiteDep) -> Response:
    """What crawlers may look at: the archive, and nothing that belongs to a reader."""
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
    with open_session(site.engine, read_only=True) as opened:
        editions = [edition for edition in list_editions(opened, site.archive_summaries) if wanted(edition)]
    name = settings.sender.name
    feed = Feed(
        title=f"{name}: {about}" if about else name,
        base_url=settings.web.base_url,
        path=path,
        author=name,
        editions=editions,
    )
    write, media_type = _FEEDS[ending]
    answer = Response(write(feed), media_type=media_type, headers={"cache-control": _CACHE_ONE_HOUR})
    # A title in the reader's language: another reader's copy is not this one's.
    answer.headers["vary"] = "accept-language"
    return _set_robots_header(answer, settings)


def _list_feeds(
    tongue: Translator, settings: Settings, editions: Sequence[ArchivedEdition]
) -> list[tuple[str, str]]:
    """The feeds that have something in them, as (path, name)."""
    sectors = {sector for edition in editions for sector in edition.sectors}
    countries = {country for edition in editions for country in edition.countries}
    return [
        *((f"sector/{slug}", name) for slug, name in list_sectors(tongue, settings) if slug in sectors),
        *(
            (f"country/{code}", name)
            for code, name in list_countries(tongue, own_country_names(settings), countries)
        ),
    ]


def _set_robots_header(answer: Response, settings: Settings) -> Response:
    if settings.web.robots == "noindex":
        answer.headers["x-robots-tag"] = _NO_ROBOTS
    return answer


def show_image(site: SiteDep, name: str) -> Response:
    """A picture of an edition. Its name is a hash of its content, so it may be kept for ever."""
    path = site.workspace.media / name
    if not _IMAGE_NAME.fullmatch(name) or not path.is_file():
        raise HTTPException(404)
    return FileResponse(path, media_type=IMAGE_TYPES[path.suffix], headers=IMAGE_HEADERS)


def show_health(site: SiteDep) -> Response:
    """Whether the pages and their database answer, for whoever watches the machine."""
    with open_session(site.engine, read_only=True) as opened:
        opened.exec(select(1)).one()
    return PlainTextResponse("ok\n")


ROUTES: tuple[tuple[str, Callable[..., Response], tuple[str, ...]], ...] = (
    ("/", show_editions, _READ_METHODS),
    ("/e/", show_editions, _READ_METHODS),
    ("/e/{slug}/{language}", show_edition, _READ_METHODS),
    ("/feed.{ending}", show_feed, _READ_METHODS),
    ("/feed/{axis}/{about}.{ending}", show_topic_feed, _READ_METHODS),
    ("/robots.txt", show_robots, _READ_METHODS),
    ("/media/{name}", show_image, _READ_METHODS),
    ("/healthz", show_health, _READ_METHODS),
)

"""Rendering the pages, their static files, and which answers may be compressed."""

import gzip
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import cache, cached_property
from http import HTTPStatus
from types import CodeType, MappingProxyType

from jinja2 import BytecodeCache, Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.bccache import Bucket
from jinja2.runtime import Context
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from locales.languages import text_direction
from mailer.i18n import SOURCE_LANGUAGE, Translator, gettext_noop, load_translator
from mailer.rendering.template_context.page_builder import embed_sender_text
from mailer.settings import SenderSettings, Settings
from templates import ROOT

# Shorter answers fit one packet anyhow.
LEAST_TO_COMPRESS = 1000

_FAST_LEVEL = 6
TEMPLATE_FOLDER = ROOT / "web"
CACHE_FOREVER = "public, max-age=31536000, immutable"
"""For files named by a hash of their content."""
ENGLISH = load_translator(SOURCE_LANGUAGE)
_BACKTICKED = re.compile(r"`([^`]+)`")
# Listed here because the system's table may be wrong, and browsers ignore a style sheet of another type.
_MEDIA_TYPES = MappingProxyType({".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"})
_UNREADABLE = (
    gettext_noop("We could not read that"),
    gettext_noop("What your browser sent could not be read. Please go back and try again."),
)
_ERRORS: Mapping[int, tuple[str, str]] = MappingProxyType(
    {
        400: _UNREADABLE,
        403: (
            gettext_noop("Please use our page"),
            gettext_noop(
                "This was sent from another site, so nothing was changed. Open the link in your email again."
            ),
        ),
        404: (
            gettext_noop("Page not found"),
            gettext_noop("The link may be incomplete. Open it again from the email, or copy all of it."),
        ),
        405: (
            gettext_noop("That does not work here"),
            gettext_noop("This address cannot be used that way. Open the link in your email again."),
        ),
        409: (
            gettext_noop("We need to do this for you"),
            gettext_noop(
                "Our team took this address off the list, so you cannot subscribe it again here. "
                "Please write to us."
            ),
        ),
        410: (
            gettext_noop("This link no longer works"),
            gettext_noop(
                "To protect your subscription, we have switched off the links in our older emails. Nothing "
                "has changed. You can ask for a new link."
            ),
        ),
        413: (
            gettext_noop("That is too large"),
            gettext_noop("What your browser sent is larger than any of our forms. Nothing was changed."),
        ),
        415: _UNREADABLE,
        421: ("Wrong address", "Open this page on this machine, at 127.0.0.1 or localhost."),
        429: (
            gettext_noop("Please wait a while"),
            gettext_noop(
                "Too many people asked for an email at once, from your network or from everywhere. "
                "Nothing was sent. Please try again in an hour."
            ),
        ),
        500: (
            gettext_noop("Something went wrong"),
            gettext_noop("This is our fault, not yours. Please try again later."),
        ),
    }
)
_OTHER_ERROR = gettext_noop("Please go back and try again.")
IMAGE_TYPES = {".jpg": "image/jpeg", ".png": "image/png", ".gif": "image/gif"}
IMAGE_HEADERS = {
    "cache-control": CACHE_FOREVER,
    "content-security-policy": "default-src 'none'; sandbox",
    # Webmail shows our images on its own pages.
    "cross-origin-resource-policy": "cross-origin",
}


class Coding(StrEnum):
    """A content coding (RFC 9110 §8.4.1, RFC 7932)."""

    br = "br"
    """Brotli: smaller by an eighth. Browsers take it over https and from localhost."""

    gzip = "gzip"
    """What every browser takes."""


def accepts(accepted: str, coding: Coding) -> bool:
    """Return whether an Accept-Encoding names ``coding``, and not only to refuse it (RFC 9110 §12.5.3)."""
    for choice in accepted.lower().split(","):
        name, _, weight = choice.replace(" ", "").partition(";")
        if name == coding:
            return not re.fullmatch(r"q=0(\.0*)?", weight)
    return False


def compress_own_page(request: Request, page: Response) -> Response:
    """Compress ``page`` by gzip if one of our own pages, or a person by the address bar, asks for it.

    The length of a compressed page tells what it has in common with its address (BREACH), to whoever may both
    choose the address and watch the line. Another site may choose it, but then the browser says so
    (Sec-Fetch-Site, W3C Fetch Metadata), and the page stays as it is; so it does if the browser says nothing.
    """
    page.headers.add_vary_header("accept-encoding")
    page.headers.add_vary_header("sec-fetch-site")
    is_own = request.headers.get("sec-fetch-site") in {"same-origin", "none"}
    takes_gzip = accepts(request.headers.get("accept-encoding", ""), Coding.gzip)
    if is_own and takes_gzip and len(page.body) >= LEAST_TO_COMPRESS:
        page.body = gzip.compress(bytes(page.body), compresslevel=_FAST_LEVEL, mtime=0)
        page.headers["content-encoding"] = Coding.gzip
        page.headers["content-length"] = str(len(page.body))
    return page


@dataclass(frozen=True, kw_only=True)
class Asset:
    """A static file of the pages. ``name`` contains a hash of ``data``.

    ``brotli`` is ``data`` by Brotli, which only the largest scripts have: Python's standard library cannot
    make it, so it is built with them.
    """

    name: str
    data: bytes
    media_type: str
    brotli: bytes | None = None

    @cached_property
    def compressed(self) -> bytes:
        """``data`` by gzip, which makes a quarter of a script."""
        return gzip.compress(self.data, compresslevel=9, mtime=0)

    def encode(self, accepted: str) -> tuple[bytes, Coding | None]:
        """Return the smallest form that an Accept-Encoding allows, and how it is compressed."""
        if self.brotli is not None and accepts(accepted, Coding.br):
            return self.brotli, Coding.br
        if len(self.data) >= LEAST_TO_COMPRESS and accepts(accepted, Coding.gzip):
            return self.compressed, Coding.gzip
        return self.data, None


class _CompiledTemplates(BytecodeCache):
    """The code of the pages' templates in memory, so that each is compiled once for all apps of a process: a
    change of the settings makes a new app."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[str, CodeType]] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        checksum, code = self._kept.get(bucket.key, ("", None))
        if checksum == bucket.checksum:
            bucket.code = code

    def dump_bytecode(self, bucket: Bucket) -> None:
        if bucket.code is not None:
            self._kept[bucket.key] = (bucket.checksum, bucket.code)


@cache
def _share_compiled_templates() -> _CompiledTemplates:
    return _CompiledTemplates()


class PageRenderer:
    """Renders the pages of one app. ``prefix`` comes before all paths."""

    def __init__(self, settings: Settings, *, prefix: str = "") -> None:
        self.prefix = prefix
        self._assets = _load_assets()
        self._environment = Environment(
            loader=FileSystemLoader(TEMPLATE_FOLDER),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n"],
            bytecode_cache=_share_compiled_templates(),
        )
        # One set of compiled templates serves all languages: the translator is in the context of each page.
        self._environment.install_gettext_callables(  # type: ignore[attr-defined]
            _translate, _translate_number, newstyle=True
        )
        self._environment.policies["ext.i18n.trimmed"] = True
        self._environment.filters.update(
            day=_format_day,
            moment=_format_moment,
            address=_format_address,
            mailto=_make_mailto_link,
            ticks=render_backticks,
            direction=text_direction,
            ours=_make_sender_filter(settings.sender),
        )
        self._environment.globals.update(
            asset=self._asset_path,
            prefix=self.prefix,
            sender_name=settings.sender.name,
            organisation=settings.sender.organisation,
            postal_address=settings.sender.postal_address,
            contact=settings.sender.reply_to or settings.sender.address,
        )

    def render(
        self,
        template: str,
        translator: Translator = ENGLISH,
        *,
        status: int = 200,
        **values: object,
    ) -> HTMLResponse:
        shared = {
            "translator": translator,
            "languages": None,
            "sentence_space": translator.sentence_space,
        }
        html = self._environment.get_template(template).render({**shared, **values})
        return HTMLResponse(html, status_code=status, headers={"content-language": translator.tag})

    def render_error(self, status: int, translator: Translator = ENGLISH) -> HTMLResponse:
        """Render an error page. It repeats nothing from the request, so it is the same for everyone."""
        title, message = _ERRORS.get(status) or (HTTPStatus(status).phrase, _OTHER_ERROR)
        new_link = f"{self.prefix}/link" if status == HTTPStatus.GONE else ""
        return self.render(
            "error.html", translator, status=status, title=title, message=message, new_link=new_link
        )

    def serve_asset(self, name: str, accepted: str = "") -> Response | None:
        """Return the static file called ``name``, hash included; None if there is none.

        It is compressed as ``accepted``, the Accept-Encoding of the request, allows. Readers' pages never
        are: their length would tell what is in them (BREACH). Our static files have no secrets.
        """
        found = next((asset for asset in self._assets.values() if asset.name == name), None)
        if found is None:
            return None
        body, coding = found.encode(accepted)
        headers = {"cache-control": CACHE_FOREVER, "vary": "accept-encoding"}
        if coding is not None:
            headers["content-encoding"] = coding
        return Response(body, media_type=found.media_type, headers=headers)

    def serve_icon(self) -> Response:
        """Return the icon for pages that name none, such as a sandboxed email of another origin."""
        icon = self._assets["icon.svg"]
        headers = {"cache-control": "public, max-age=86400", "cross-origin-resource-policy": "cross-origin"}
        return Response(icon.data, media_type=icon.media_type, headers=headers)

    def _asset_path(self, file: str) -> str:
        return f"{self.prefix}/static/{self._assets[file].name}"


def _make_sender_filter(sender: SenderSettings) -> Callable[[Context, str], Markup]:
    @pass_context
    def quote_ours(context: Context, text: str) -> Markup:
        translator: Translator = context["translator"]
        return embed_sender_text(text, sender, translator.tag)

    return quote_ours


@pass_context
def _translate(context: Context, message: str) -> str:
    translator: Translator = context["translator"]
    return translator.translations.gettext(message)


@pass_context
def _translate_number(context: Context, one: str, many: str, number: int) -> str:
    translator: Translator = context["translator"]
    return translator.translations.ngettext(one, many, number)


@pass_context
def _format_day(context: Context, day: date) -> str:
    translator: Translator = context["translator"]
    return translator.format_day(day)


@pass_context
def _format_moment(context: Context, moment: datetime) -> str:
    translator: Translator = context["translator"]
    return translator.format_moment(moment)


def _format_address(address: str) -> Markup:
    """Format an address in a ``<bdi>`` element, so that it keeps its direction."""
    return Markup('<bdi class="address">{}</bdi>').format(address)


def _make_mailto_link(address: str) -> Markup:
    return Markup('<a class="step" href="mailto:{0}">{0}</a>').format(address)


def render_backticks(text: str) -> Markup:
    """Escape ``text`` and turn `backticks` into code elements."""
    return Markup(_BACKTICKED.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped first


def _load_assets() -> dict[str, Asset]:
    assets = {}
    for path in sorted(TEMPLATE_FOLDER.iterdir()):
        if path.suffix not in _MEDIA_TYPES:
            continue
        data = path.read_bytes()
        name = f"{path.stem}.{hashlib.sha256(data).hexdigest()[:12]}{path.suffix}"
        beside = path.with_name(f"{path.name}.br")
        assets[path.name] = Asset(
            name=name,
            data=data,
            media_type=_MEDIA_TYPES[path.suffix],
            brotli=beside.read_bytes() if beside.exists() else None,
        )
    return assets

"""The mail exactly as it was asked to be approved, from what was frozen and not from the files."""

from html import escape
from pathlib import Path, PurePosixPath

from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, HTMLResponse, Response

from mailer.campaigns.approvals.rounds import Round, read_variant_content
from mailer.rendering.compiled_edition import CompiledVersionError
from mailer.rendering.mail_merge import anonymous_reader
from mailer.web.forms import read_number
from mailer.web.mail_preview.query import PreviewQuery, ShownWindows, parse_query
from mailer.web.mail_preview.shown_mail import dress_html, personalise_mail
from mailer.web.page_renderer import IMAGE_HEADERS, IMAGE_TYPES
from mailer.web.security import make_mail_policy
from mailer.web.studio.page import Visit

# Of the same origin as the page around it, so that its pictures get the cookie of the session. It can run
# nothing.
_FRAME_HEADERS = {
    "content-security-policy": make_mail_policy(images="'self' data:", ancestors="'self'", own_origin=True),
}
_TEXT_PAGE = (
    '<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>{title}</title><style>'
    ":root{{color-scheme:light dark}}body{{margin:24px}}"
    "pre{{margin:0;font:13px/20px ui-monospace,Menlo,Consolas,monospace;white-space:pre-wrap;"
    "overflow-wrap:break-word}}</style></head><body><pre>{text}</pre></body></html>\n"
)
_PRIVATE = "private, max-age=86400, immutable"


def read_variant_number(text: str) -> int:
    """The number of a variant in a path.

    Raises:
        HTTPException: 404, it is none.
    """
    number = read_number(text, digits=6)
    if number is None:
        raise HTTPException(404)
    return number


def show_frozen_mail(visit: Visit, asked: Round, number: str, media_path: str) -> Response:
    """The mail of one variant of a round, for a frame. ``media_path`` is where its pictures are.

    Raises:
        HTTPException: 404, there is no such variant, or it cannot be shown.
    """
    variant = asked.facts.find_variant(read_variant_number(number))
    if variant is None:
        raise HTTPException(404)
    try:
        with visit.state.read_session() as session:
            mail = read_variant_content(session.connection(), asked.id, variant.language)
    except CompiledVersionError as error:
        raise HTTPException(404) from error
    shown = personalise_mail(mail, anonymous_reader(visit.settings), variant)
    if shown is None:
        raise HTTPException(404)
    query = parse_query(visit.request.query_params)
    if query.show is ShownWindows.text:
        page = _TEXT_PAGE.format(
            language=variant.language, title=escape(asked.facts.subject), text=escape(shown.text)
        )
        return HTMLResponse(page, headers=_FRAME_HEADERS)
    html = dress_html(
        shown.html,
        PreviewQuery(show=ShownWindows.desktop, scheme=query.scheme, images=query.images),
        base_url=visit.settings.web.base_url,
        prefix=media_path,
    )
    return HTMLResponse(html, headers=_FRAME_HEADERS)


def show_frozen_image(visit: Visit, name: str) -> Response:
    """A picture of a mail that was asked to be approved: as launches do, asking puts them into the media
    folder, named by their content.

    Raises:
        HTTPException: 404, there is no such picture.
    """
    media_type = IMAGE_TYPES.get(PurePosixPath(name).suffix)
    if media_type is None or name != Path(name).name or "\0" in name:
        raise HTTPException(404)
    path = visit.state.workspace.media / name
    try:
        is_there = path.is_file()
    except (OSError, ValueError):
        is_there = False
    if not is_there:
        raise HTTPException(404)
    return FileResponse(path, media_type=media_type, headers={**IMAGE_HEADERS, "cache-control": _PRIVATE})

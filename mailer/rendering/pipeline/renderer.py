"""Drawing: a page and a theme become MJML, HTML and plain text. Pure, and the only way templates are run.

It loads Jinja, MRML and premailer, and it runs what a workspace's templates say. So the program calls it
through :mod:`mailer.rendering.worker.client`, which does it in a process apart.
"""

from collections.abc import Callable
from pathlib import Path

from mailer.rendering.pipeline.css_inliner import inline_styles
from mailer.rendering.pipeline.jinja_env import compile_shipped_templates, make_environment, render_template
from mailer.rendering.pipeline.mjml import convert_mjml, strip_origins
from mailer.rendering.pipeline.rendered_page import RenderedPage
from mailer.rendering.pipeline.story_dependencies import track_stories
from mailer.rendering.template_context.page import Page


def _ignore(_name: str) -> None:
    return None


def render_page(
    page: Page, *, template: str, overrides: Path | None, on_template: Callable[[str], None] = _ignore
) -> RenderedPage:
    """Draw ``page`` with the theme ``template``; templates in the folder ``overrides`` come before ours.

    ``announce`` is told the name of each template before its turn, so that whoever watches can name it
    should the process end there.

    Raises:
        TemplateError: a template is wrong, or what it writes; with template, story and line.
    """
    layout, sheet, twin = (f"email/{template}.{ending}.j2" for ending in ("mjml", "inline.css", "txt"))
    markup, plain = (make_environment(overrides, markup=markup) for markup in (True, False))
    with track_stories() as trace:
        on_template(layout)
        mjml = render_template(markup, layout, page=page)
        html = convert_mjml(mjml, template=layout)
        on_template(sheet)
        html = inline_styles(html, render_template(plain, sheet, page=page)).strip() + "\n"
        on_template(twin)
        # Not strip() alone: the separators that mark slices count as white space.
        text = render_template(plain, twin, page=page).strip(" \n") + "\n"
    return RenderedPage(
        mjml=strip_origins(mjml), html=html, text=text, stories_isolated=trace.stories_isolated
    )


def warm_up() -> None:
    """Do once, before the first page comes, what the libraries do at their first use; no page needs it."""
    compile_shipped_templates()
    inline_styles("<!doctype html><html><body><p class='a'>.</p></body></html>", ".a{margin:0}")

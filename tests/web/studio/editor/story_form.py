"""A page with the story editor, as Studio's has it: the form, the policy, the parts and the style sheets."""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from fastapi import FastAPI, Request
from jinja2 import Environment, FileSystemLoader
from playwright.sync_api import Browser, CDPSession, Locator, Page, Route
from starlette.responses import HTMLResponse, Response

from editions.rich_text.document import read_document, write_document
from locales.languages import text_direction
from mailer.web.page_renderer import TEMPLATE_FOLDER
from mailer.web.security import STUDIO_POLICY, SecurityMiddleware, SecurityRules
from mailer.web.server import start_in_thread
from tests.web.site import collect_browser_errors

Document = Mapping[str, Any]

PAGE = """
{% from "studio/story_editor.html" import show_story_editor, story_editor_words %}
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>A story</title>
<link rel="stylesheet" href="/files/tokens.css">
<link rel="stylesheet" href="/files/studio.css">
<link rel="icon" href="/files/icon.svg">
<script src="/files/studio.js" defer></script>
<script src="/files/story_editor.js" defer></script>
</head>
<body>
<main>
<h1>A story</h1>
<p><a id="wrong" href="#body">The text has a problem</a></p>
<form method="post" action="/save">
<div class="field">
<label for="body">Text</label>
<textarea id="body" name="body" lang="{{ language }}">{{ body }}</textarea>
{{ show_story_editor(document, "Text", language) }}
</div>
<button class="main" type="submit" data-save>Save</button>
<button type="reset">Undo all changes</button>
</form>
</main>
{{ story_editor_words() }}
</body>
</html>
"""

# Counts what the policy refused; written before any script of the page runs.
_COUNT_REPORTS = """
window.reports = [];
document.addEventListener("securitypolicyviolation", (event) => window.reports.push(event.violatedDirective));
"""

# A document that is none of the schema has no editor.
_IS_READY = """() => {
  const editor = document.querySelector("story-editor");
  return editor.hidden || editor.isReadyToPaste;
}"""


@dataclass
class StoryForm:
    """A server with one story. ``document`` is what its editor shows, ``body`` what its text area does;
    ``saved`` is what its form has sent."""

    document: Document = field(default_factory=dict)
    body: str = ""
    language: str = "en"
    saved: list[dict[str, str]] = field(default_factory=list)
    url: str = ""

    def forget(self) -> None:
        """Have an empty story again."""
        self.document, self.body, self.language, self.saved = make_document(), "", "en", []

    @contextlib.contextmanager
    def edit(
        self,
        browser: Browser,
        document: Document | None = None,
        *,
        answer_cleaner: Callable[[Route], None] | None = None,
        **options: object,
    ) -> Iterator["StoryPage"]:
        """The page in a browser; an error there, or anything that the policy refuses, fails the test.

        ``answer_cleaner`` answers in the place of the server when the page asks for what cleans pasted HTML;
        otherwise it has been loaded."""
        if document is not None:
            self.document = document
        context = browser.new_context(**{"viewport": {"width": 900, "height": 900}, **options})  # type: ignore[arg-type]
        try:
            page = context.new_page()
            page.add_init_script(_COUNT_REPORTS)
            errors = collect_browser_errors(page)
            if answer_cleaner is not None:
                page.route("**/story_paste.js*", answer_cleaner)
            page.goto(self.url)
            if answer_cleaner is None and options.get("java_script_enabled") is not False:
                page.wait_for_function(_IS_READY)
            yield StoryPage(page=page)
            assert not errors, errors
            reports = [] if options.get("java_script_enabled") is False else page.evaluate("window.reports")
            assert not reports, reports
        finally:
            context.close()


@dataclass(frozen=True, kw_only=True)
class StoryPage:
    """The story in a browser."""

    page: Page

    @property
    def text(self) -> Locator:
        """The text that is written in."""
        return self.page.get_by_role("textbox", name="Text")

    def button(self, name: str) -> Locator:
        """A button of the toolbar."""
        return self.page.get_by_role("toolbar").get_by_role("button", name=name, exact=True)

    @property
    def document(self) -> Document:
        """What the editor would submit."""
        return json.loads(self.page.evaluate("document.querySelector('story-editor').value"))  # type: ignore[no-any-return]

    @property
    def markdown(self) -> str:
        """What the server would write for what the editor shows, if there was nothing before."""
        return write_document("", dict(self.document)).text

    def begin(self, markdown: str = "") -> None:
        """Have another story in the same page, and the cursor in it."""
        self.set_document(read_document(markdown))
        self.text.focus()

    def set_document(self, document: Document) -> None:
        """Set the editor's value, as a script of the page does."""
        self.page.evaluate(
            "value => { document.querySelector('story-editor').value = value }", json.dumps(document)
        )

    def wait_for_text(self, words: str) -> None:
        """Wait until the editor would submit ``words``, and no input method is in the middle of one."""
        self.page.wait_for_function(
            """words => {
              const { isComposing, value } = document.querySelector("story-editor");
              return !isComposing && value.includes(words);
            }""",
            arg=words,
        )

    def place(self, words: str, offset: int = 0) -> None:
        """Put the cursor ``offset`` letters into ``words``."""
        placed = self.page.evaluate(
            """async ([words, offset]) => {
              const text = document.querySelector("[role=textbox]");
              text.focus();
              const walker = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
              for (let node; (node = walker.nextNode()); ) {
                const at = node.data.indexOf(words);
                if (at < 0) continue;
                // The editor learns of it by an event, and puts its own cursor back if it has just drawn.
                const cursor = getSelection();
                do {
                  cursor.collapse(node, at + offset);
                  for (let frames = 0; frames < 3; frames += 1) await new Promise(requestAnimationFrame);
                } while (cursor.anchorNode !== node || cursor.anchorOffset !== at + offset);
                return true;
              }
              return false;
            }""",
            [words, offset],
        )
        assert placed, f"the text has no {words!r}"

    def select(self, words: str) -> None:
        """Select ``words``, which are one piece of text."""
        self.place(words)
        self.page.evaluate(
            """async (words) => {
              const { anchorNode: node, anchorOffset: at } = getSelection();
              getSelection().setBaseAndExtent(node, at, node, at + words.length);
              await new Promise(requestAnimationFrame);
              await new Promise(requestAnimationFrame);
            }""",
            words,
        )

    def paste(self, html: str, text: str = "", *, times: int = 1) -> None:
        """Paste what another program put on the clipboard, each so many times over."""
        self.page.evaluate(
            """([html, text, times]) => {
              const clipboardData = new DataTransfer();
              if (html) clipboardData.setData("text/html", html.repeat(times));
              clipboardData.setData("text/plain", text.repeat(times));
              const event = new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true });
              document.querySelector("[role=textbox]").dispatchEvent(event);
            }""",
            [html, text, times],
        )

    def open_devtools(self) -> CDPSession:
        """The browser's own protocol, which can compose as an input method does."""
        return self.page.context.new_cdp_session(self.page)


@contextlib.contextmanager
def serve_story_form() -> Iterator[StoryForm]:
    """Serve the page on this machine, behind Studio's own policy."""
    story = StoryForm()
    environment = Environment(
        loader=FileSystemLoader(TEMPLATE_FOLDER),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_null_translations(newstyle=True)  # type: ignore[attr-defined]
    environment.filters["direction"] = text_direction
    environment.globals["asset"] = lambda name: f"/files/{name}"
    template = environment.from_string(PAGE)

    def show() -> Response:
        return HTMLResponse(
            template.render(document=story.document, body=story.body, language=story.language)
        )

    async def save(request: Request) -> Response:
        story.saved.append(dict(parse_qsl((await request.body()).decode(), keep_blank_values=True)))
        return HTMLResponse(
            '<!doctype html><title>Saved</title><link rel="icon" href="/files/icon.svg"><p>Saved.'
        )

    def serve_file(name: str) -> Response:
        media = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
        path = TEMPLATE_FOLDER / name
        return Response(path.read_bytes(), media_type=media[path.suffix[1:]])

    app = FastAPI(openapi_url=None)
    app.add_api_route("/", show, response_model=None)
    app.add_api_route("/save", save, methods=["POST"], response_model=None)
    app.add_api_route("/files/{name}", serve_file, response_model=None)
    rules = SecurityRules(
        policy=STUDIO_POLICY, error_page=lambda status, _: Response(status_code=status), local_only=True
    )
    app.add_middleware(SecurityMiddleware, rules=rules)
    running = start_in_thread(app)
    story.url = running.url
    try:
        yield story
    finally:
        running.stop()


def make_document(*blocks: Document) -> Document:
    """A document of ``blocks``; one empty paragraph if there are none."""
    return {"type": "doc", "content": list(blocks) or [{"type": "paragraph"}]}


def make_paragraph(*content: str | Document) -> Document:
    """A paragraph of words and other inline nodes."""
    return {
        "type": "paragraph",
        "content": [make_text(part) if isinstance(part, str) else part for part in content],
    }


def make_text(words: str, *marks: str, href: str = "") -> Document:
    """Words with marks; ``href`` makes a link of them."""
    found: list[Document] = [{"type": "link", "attrs": {"href": href, "title": None}}] if href else []
    found += [{"type": mark} for mark in marks]
    return {"type": "text", "text": words, **({"marks": found} if found else {})}

"""Whatever is typed, uploaded, named or put in an address: nothing of it is executed, and no page breaks.

Every page of the matrix is opened with hostile queries and with an edition whose every text is hostile, and
every form on it is sent with every field hostile. The browser's own policy must have nothing to report: it is
the second wall, and the first has to hold alone.

Every page is asked for with every text; the browser opens those whose answer it has not judged before, byte
for byte. That is every page with the first text, and a third of them with each of the others: the rest show
none of what is hostile.
"""

import contextlib
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlencode, urljoin

import httpx2
import pytest
from lxml import html
from playwright.sync_api import Browser, BrowserContext, Dialog, Page
from playwright.sync_api import Error as BrowserError
from sqlmodel import Session

from mailer.activity.acts import Act
from mailer.activity.deeds import Deed
from mailer.activity.record import Actor, record_activity
from mailer.database.team_models import Role
from mailer.web.dependencies import utc_now
from subscribers.models import Status, Subscriber, SubscriberTag
from subscribers.validation import MAX_TAG_LENGTH
from tests.factories.small_edition import SLUG
from tests.web.site import write_form_data
from tests.web.studio.house import House, open_house
from tests.web.studio.test_routes import MATRIX, make_path

pytestmark = pytest.mark.soak

HIT = "hostile-hit"
_ATTEMPTS = 5
VECTORS = (
    f"<script>fetch('/{HIT}')</script>",
    f"<img src=x onerror=fetch('/{HIT}')>",
    f"<svg onload=fetch('/{HIT}')>",
    f"<svg><script>fetch('/{HIT}')</script></svg>",
    f"\"><script>fetch('/{HIT}')</script>",
    f"'><img src=x onerror=fetch('/{HIT}')>",
    f"\" autofocus onfocus=fetch('/{HIT}') x=\"",
    f"' onmouseover=fetch('/{HIT}') '",
    f"javascript:fetch('/{HIT}')",
    f"[link](javascript:fetch('/{HIT}'))",
    f"![x](javascript:fetch('/{HIT}'))",
    f"<a href=\"javascript:fetch('/{HIT}')\">x</a>",
    f"<iframe srcdoc=\"<script>fetch('/{HIT}')</script>\"></iframe>",
    f"<iframe src=\"javascript:fetch('/{HIT}')\"></iframe>",
    f"<object data=\"data:text/html,<script>fetch('/{HIT}')</script>\"></object>",
    f'<embed src="/{HIT}">',
    f'<link rel=stylesheet href="/{HIT}.css">',
    f"<style>@import '/{HIT}.css';</style>",
    f'<div style="background:url(/{HIT})">x</div>',
    f'<div hx-get="/{HIT}" hx-trigger="load">x</div>',
    f'<form action="/{HIT}"><button autofocus>x</button></form>',
    f'<meta http-equiv=refresh content="0;url=/{HIT}">',
    f'<base href="/{HIT}/">',
    f"</title><script>fetch('/{HIT}')</script>",
    f"</textarea><script>fetch('/{HIT}')</script>",
    f"--><script>fetch('/{HIT}')</script>",
    f"{{{{ 7*7 }}}}{{% if 1 %}}<script>fetch('/{HIT}')</script>{{% endif %}}",
    f"<math><mtext><mglyph><style><img src=x onerror=fetch('/{HIT}')>",
    f"<details open ontoggle=fetch('/{HIT}')>x</details>",
    f"<template><script>fetch('/{HIT}')</script></template><p contenteditable autofocus>",
    "\u202e\u2066\ufeff<b>bidi</b>\u0000\u0085",
    "%0d%0aSet-Cookie: hit=1%0d%0a\r\nX-Hit: 1",
)
QUERIES = (
    "notice",
    "next",
    "lang",
    "person",
    "act",
    "edition",
    "day",
    "before",
    "page",
    "view",
    "as",
    "q",
    "to",
)

_WATCH = """
document.addEventListener('securitypolicyviolation', (event) =>
  console.error('CSP ' + event.violatedDirective + ' ' + event.blockedURI + ' ' + event.sample), true);
"""
_JUDGE = """() => {
  // A file, or a mail.
  if (!document.contentType.includes('text/html') || !document.querySelector('.room, main.sheet')) return [];
  const found = [];
  const urls = ['href', 'src', 'action', 'formaction', 'xlink:href', 'data', 'srcdoc', 'poster'];
  for (const element of document.querySelectorAll('*')) {
    for (const {name, value} of element.attributes) {
      if (/^on/i.test(name)) found.push(`${element.tagName} has ${name}`);
      if (urls.includes(name.toLowerCase()) && /^[\\s\\x00-\\x20]*(javascript|data:text)/i.test(value))
        found.push(`${element.tagName} ${name}=${value.slice(0, 60)}`);
      if (name.startsWith('hx-') && value.includes('hostile-hit') && !value.startsWith('/studio/'))
        found.push(`${element.tagName} ${name}=${value.slice(0, 60)}`);
    }
  }
  const foreign = 'script:not([src]), style, base, object, embed, meta[http-equiv]';
  for (const one of document.querySelectorAll(foreign))
    found.push(`<${one.tagName}> stands in the page`);
  if (document.querySelectorAll('main').length !== 1) found.push('not one main');
  if (!document.querySelector('.room > main, main.sheet')) found.push('main is not where it belongs');
  return found;
}"""
_FILL = """([form, vectors]) => {
  let number = 0;
  form.noValidate = true;
  for (const field of form.elements) {
    if (field.type === 'file' || field.type === 'submit' || field.tagName === 'FIELDSET') continue;
    const words = vectors[number++ % vectors.length];
    if (field.type === 'checkbox') field.checked = true;
    else if (field.type === 'radio' || field.tagName === 'SELECT') continue;
    else if (['date', 'number', 'range', 'datetime-local', 'month', 'time'].includes(field.type)) continue;
    else if (field.localName === 'story-editor') field.value = JSON.stringify({
        type: 'doc', content: [{type: 'paragraph', content: [{type: 'text', text: words}]}]});
    else { field.removeAttribute('maxlength'); field.disabled = false; field.value = words; }
  }
  return number;
}"""


_FETCHES = (b"hx-get", b"hx-trigger", b"<iframe")
_FETCH_NOTHING = frozenset({b"changes", b"copy", b"heat_map", b"htmx", b"pages", b"studio"})
"""Our scripts that ask for nothing by themselves; htmx does where a page has one of the attributes above."""
_SCRIPT = re.compile(rb'<script[^>]* src="[^"?]*/(\w+)\.js')


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The answers that a browser has judged, by address. It does the same with the same bytes, unless they
    make it ask for more."""

    client: httpx2.Client
    _answers: set[tuple[object, ...]] = field(default_factory=set)

    def judge_new(self, url: str, judge: Callable[[], None]) -> None:
        """Call ``judge`` if an address answers with something that no browser has judged."""
        answer = self.client.get(url)
        headers = [(name, value) for name, value in answer.headers.items() if name != "date"]
        known = (url, answer.status_code, tuple(sorted(headers)), answer.content)
        if known not in self._answers or _fetches_more(answer.content):
            judge()
            self._answers.add(known)


def _fetches_more(body: bytes) -> bool:
    return any(one in body for one in _FETCHES) or not set(_SCRIPT.findall(body)) <= _FETCH_NOTHING


class Watch:
    """What must not happen in a page: a dialog, a request that a vector asked for, a report of the policy."""

    def __init__(self, context: BrowserContext, judged: Judged) -> None:
        self._judged = judged
        self.page: Page = context.new_page()
        self.faults: list[str] = []
        self.page.add_init_script(_WATCH)
        self.page.on("dialog", self._dismiss)
        self.page.on("request", lambda request: self._look_at(request.url))
        self.page.on("console", lambda message: self._read(message.text))
        self.page.on("pageerror", lambda error: self.faults.append(f"script error {error}"))

    def forget(self) -> None:
        """Leave the page that is open, and forget what it and the ones before it have kept."""
        with contextlib.suppress(BrowserError):
            self.page.evaluate("localStorage.clear(); sessionStorage.clear()")
        # Before the cookies: a frame that is still loading would come to the sign-in page, which no page may
        # frame, and what the browser says of that would be told of the next page.
        self.page.goto("about:blank")
        self.page.context.clear_cookies()
        self.faults.clear()

    def _dismiss(self, dialog: Dialog) -> None:
        if dialog.type != "beforeunload":
            self.faults.append(f"dialog {dialog.message}")
        dialog.accept()

    def _look_at(self, url: str) -> None:
        path = url.split("?")[0]
        if path.split("/", 3)[-1].startswith(HIT) or path.endswith((f"/{HIT}", f"/{HIT}.css")):
            self.faults.append(f"request {url[:200]}")

    def _read(self, words: str) -> None:
        if "CSP " in words or "Content Security Policy" in words:
            self.faults.append(words[:300])

    def open_new(self, url: str) -> None:
        """Open an address and judge the page, unless the very same has been judged already."""

        def judge() -> None:
            assert self.open(url) < 500, url

        self._judged.judge_new(url, judge)

    def open(self, url: str) -> int:
        """Open an address and judge the page; return its status, 0 where there is none to see."""
        try:
            answer = self.page.goto(url, wait_until="load")
        except BrowserError as error:
            if "Download" in str(error) or "ERR_ABORTED" in str(error):
                return 0
            raise
        self.judge(url)
        return 0 if answer is None else answer.status

    def judge(self, what: str) -> None:
        """Demand that nothing has happened, and that the page is built as its template builds it."""
        for attempt in range(_ATTEMPTS):
            try:
                self.page.wait_for_load_state("load")
                self.faults += self._judge_page()
                break
            except BrowserError:
                # The page went on to another one by itself.
                if attempt == _ATTEMPTS - 1:
                    raise
        assert self.faults == [], f"{what[:300]}: {self.faults}"

    def _judge_page(self) -> list[str]:
        found: list[str] = self.page.evaluate(_JUDGE)
        return found


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[House]:
    with open_house(tmp_path_factory.mktemp("hostile"), sqlite_template) as house:
        yield house


@pytest.fixture(scope="module")
def judged(house: House) -> Iterator[Judged]:
    headers = {"cookie": house.cookies[Role.manager]}
    with httpx2.Client(headers=headers, trust_env=False, timeout=60) as client:
        yield Judged(client=client)


@pytest.fixture(scope="module")
def tab(judged: Judged, browser: Browser) -> Iterator[Watch]:
    """A page that stays open: to open one costs as much as to load ten."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(120_000)
    yield Watch(context, judged)
    context.close()


@pytest.fixture
def watch(house: House, tab: Watch) -> Iterator[Watch]:
    tab.forget()
    name, _, secret = house.cookies[Role.manager].partition("=")
    tab.page.context.add_cookies([{"name": name, "value": secret, "domain": "localhost", "path": "/"}])
    try:
        yield tab
    finally:
        tab.forget()
        house.restore()


PAGES = tuple(name.partition(" ")[2] for name, row in MATRIX.items() if name.startswith("GET "))


def make_url(house: House, template: str) -> str:
    return f"{house.studio.url}{make_path(template, MATRIX[f'GET {template}'].values)}"


def poison(house: House, vector: str) -> None:
    """Put ``vector`` into every text of the edition's files, into the names and the log of the team, and into
    what is stored of a partner."""
    words = vector.replace("\0", "").replace("\r", " ").replace("\n", " ")
    quoted = "'" + words.replace("'", "''") + "'"
    folder = house.studio.workspace.editions / SLUG
    for path in (folder / "edition.md", *sorted((folder / "stories").glob("*.md"))):
        _, front, body = path.read_text(encoding="utf-8").split("---\n", 2)
        lines = [
            f"{line.partition(':')[0]}: {quoted}"
            if line.partition(":")[0].strip() in {"title", "subject", "preheader", "name", "period"}
            else line
            for line in front.splitlines()
        ]
        text = "\n".join(lines)
        path.write_text(f"---\n{text}\n---\n{body}\n{words}\n\n> {words}\n\n- {words}\n", encoding="utf-8")
    with Session(house.studio.engine) as session:
        member = house.studio.add_member(Role.author, words, f"v{abs(hash(vector))}@example.org")
        for act in (Act.edited_subscriber, Act.rotated_keys):
            record_activity(
                session,
                Actor.from_member(member),
                Deed(act=act, edition=words, subject=words, detail=words),
                now=utc_now(),
            )
        address = f"p{abs(hash(vector))}@example.org"
        person = Subscriber(
            email=address, envelope=address, name=words, organisation=words, status=Status.active,
            created_at=utc_now(), updated_at=utc_now(),
        )  # fmt: skip
        session.add(person)
        session.flush()
        session.add(SubscriberTag(subscriber_id=person.id or 0, tag=words[:MAX_TAG_LENGTH]))
        session.commit()


def open_every_page(house: House, watch: Watch) -> None:
    for template in PAGES:
        watch.open_new(make_url(house, template))


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(VECTORS.index(vector)))
def test_every_hostile_text_in_files_names_and_the_log_is_only_shown(
    house: House, watch: Watch, vector: str
) -> None:
    poison(house, vector)
    open_every_page(house, watch)


@pytest.mark.parametrize("template", PAGES)
def test_hostile_queries_change_no_page(house: House, watch: Watch, template: str) -> None:
    path = make_path(template, MATRIX[f"GET {template}"].values)
    for start in (4, 17):
        values = {name: VECTORS[(start + at) % len(VECTORS)] for at, name in enumerate(QUERIES)}
        assert watch.open(f"{house.studio.url}{path}?{urlencode(values)}") < 500


def _send_every_form(house: House, watch: Watch, template: str, first: int) -> None:
    """Send each form of a page with hostile fields; ``first`` is the vector of the first field."""
    url = make_url(house, template)
    page = watch.page
    if watch.open(url) != 200:
        return
    # Signing out stands on every page, and has no field.
    forms = page.locator("main form")
    number = forms.count()
    for at in range(number):
        if at:
            watch.open(url)
        if forms.count() <= at:
            break
        form = forms.nth(at)
        vectors = [VECTORS[(first + at + place) % len(VECTORS)] for place in range(len(VECTORS))]
        page.evaluate(_FILL, [form.element_handle(), vectors])
        for place, file in enumerate(form.locator("input[type=file]").all()):
            name = vectors[place].replace("/", "_").replace("\0", "_") + ".jpg"
            file.set_input_files({"name": name, "mimeType": "image/jpeg", "buffer": b"no picture"})
        is_file = (form.get_attribute("action") or "").endswith("/export")
        with page.expect_download() if is_file else page.expect_navigation(wait_until="load"):
            form.evaluate("form => HTMLFormElement.prototype.submit.call(form)")
        watch.judge(f"form {at} of {template}")
    if number:
        for shown in ("/", "/editions", f"/editions/{SLUG}", "/team", "/log"):
            watch.open_new(f"{house.studio.url}{shown}")


@pytest.mark.parametrize("template", PAGES)
def test_hostile_fields_are_refused_or_kept_as_text(house: House, watch: Watch, template: str) -> None:
    _send_every_form(house, watch, template, first=4)


def _fill_form(form: html.FormElement, vectors: list[str], *, hidden: bool) -> list[tuple[str, str]]:
    """The fields of a form as a browser sends them, with hostile words where one can type; in hidden ones,
    too, if ``hidden``, which most forms refuse before they look at the others."""
    fields: list[tuple[str, str]] = []
    for place, one in enumerate(form.inputs):
        kind = one.get("type", "text" if one.tag == "input" else one.tag)
        name, words = one.get("name"), vectors[place % len(vectors)]
        if not name or kind in {"submit", "button", "file"}:
            continue
        if kind == "select":
            fields.append((name, one.value or ""))
        elif kind in {"checkbox", "radio", "date", "number", "range"} or (kind == "hidden" and not hidden):
            fields.append((name, one.get("value", "on")))
        else:
            fields.append((name, words))
    return fields


def _send_form(
    client: httpx2.Client, url: str, form: html.FormElement, vectors: list[str], *, hidden: bool
) -> httpx2.Response:
    target = urljoin(url, form.get("action") or url)
    fields = _fill_form(form, vectors, hidden=hidden)
    if form.get("enctype") == "multipart/form-data":
        body, kind = write_form_data({name: words.encode() for name, words in fields})
        return client.post(target, content=body, headers={"content-type": kind})
    body = urlencode([(name, words.replace("\0", "")) for name, words in fields])
    return client.post(target, content=body, headers={"content-type": "application/x-www-form-urlencoded"})


Forms = Mapping[str, list[html.FormElement]]


@pytest.fixture(scope="module")
def forms(house: House, judged: Judged) -> Forms:
    """The forms of every page of the house as it was kept, by the page's address."""
    house.restore()
    found: dict[str, list[html.FormElement]] = {}
    for template in PAGES:
        url = make_url(house, template)
        page = judged.client.get(url)
        if page.status_code == 200 and "text/html" in page.headers["content-type"]:
            found[url] = html.fromstring(page.content).xpath("//main//form[@method='post']")
    return {url: forms for url, forms in found.items() if forms}


@pytest.mark.parametrize("first", range(len(VECTORS)))
def test_every_vector_goes_through_every_field(house: House, watch: Watch, forms: Forms, first: int) -> None:
    """Sent without a browser, thousands of times; what is left of it is then looked at in one."""
    headers = {"cookie": house.cookies[Role.manager], "sec-fetch-site": "same-origin"}
    vectors = [VECTORS[(first + place) % len(VECTORS)] for place in range(len(VECTORS))]
    marked = [vector for vector in VECTORS if "<" in vector]
    sent = 0
    with httpx2.Client(headers=headers, trust_env=False, timeout=60) as client:
        for url, of_page in forms.items():
            # One form may end the session, or take away what the next is about.
            house.restore()
            for form in of_page:
                answer = _send_form(client, url, form, vectors, hidden=first % 8 == 0)
                assert answer.status_code < 500, f"{form.get('action')} of {url}"
                if "text/html" in answer.headers.get("content-type", ""):
                    assert [one for one in marked if one in answer.text] == [], f"form of {url}"
                sent += answer.status_code != 401
    assert sent > 20
    for shown in ("/", "/editions", f"/editions/{SLUG}", f"/editions/{SLUG}/history", "/team", "/log"):
        watch.open_new(f"{house.studio.url}{shown}")


def test_folders_and_files_with_hostile_names_are_only_shown(house: House, watch: Watch) -> None:
    editions = house.studio.workspace.editions
    names = [vector.replace("/", "").translate({0: None, 10: None, 13: None})[:120] for vector in VECTORS]
    for name in names:
        shutil.copytree(editions / SLUG, editions / name, dirs_exist_ok=True)
        (editions / SLUG / "stories" / f"040-{name}.md").write_text("---\ntitle: T\n---\n\nText.\n")
        (editions / SLUG / "images" / f"{name}.jpg").write_bytes(b"no picture")
    for path in ("/", "/editions", "/editions?page=2", f"/editions/{SLUG}", f"/editions/{SLUG}/problems"):
        assert watch.open(f"{house.studio.url}{path}") < 500
    for name in names[:6]:
        assert watch.open(f"{house.studio.url}/editions/{quote(name, safe='')}") < 500


def test_the_watch_sees_what_it_is_to_see(watch: Watch, house: House) -> None:
    """The test of the tests: each fault planted in a page of ours is found."""
    for planted, word in (
        ("<p onclick='x()'>x</p>", "has onclick"),
        ("<a href='javascript:x()'>x</a>", "javascript"),
        ("<base href='/elsewhere/'>", "BASE"),
        (f"<img src='/{HIT}'>", "request"),
        ("<p style='color: red'>x</p>", "CSP"),
        ("<main></main>", "not one main"),
    ):
        watch.open(f"{house.studio.url}/")
        watch.page.evaluate(
            "html => document.querySelector('main').insertAdjacentHTML('beforeend', html)", planted
        )
        watch.page.wait_for_timeout(50)
        with pytest.raises(AssertionError, match=word):
            watch.judge(planted)
        watch.faults.clear()

"""The readers' preferences, and what holds for all of their pages, requested over a real connection."""

import html
import re
from dataclasses import replace
from urllib.parse import urlencode

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlmodel import Session, select

from mailer.database.models import Campaign
from mailer.database.report_models import CampaignLink
from mailer.web.app import create_app
from mailer.web.page_renderer import TEMPLATE_FOLDER
from mailer.web.security import MAX_BODY_BYTES
from mailer.workspace import Workspace, open_workspace
from subscribers.models import ConsentRecord, Status
from subscribers.tokens import LinkPurpose
from tests.web.public.readers_site import FORM, ONE_CLICK, OWN_FORM, Site, words_of
from tests.web.site import (
    NOW,
    dump_tables,
    find_reader,
    opened_engine,
    send_request,
    served,
)

FILLED = "lang=en&name=Mei+Lin&country=MN&sector=culture&language=zh&frequency=every&until="


@pytest.mark.parametrize(
    ("asked", "own", "said"), [("mn", "", "en"), ("en", "", ""), ("en", "fr", "fr"), ("fr", "fr", "")]
)
def test_text_by_the_office_is_marked_with_its_language(
    workspace: Workspace, asked: str, own: str, said: str
) -> None:
    environ = {"MAILER_SENDER__LANGUAGE": own, "MAILER_WEB__SIGN_UP": "true"}
    workspace = open_workspace(workspace.root, environ=environ)
    with opened_engine(workspace) as engine, served(create_app(workspace)) as running:
        site = Site(workspace, engine, running.url)
        page, sign_up = (site.get(f"{path}?lang={asked}").text for path in (f"/u/{site.token}", "/subscribe"))
    sender = workspace.settings.sender
    marked = f'<span lang="{said}">{{}}</span>' if said else "{}"
    for text in (page, sign_up):
        assert f'<p class="postal">{marked.format(sender.postal_address)}</p>' in text
        assert f"<p>{marked.format(sender.organisation)}</p>" in text
        assert f'<p class="masthead">{marked.format(sender.name)}</p>' in text
    assert sign_up.count(marked.format(sender.organisation)) == 2
    assert f" · {sender.name}</title>" in page


# --- looking ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_viewing_any_page_changes_nothing(workspace: Workspace, database: str, method: str) -> None:
    workspace = open_workspace(workspace.root, environ={"MAILER_DATABASE__URL": database})
    with opened_engine(workspace) as engine, served(create_app(workspace)) as running:
        site = Site(workspace, engine, running.url)
        gone = site.add("gone@example.org", status=Status.unsubscribed)
        before = dump_tables(engine)
        for token in (site.token, gone, "wrong"):
            for path in ("/u/{}", "/u/{}/undo", "/p/{}", "/u/{}?undo=1", "/e/{}/en", "/media/{}"):
                assert send_request(running.url, method, path.format(token)).status in {200, 404}
        for path in ("/", "/e/", "/healthz", "/favicon.ico", "/static/site.css", "/nothing"):
            send_request(running.url, method, path)
        assert dump_tables(engine) == before


def test_head_is_get_without_the_body(site: Site) -> None:
    for path in (f"/u/{site.token}", f"/p/{site.token}", "/", "/u/wrong", "/healthz"):
        got, head = site.get(path), send_request(site.url, "HEAD", path)
        assert (head.status, head.body) == (got.status, b"")
        assert {**head.headers, "date": ""} == {**got.headers, "date": ""}


def test_the_page_identifies_its_reader_without_revealing_the_address(site: Site) -> None:
    for path in (f"/u/{site.token}", f"/p/{site.token}"):
        page = site.get(path)
        assert "m…@e…org" in words_of(page)
        assert "mei.lin@" not in page.text
        assert "Mei" not in page.text


def test_a_readers_page_is_not_cached_and_sends_no_referrer(site: Site) -> None:
    headers = site.get(f"/u/{site.token}").headers
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-robots-tag"] == "noindex, nofollow"
    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "script-src" not in headers["content-security-policy"]
    assert "set-cookie" not in headers
    assert "strict-transport-security" not in headers


def test_an_https_site_sends_hsts(workspace: Workspace) -> None:
    environ = {"MAILER_WEB__BASE_URL": "https://news.example.org/letters"}
    workspace = open_workspace(workspace.root, environ=environ)
    with opened_engine(workspace) as engine, served(create_app(workspace)) as running:
        site = Site(workspace, engine, running.url)
        page = site.get(f"/u/{site.token}")
        assert page.headers["strict-transport-security"] == "max-age=31536000"
        assert f'action="/letters/u/{site.token}"' in page.text
        assert 'href="/letters/static/site.' in page.text
        saved = site.post(f"/p/{site.token}", FILLED.encode(), {**FORM, "origin": "https://news.example.org"})
        assert saved.status == 200


def test_every_page_is_small_and_without_scripts(site: Site) -> None:
    for path in (f"/u/{site.token}", f"/p/{site.token}", "/", "/u/wrong"):
        page = site.get(path)
        assert "<script" not in page.text
        files = re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text)
        assert len(files) == 3
        assert len(page.body) + sum(len(site.get(file).body) for file in files) <= 30_000


# --- tokens -------------------------------------------------------------------------------------------------


def test_every_invalid_token_gets_the_same_response(site: Site) -> None:
    flipped = [
        site.token[:place] + "AB"[site.token[place] == "A"] + site.token[place + 1 :] for place in range(39)
    ]
    keys = site.workspace.keys
    stranger = replace(keys.tokens, keys={1: b"the key of a stranger"})
    forged = [stranger.sign(LinkPurpose.subscription, subscriber_id=1, campaign_id=7)]
    unknown = [keys.tokens.sign(LinkPurpose.subscription, subscriber_id=999, campaign_id=7)]
    wrong = [
        *flipped,
        *forged,
        *unknown,
        "x",
        site.token + "=",
        site.token.upper(),
        site.token[:-1],
        "%F0%9F",
        "a" * 900,
    ]
    before = dump_tables(site.engine)
    answers = set()
    for token in wrong:
        for method, path in (("GET", "/u/"), ("POST", "/u/"), ("GET", "/p/")):
            answer = send_request(site.url, method, f"{path}{token}")
            fields = {
                name: value
                for name, value in answer.headers.items()
                if name not in {"date", "referrer-policy"}
            }
            answers.add((answer.status, answer.body, tuple(sorted(fields.items()))))
    assert len(answers) == 1
    assert answers.pop()[0] == 404
    assert dump_tables(site.engine) == before


def test_no_path_causes_a_server_error(site: Site) -> None:
    @settings(max_examples=150, deadline=None)
    @given(
        prefix=st.sampled_from(["/u/", "/p/", "/e/", "/media/", "/static/", "/", "/e/x/"]),
        rest=st.text(st.sampled_from("abzAZ09-_=%/.;?#@~&+é字\x7f"), max_size=60) | st.text(max_size=20),
        method=st.sampled_from(["GET", "HEAD", "POST"]),
    )
    @example(prefix="/media/", rest="%00", method="GET")
    @example(prefix="/media/", rest="..%2f..%2fkeys.toml", method="GET")
    @example(prefix="/u/", rest="%ff%fe", method="POST")
    @example(prefix="/e/", rest="\udcff/%", method="GET")
    def ask_for(prefix: str, rest: str, method: str) -> None:
        path = prefix + "".join(
            char
            if 32 < ord(char) < 127
            else "".join(f"%{byte:02x}" for byte in char.encode("utf-8", "surrogatepass"))
            for char in rest
        )
        answer = send_request(site.url, method, path)
        assert answer.status < 500, path
        assert "suppression" not in answer.body.decode("utf-8", "replace")

    ask_for()


@pytest.mark.parametrize(
    "variant", ["/U/{}", "/u/{}/", "//u/{}", "/u//{}", "/u%2f{}", "/%75%2f{}", "/u/{};x", "/u/{}%2fundo"]
)
def test_a_path_in_another_spelling_is_not_found(site: Site, variant: str) -> None:
    before = dump_tables(site.engine)
    path = variant.format(site.token)
    assert site.get(path).status == 404
    assert site.post(path, ONE_CLICK, OWN_FORM).status in {403, 404}
    assert dump_tables(site.engine) == before


def test_other_methods_are_not_allowed_and_the_response_says_which_are(site: Site) -> None:
    answer = send_request(site.url, "PUT", f"/u/{site.token}", b"", OWN_FORM)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, POST")
    for method in ("DELETE", "PATCH", "OPTIONS", "TRACE"):
        assert send_request(site.url, method, f"/p/{site.token}", headers=OWN_FORM).status == 405
    assert send_request(site.url, "POST", "/e/", headers=OWN_FORM).headers["allow"] == "GET, HEAD"
    assert site.status() is Status.active


# --- preferences --------------------------------------------------------------------------------------------


def test_preferences_are_shown_and_saved(site: Site) -> None:
    shown = site.get(f"/p/{site.token}").text
    assert "begins with M." in shown
    assert re.search(r'value="education" checked', shown)
    saved = site.post(f"/p/{site.token}", FILLED.encode(), OWN_FORM)
    assert saved.status == 200
    assert "Saved." in words_of(saved)
    assert re.search(r'value="MN" selected', saved.text)
    reader = find_reader(site.engine, "mei.lin@example.org")
    assert (reader.country, reader.language) == ("MN", "zh")


def test_the_question_about_links_is_asked_once_clicks_are_counted_and_kept_as_it_was_read(
    site: Site,
) -> None:
    assert 'name="clicks"' not in site.get(f"/p/{site.token}").text
    with Session(site.engine) as session:
        campaign = Campaign(edition="2026-1", title="Spring", segment="all", digest="d", created_at=NOW)
        session.add(campaign)
        session.flush()
        session.add(CampaignLink(campaign_id=campaign.id or 0, number=1, url="https://example.org/"))
        session.commit()
    shown = site.get(f"/p/{site.token}?lang=fr").text
    assert "Vous pouvez enregistrer, avec mon nom, les liens que j’ouvre" in shown
    assert re.search(r'name="clicks" value="yes">', shown)
    saved = site.post(
        f"/p/{site.token}", (FILLED + "&lang=fr&clicks-asked=yes&clicks=yes").encode(), OWN_FORM
    )
    assert re.search(r'name="clicks" value="yes" checked>', saved.text)
    assert find_reader(site.engine, "mei.lin@example.org").click_consent
    with Session(site.engine) as session:
        [record] = session.exec(select(ConsentRecord).where(ConsentRecord.wording_version == "1")).all()
    assert record.wording.startswith("Liens que vous ouvrez Si vous ne cochez pas")


def test_a_pause_is_confirmed_with_its_date(site: Site) -> None:
    filled = FILLED.replace("every", "pause") + "2026-12-24"
    with served(create_app(site.workspace, clock=lambda: NOW)) as running:
        saved = send_request(running.url, "POST", f"/p/{site.token}", filled.encode(), OWN_FORM)
    assert "We will send you nothing until 24 December 2026." in words_of(saved)
    assert site.status() is Status.paused


def test_an_invalid_form_is_shown_again_with_the_errors_at_their_fields(site: Site) -> None:
    before = dump_tables(site.engine)
    filled = (
        FILLED.replace("Mei+Lin", "%3Cb%3EM%3C%2Fb%3E").replace("MN", "XX").replace("every", "pause")
        + "yesterday"
    )
    answer = site.post(f"/p/{site.token}", filled.encode(), OWN_FORM)
    assert answer.status == 422
    assert 'value="&lt;b&gt;M&lt;/b&gt;"' in answer.text
    assert re.search(r'value="culture" checked', answer.text)
    assert re.search(r'value="pause" checked', answer.text)
    assert 'value="yesterday"' in answer.text
    for field in ("country", "until"):
        assert f'href="#{field}"' in answer.text
        assert re.search(
            rf'id="{field}"[^>]*aria-describedby="{field}-complaint"[^>]*aria-invalid="true"', answer.text
        )
    assert dump_tables(site.engine) == before


def test_a_name_is_always_escaped(site: Site) -> None:
    for name in (
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "{{ 7*7 }}",
        "' autofocus onfocus=alert(1)",
    ):
        typed = urlencode({"lang": "en", "name": name, "country": "XX", "frequency": "every"})
        page = site.post(f"/p/{site.token}", typed.encode(), OWN_FORM).text
        assert "<script" not in page
        assert "<img" not in page
        assert f'value="{html.escape(name).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")}"' in page


def test_a_forwarded_link_reveals_only_how_a_name_begins(site: Site) -> None:
    assert "Lin" not in site.get(f"/p/{site.token}").text
    saved = site.post(f"/p/{site.token}", FILLED.replace("Mei+Lin", "").encode(), OWN_FORM)
    assert "Saved." in words_of(saved)
    assert find_reader(site.engine, "mei.lin@example.org").name == "Mei Lin"
    site.post(f"/p/{site.token}", f"{FILLED.replace('Mei+Lin', '')}&nameless=yes".encode(), OWN_FORM)
    assert find_reader(site.engine, "mei.lin@example.org").name == ""


@pytest.mark.parametrize(
    "headers",
    [
        FORM,
        {**FORM, "sec-fetch-site": "cross-site", "origin": "https://evil.example"},
        {**FORM, "origin": "null"},
        {**FORM, "origin": "https://evil.example"},
    ],
)
def test_preferences_can_only_be_saved_from_our_own_page(site: Site, headers: dict[str, str]) -> None:
    before = dump_tables(site.engine)
    assert site.post(f"/p/{site.token}", FILLED.encode(), headers).status == 403
    assert dump_tables(site.engine) == before


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/json", "multipart/form-data; boundary=b", ""]
)
def test_preferences_accept_only_the_encoding_of_our_form(site: Site, content_type: str) -> None:
    headers = {"sec-fetch-site": "same-origin", "content-type": content_type}
    assert site.post(f"/p/{site.token}", FILLED.encode(), headers).status == 415


def test_a_body_larger_than_any_form_is_refused(site: Site) -> None:
    before = dump_tables(site.engine)
    large = b"x" * (MAX_BODY_BYTES + 1)
    for path in (f"/u/{site.token}", f"/p/{site.token}"):
        assert site.post(path, large, OWN_FORM).status == 413
    assert site.post(f"/p/{site.token}", b"a=b&" * 300, OWN_FORM).status == 400
    assert dump_tables(site.engine) == before


def test_a_chunked_body_over_the_limit_is_refused(site: Site) -> None:
    chunk = b"4000\r\n" + b"x" * 0x4000 + b"\r\n"
    headers = {**OWN_FORM, "transfer-encoding": "chunked"}
    answer = send_request(site.url, "POST", f"/u/{site.token}", chunk * 5 + b"0\r\n\r\n", headers)
    assert answer.status == 413
    assert site.status() is Status.active


# --- what goes wrong ----------------------------------------------------------------------------------------


def test_an_error_page_repeats_nothing_from_the_request(site: Site) -> None:
    answer = site.get("/%3Cscript%3Ealert(1)%3C/script%3E?q=%3Cscript%3E")
    assert answer.status == 404
    assert "alert" not in answer.text
    assert "news@example.org" in answer.text


def test_an_internal_error_is_a_plain_page_with_the_same_headers(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    (site.workspace.root / "mailer.db").rename(site.workspace.root / "gone.db")
    with served(create_app(site.workspace)) as running:
        answer = send_request(running.url, "GET", f"/p/{site.token}")
        health = send_request(running.url, "GET", "/healthz")
    assert answer.status == 500
    assert "This is our fault" in words_of(answer)
    assert not re.search(r"Traceback|sqlite|SELECT|subscriber", answer.text, re.IGNORECASE)
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert health.status == 200
    assert site.token not in caplog.text


def test_the_health_check_returns_ok(site: Site) -> None:
    answer = site.get("/healthz")
    assert (answer.status, answer.text) == (200, "ok\n")


def test_static_files_have_a_hash_in_their_name_and_the_right_type(site: Site) -> None:
    page = site.get("/").text
    for file, media_type in re.findall(r'href="(/static/[^"]+\.(css|svg))"', page):
        answer = site.get(file)
        expected = {"css": "text/css; charset=utf-8", "svg": "image/svg+xml"}[media_type]
        assert (answer.status, answer.headers["content-type"]) == (200, expected)
        assert "immutable" in answer.headers["cache-control"]
    for name in ("site.css", "preview.html", "..%2fbase.html", "base.html"):
        assert site.get(f"/static/{name}").status == 404


def test_internal_files_and_documentation_are_not_served(site: Site) -> None:
    for path in (
        "/docs",
        "/redoc",
        "/openapi.json",
        "/keys.toml",
        "/mailer.db",
        "/static/",
        "/media/",
        "/u/",
        "/p/",
    ):
        assert site.get(path).status == 404


def test_the_templates_contain_no_inline_scripts_or_styles() -> None:
    for template in (*TEMPLATE_FOLDER.glob("*.html"), *TEMPLATE_FOLDER.glob("partials/*.html")):
        text = template.read_text(encoding="utf-8")
        if template.name.startswith("reading"):
            # It has the colours of its theme as custom properties, and its policy allows attributes.
            text = re.sub(r'\sstyle="(?:--[\w-]+:\{\{ [\w.]+ \}\};?)+"|\sstyle="\{\{ style \}\}"', "", text)
        assert not re.search(r"\son\w+=|\sstyle=|<style|javascript:|\|\s*safe", text), template
        if template.name != "preview.html":
            assert "<script" not in text, template

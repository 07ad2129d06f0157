"""The web edition: everything an edition has, for reading, on a page of its own for each story."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from lxml import html as lxml_html
from lxml.html import HtmlElement

from editions.model import EditionForm
from editions.reader import read_edition
from mailer.i18n import LANGUAGES
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.rendering.edition_compiler import compile_edition
from mailer.web.app import create_app
from mailer.workspace import Workspace
from tests.factories.draft_edition import EDITION_ZH, STORY, STORY_ZH, Draft
from tests.factories.sample_edition import SAMPLE, SECTORS, sample_settings
from tests.web.site import HttpResponse, add_sent, opened_engine, send_request, served

SECOND = STORY.replace("A forum for youth", "A second <forum>").replace(
    "countries: [CN, MN]", "lead: Its lead."
)


@pytest.fixture
def mails(workspace: Workspace) -> list[CompiledEdition]:
    """A digest of three stories in English and Chinese."""
    draft = Draft(workspace.editions / "2021-2")
    draft.change("edition.md", "language: en\n", "language: en\nform: digest\n")
    draft.write("edition.zh-Hans.md", EDITION_ZH)
    for number, text in (("010-youth-forum", STORY), ("020-second", SECOND), ("030-third", STORY)):
        draft.write(f"stories/{number}.md", text)
        draft.write(f"stories/{number}.zh-Hans.md", STORY_ZH)
    edition = read_edition(draft.folder, sectors=workspace.settings.sectors)
    return [compile_edition(edition, workspace.settings, language=tag) for tag in ("en", "zh-Hans")]


@pytest.fixture
def url(workspace: Workspace, mails: list[CompiledEdition]) -> Iterator[str]:
    with opened_engine(workspace) as engine, served(create_app(workspace)) as running:
        add_sent(engine, mails)
        yield running.url


def _get(url: str, path: str, **headers: str) -> HttpResponse:
    return send_request(
        url, "GET", path, headers={name.replace("_", "-"): text for name, text in headers.items()}
    )


def _head(page: HttpResponse) -> tuple[HtmlElement, dict[str, str]]:
    """The document, and the properties in its head."""
    document = lxml_html.document_fromstring(page.body)
    return document, {
        meta.get("property") or meta.get("name"): meta.get("content") for meta in document.iter("meta")
    }


def test_the_web_edition_of_a_digest_has_every_story_whole(url: str, mails: list[CompiledEdition]) -> None:
    assert (
        "The forum met in October."
        not in mails[0].html.partition("</head>")[2].split("Read the story")[1][:9]
    )
    page = _get(url, "/e/2021-2/en")
    document, _ = _head(page)
    assert page.text.count("<p>The forum met in October.</p>") == 3
    assert "Dear colleagues, this was our autumn." in page.text
    assert [link.get("href") for link in document.iter("a") if link.getparent().tag == "h3"] == [
        f"/e/2021-2/en/{slug}" for slug in ("youth-forum", "second", "third")
    ]


def test_each_story_has_a_page_that_other_programs_can_show_as_a_card(
    url: str, workspace: Workspace, mails: list[CompiledEdition]
) -> None:
    page = _get(url, "/e/2021-2/en/second")
    document, said = _head(page)
    base = workspace.settings.web.base_url
    assert (page.status, document.get("lang"), page.headers["content-language"]) == (200, "en", "en")
    assert said["og:title"] == "A second <forum>"
    assert said["og:description"] == said["description"] == "Its lead."
    assert (said["og:type"], said["og:locale"]) == ("article", "en_US")
    assert said["og:url"] == f"{base}/e/2021-2/en/second"
    assert said["og:image"].startswith(f"{base}/media/")
    assert said["twitter:card"] == "summary_large_image"
    links = {(link.get("rel"), link.get("hreflang")): link.get("href") for link in document.iter("link")}
    assert links["canonical", None] == said["og:url"]
    assert links["alternate", "zh-Hans"] == f"{base}/e/2021-2/zh-Hans/second"
    assert links["alternate", "x-default"] == said["og:url"]


def test_a_story_leads_to_the_one_before_the_one_after_and_the_edition(url: str) -> None:
    def way(path: str) -> list[str]:
        document, _ = _head(_get(url, path))
        (onward,) = document.find_class("onward")
        return [link.get("href") for link in onward.iter("a")]

    base = "/e/2021-2/en"
    assert way(f"{base}/second") == [f"{base}/youth-forum", f"{base}/third", base]
    assert way(f"{base}/youth-forum") == [f"{base}/second", base]
    assert way(f"{base}/third") == [f"{base}/second", base]


def test_a_translation_has_pages_in_its_language(url: str) -> None:
    page = _get(url, "/e/2021-2/zh-Hans/second")
    document, said = _head(page)
    assert (document.get("lang"), said["og:locale"]) == ("zh-Hans", "zh_CN")
    for words in ("青年论坛", "论坛于十月举行。", "上一篇", "查看整期"):
        assert words in page.text


def test_a_story_page_has_nothing_of_a_reader_and_runs_no_script(url: str) -> None:
    for path in ("/e/2021-2/en", "/e/2021-2/en/second"):
        page = _get(url, path)
        for trace in ("@@", "/u/", "/p/", "Unsubscribe", "Dear {", "<script"):
            assert trace not in page.text
        policy = page.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "script" not in policy


def test_a_story_s_page_has_its_button_its_video_and_what_ai_did(workspace: Workspace) -> None:
    draft = Draft(workspace.editions / "2021-2")
    still = "video:\n  file: forum.jpg\n  alt: A hall\n  what: the <opening>\n  url: https://example.org/v\n"
    button = "button:\n  what: Register\n  url: https://example.org/r\n"
    draft.write(
        "stories/010-youth-forum.md",
        STORY.replace("  credit: Illustration\n", "  credit: Illustration\n  ai: generated\n").replace(
            "read_more:", f"ai: edited\n{button}{still}read_more:"
        ),
    )
    mail = compile_edition(
        read_edition(draft.folder, sectors=workspace.settings.sectors), workspace.settings, language="en"
    )
    with opened_engine(workspace) as engine, served(create_app(workspace)) as running:
        add_sent(engine, [mail])
        page = _get(running.url, "/e/2021-2/en/youth-forum")
    document, _ = _head(page)
    texts = {link.get("href"): link.text_content().strip() for link in document.iter("a")}
    assert texts["https://example.org/r"] == "Register"
    assert "the <opening>" in texts["https://example.org/v"]
    (caption,) = (found.text_content() for found in document.iter("figcaption"))
    assert caption == "The forum in Xi’an · Illustration · Made with AI"
    assert "Text edited with AI" in document.find_class("credit")[0].text_content()


@pytest.mark.parametrize(
    "path", ["/e/2021-2/en/none", "/e/2021-2/en/", "/e/2021-2/fr/second", "/e/2021-1/en/second"]
)
def test_an_unknown_story_is_not_found(url: str, path: str) -> None:
    assert _get(url, path).status == 404


def test_a_page_that_has_not_changed_is_not_sent_again(url: str) -> None:
    page = _get(url, "/e/2021-2/en/second")
    assert page.headers["cache-control"] == "public, max-age=3600"
    again = _get(url, "/e/2021-2/en/second", if_none_match=f'W/{page.headers["etag"]}, "other"')
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", page.headers["etag"])
    assert _get(url, "/e/2021-2/en/second", if_none_match='"other"').status == 200


def test_a_story_outside_the_archive_opens_for_who_has_the_mail(
    workspace: Workspace, mails: list[CompiledEdition]
) -> None:
    version = mails[0].digest[:16]
    with opened_engine(workspace) as engine, served(create_app(workspace)) as running:
        add_sent(engine, mails[:1], archived=False)
        assert _get(running.url, "/e/2021-2/en/second").status == 404
        page = _get(running.url, f"/e/2021-2/en/second?v={version}")
        document, _ = _head(page)
        assert f"/e/2021-2/en/second?v={version}" not in mails[0].html
        assert page.headers["x-robots-tag"] == "noindex, nofollow"
        assert "canonical" not in page.text
        ours = [link.get("href") for link in document.find_class("onward")[0].iter("a")]
        assert all(address.endswith(f"?v={version}") for address in ours)
        assert {_get(running.url, address).status for address in ours} == {200}


def test_an_edition_sent_before_web_editions_shows_its_mail(
    workspace: Workspace, mails: list[CompiledEdition]
) -> None:
    values = json.loads(mails[0].to_bytes())
    del values["web"]
    old = CompiledEdition.from_bytes(json.dumps({**values, "version": 2}).encode())
    assert replace(mails[0], web=None) == old
    with opened_engine(workspace) as engine, served(create_app(workspace)) as running:
        add_sent(engine, [old])
        assert "Read the story" in _get(running.url, "/e/2021-2/en").text
        assert _get(running.url, "/e/2021-2/en/second").status == 404


def test_the_web_edition_of_the_sample_is_small(workspace: Workspace) -> None:
    """At most 60 kB without pictures, with the style sheet."""
    edition = replace(read_edition(SAMPLE, sectors=SECTORS), form=EditionForm.digest)
    mail = compile_edition(edition, sample_settings())
    with opened_engine(workspace) as engine, served(create_app(workspace)) as running:
        add_sent(engine, [mail])
        page = _get(running.url, f"/e/{mail.slug}/en")
        sheet = next(
            link.get("href") for link in _head(page)[0].iter("link") if link.get("rel") == "stylesheet"
        )
        assert len(page.body) + len(_get(running.url, sheet).body) <= 60_000
        assert page.text.count("<article") == 26


@pytest.mark.parametrize("tag", LANGUAGES)
def test_an_accessibility_statement_says_how_to_report_a_barrier(
    url: str, workspace: Workspace, tag: str
) -> None:
    page = _get(url, f"/accessibility?lang={tag}")
    assert (page.status, page.headers["content-language"]) == (200, tag)
    assert "WCAG" in page.text
    sender = workspace.settings.sender
    assert f'href="mailto:{sender.reply_to or sender.address}"' in page.text
    for path in ("/e/", "/e/2021-2/en", "/e/2021-2/en/second"):
        assert 'href="/accessibility?lang=' in _get(url, path).text


def test_barriers_can_be_reported_to_an_address_or_on_a_page(workspace: Workspace) -> None:
    for contact, link in (
        ("access@x.example", "mailto:access@x.example"),
        ("https://x.example/a?b", "https://x.example/a?b"),
    ):
        web = workspace.settings.web.model_copy(update={"accessibility_contact": contact})
        settings = workspace.settings.model_copy(update={"web": web})
        with served(create_app(replace(workspace, settings=settings))) as running:
            assert f'href="{link}"' in _get(running.url, "/accessibility").text

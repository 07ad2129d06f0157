"""The list of editions."""

import re

import pytest
from sqlmodel import Session

from mailer.database.models import Campaign, CampaignState
from mailer.database.team_models import Role
from mailer.revisions.edition_file import FilePlace
from mailer.revisions.presence import note_presence
from mailer.web.dependencies import utc_now
from mailer.web.mail_preview.edition_summaries import EditionSummaries
from tests.factories.draft_edition import Draft
from tests.web.studio.conftest import Studio
from tests.web.studio.editions.studio_client import StudioClient


def test_an_empty_workspace_leads_to_the_first_edition(author: StudioClient) -> None:
    page = author.get("/editions")
    assert page.status == 200
    assert "There is no edition yet." in page.text
    assert 'class="button main" href="/studio/editions/new"' in page.text


def test_each_edition_has_its_cover_its_languages_and_its_state(
    studio: Studio, draft: Draft, author: StudioClient
) -> None:
    draft.translate()
    (draft.folder / "stories/010-youth-forum.mn.md").write_text("---\ntitle: х\n---\n")
    page = author.get("/editions").text
    assert "Our newsletter" in page
    assert 'src="/studio/editions/2026-1/thumb/forum.jpg"' in page
    assert "4 stories · English · Unfinished: Монгол, 中文" in page
    assert '<span class="state quiet">Draft</span>' in page
    for slug in ("schools", "dance"):
        (draft.folder / f"stories/0{3 + (slug == 'dance')}0-{slug}.zh.md").write_text("---\ntitle: x\n---\n")
    assert "English, 中文 · Unfinished: Монгол" in author.get("/editions").text


@pytest.mark.parametrize(
    ("states", "word"),
    [
        ([CampaignState.tested], "Tested"),
        ([CampaignState.draft, CampaignState.approved], "Approved"),
        ([CampaignState.finished, CampaignState.draft], "Sent"),
        ([CampaignState.sending], "Being sent"),
        ([CampaignState.paused, CampaignState.finished], "Paused"),
        ([CampaignState.cancelled], "Draft"),
    ],
)
def test_the_campaign_that_is_furthest_says_how_far_an_edition_is(
    studio: Studio, draft: Draft, author: StudioClient, states: list[CampaignState], word: str
) -> None:
    with Session(studio.engine) as session:
        for state in states:
            session.add(
                Campaign(
                    edition="2026-1", title="x", segment="all", state=state, digest="d", created_at=utc_now()
                )
            )
        session.commit()
    marks = re.findall(r'<span class="state \w+">([^<]+)', author.get("/editions").text)
    assert marks == [word]


def test_editions_come_newest_first_thirty_to_a_page(studio: Studio, author: StudioClient) -> None:
    for number in range(1, 36):
        Draft(studio.workspace.editions / f"2026-{number}")
    first, second = author.get("/editions").text, author.get("/editions?page=2").text
    listed = [re.findall(r'<h2><a href="/studio/editions/([^"]+)"', page) for page in (first, second)]
    assert listed == [
        [f"2026-{number}" for number in range(35, 5, -1)],
        [f"2026-{n}" for n in range(5, 0, -1)],
    ]
    assert "Older editions" in first
    assert "Newer editions" in second
    assert [
        author.get(f"/editions?page={page}").status for page in ("3", "0", "-1", "x", "%EF%BC%99", "9" * 30)
    ] == [404] * 6


def test_an_edition_that_cannot_be_read_is_named_with_its_place(studio: Studio, author: StudioClient) -> None:
    folder = studio.workspace.editions
    (folder / "empty").mkdir()
    (folder / "broken").mkdir()
    (folder / "broken/edition.md").write_bytes(b"\xff\xfe\x00")
    page = author.get("/editions").text
    assert f"{folder / 'empty'} is not an edition" in page
    assert "the file is UTF-16, not UTF-8" in page
    assert author.get("/editions/broken").status == 200
    assert author.get("/editions/empty").status == 200


def test_a_summary_is_made_again_only_when_a_file_has_changed(studio: Studio, draft: Draft) -> None:
    summaries = EditionSummaries(studio.workspace)
    first = summaries.read("2026-1")
    assert summaries.read("2026-1") is first
    draft.change("edition.md", "Our newsletter", "Another newsletter")
    assert summaries.read("2026-1").title == "Another newsletter"
    (draft.folder / "stories/040-dance.md").unlink()
    assert summaries.read("2026-1").stories == 3


def test_the_number_of_problems_comes_late_and_is_a_page_without_script(
    draft: Draft, author: StudioClient
) -> None:
    draft.change("stories/040-dance.md", "[MN]", "[XX]")
    late = author.get("/editions/2026-1/problems", hx_request="true").text
    assert "3 errors" in late
    assert "<html" not in late
    page = author.get("/editions/2026-1/problems")
    assert page.status == 200
    link = '<h2><a href="/studio/editions/2026-1/stories/dance">stories/040-dance.md</a></h2>'
    assert link in page.text
    assert "is not a country code" in page.text
    draft.change("stories/040-dance.md", "[XX]", "[MN]")
    assert "2 errors" in author.get("/editions/2026-1/problems", hx_request="true").text


@pytest.mark.parametrize(
    "path",
    [
        "/editions/none",
        "/editions/..",
        "/editions/%2e%2e",
        "/editions/.hidden",
        "/editions/2026-1/thumb/none.jpg",
        "/editions/2026-1/thumb/..",
        "/editions/2026-1/thumb/%2e%2e%5cedition.md",
        "/editions/none/thumb/forum.jpg",
        "/editions/none/problems",
        "/editions/a%00b",
        f"/editions/{'x' * 5000}",
    ],
)
def test_what_is_not_there_is_not_found(draft: Draft, author: StudioClient, path: str) -> None:
    assert author.get(path).status == 404


def test_a_thumb_is_made_anew_and_small(draft: Draft, author: StudioClient) -> None:
    answer = author.get("/editions/2026-1/thumb/forum.jpg")
    assert (answer.status, answer.headers["content-type"]) == (200, "image/jpeg")
    assert len(answer.body) < 20_000
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    again = author.get("/editions/2026-1/thumb/forum.jpg", if_none_match=answer.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    draft.write("images/evil.jpg", b"<script>alert(1)</script>")
    assert author.get("/editions/2026-1/thumb/evil.jpg").status == 404
    (draft.folder / "images/link.jpg").symlink_to("/etc/hostname")
    assert author.get("/editions/2026-1/thumb/link.jpg").status == 404


def test_who_else_has_a_story_open_is_named_on_its_card_and_in_the_list(
    studio: Studio, draft: Draft, author: StudioClient
) -> None:
    mei = studio.add_member(Role.author, "Mei Writer")
    with Session(studio.engine) as session:
        note_presence(
            session, "2026-1", FilePlace(story="dance"), member=mei, sitting="a" * 12, now=utc_now()
        )
        session.commit()
    card = author.get("/editions/2026-1").text.partition('id="story-dance"')[2].partition("</li>")[0]
    assert "Mei Writer" in card
    assert author.get("/editions/2026-1").text.count("Mei Writer") == 1
    assert "Mei Writer" in author.get("/editions").text


def test_open_comments_are_counted_on_the_card_of_their_story(draft: Draft, author: StudioClient) -> None:
    answer = author.post("/editions/2026-1/stories/dance/comments", {"text": "Which dance?"})
    assert answer.status == 303
    page = author.get("/editions/2026-1").text
    card = page.partition('id="story-dance"')[2].partition("</li>")[0]
    assert '<a href="/studio/editions/2026-1/stories/dance/comments">1 open comment</a>' in card
    assert page.count("1 open comment") == 2

"""Comments on a story as pages: written, answered, resolved, and never lost, all without script."""

import re
from html import unescape

import pytest
from sqlmodel import Session, select

from mailer.comments.mentions import list_mentions
from mailer.comments.thread_list import ShownThread, list_threads
from mailer.database.edition_models import CommentThread
from mailer.database.team_models import Role, TeamMember
from mailer.team.members import Member, list_members
from mailer.web.studio import comments
from tests.factories.small_edition import SLUG, write_edition
from tests.web.site import HttpResponse
from tests.web.studio.conftest import Studio
from tests.web.studio.editions.studio_client import StudioClient

STORY = f"/editions/{SLUG}/stories/teachers/comments"
LETTER = f"/editions/{SLUG}/letter/comments"
ACTS = f"/editions/{SLUG}/comments"
PASSAGE = "met to share what works"
VECTORS = (
    "<script>document.title='x'</script>",
    "<img src=x onerror=document.title='x'>",
    "<svg/onload=document.title='x'>",
    "</textarea><script>document.title='x'</script>",
    "</p></li></ul></section><h1>x</h1>",
    "\"><script>document.title='x'</script>",
    "' autofocus onfocus='document.title=1",
    '" onmouseover="document.title=1',
    "javascript:document.title='x'",
    "[x](javascript:document.title='x')",
    "{{ 7*7 }}",
    "{% for x in [] %}",
    "${7*7}",
    "#{7*7}",
    "&lt;script&gt;&#60;script&#62;",
    "<!--",
    "-->",
    "]]>",
    "<![CDATA[<b>]]>",
    "<template><b>",
    "<style>*{display:none}</style>",
    "<iframe srcdoc='<script>parent.document.title=1</script>'>",
    "<math><mtext></table><img src=x onerror=document.title=1>",
    "<a href='data:text/html,x'>x</a>",
    "<form action=/studio/sign-out method=post><button>x",
    "<base href='https://evil.example/'>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "\u202e\u2066gnp.exe",
    "\ud83d broken",
    "a\x00b\x1b[31m",
    "<b hx-get='/studio/team' hx-trigger='load'>",
    "@<script>document.title='x'</script>",
)


@pytest.fixture
def ann(studio: Studio) -> StudioClient:
    write_edition(studio.workspace.editions)
    return StudioClient(studio, Role.author)


@pytest.fixture
def guest(studio: Studio, ann: StudioClient) -> StudioClient:
    return StudioClient(studio, Role.guest)


def list_shown(studio: Studio, story: str = "teachers") -> list[ShownThread]:
    with Session(studio.engine) as session:
        return list_threads(session, SLUG, story)


def find_member(studio: Studio, role: Role) -> Member:
    with Session(studio.engine) as session:
        return next(member for member in list_members(session) if member.role is role)


def text_of(answer: HttpResponse) -> str:
    """The words of a page, without its markup."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", answer.body.decode())).split())


def test_a_guest_comments_on_a_passage_and_everybody_reads_it(
    studio: Studio, ann: StudioClient, guest: StudioClient
) -> None:
    answer = guest.post(STORY, {"text": "How many?", "quote": f" {PASSAGE}\r\n", "request": "a"})
    assert answer.status == 303
    [thread] = list_shown(studio)
    assert answer.headers["location"] == f"/studio{STORY}?notice=commented#thread-{thread.id}"
    page = ann.get(STORY)
    assert page.status == 200
    assert f"{PASSAGE} Guest Member" in text_of(page)
    assert "How many?" in text_of(page)
    assert "The passage has changed since." not in text_of(page)


def test_a_passage_that_was_edited_is_said_to_have_changed(studio: Studio, ann: StudioClient) -> None:
    ann.post(STORY, {"text": "How many?", "quote": PASSAGE})
    file = studio.workspace.editions / SLUG / "stories" / "010-teachers.md"
    file.write_text(file.read_text().replace("Sixty", "Seventy"))
    assert "The passage has changed since." not in text_of(ann.get(STORY))
    file.write_text(file.read_text().replace("to share", "to discuss"))
    assert "The passage has changed since." in text_of(ann.get(STORY))


def test_words_that_are_not_in_the_story_are_no_passage_and_nothing_typed_is_lost(
    studio: Studio, ann: StudioClient, guest: StudioClient
) -> None:
    number = find_member(studio, Role.guest).id
    answer = ann.post(STORY, {"text": "Long thought", "quote": "not there", "mention": str(number)})
    assert answer.status == 422
    assert list_shown(studio) == []
    assert "These words are not in the story." in text_of(answer)
    assert '<a href="#new-quote">' in answer.body.decode()
    assert ">Long thought</textarea>" in answer.body.decode()
    assert ">not there</textarea>" in answer.body.decode()
    assert re.search(rf'value="{number}" checked', answer.body.decode())
    answer = ann.post(STORY, {"text": "Long thought", "quote": "x" * 1001})
    assert "up to 1,000 characters" in text_of(answer)
    answer = ann.post(STORY, {"text": " ", "quote": PASSAGE})
    assert answer.status == 422
    assert "Write the comment." in text_of(answer)


def test_a_passage_copied_from_the_markdown_is_found(studio: Studio, ann: StudioClient) -> None:
    file = studio.workspace.editions / SLUG / "stories" / "010-teachers.md"
    file.write_text(file.read_text().replace("to share what", "**to share** what"))
    assert ann.post(STORY, {"text": "How many?", "quote": "met **to share** what"}).status == 303
    assert list_shown(studio)[0].anchor.quote == "met to share what"  # type: ignore[union-attr]


def test_a_second_click_adds_nothing(studio: Studio, ann: StudioClient) -> None:
    [request] = re.findall(r'name="request" value="([^"]+)"', ann.get(STORY).body.decode())
    for _ in range(2):
        assert ann.post(STORY, {"text": "Once.", "request": request}).status == 303
    assert len(list_shown(studio)) == 1


def test_a_comment_is_answered_resolved_and_reopened(
    studio: Studio, ann: StudioClient, guest: StudioClient
) -> None:
    guest.post(STORY, {"text": "How many?"})
    [thread] = list_shown(studio)
    assert ann.post(f"{ACTS}/{thread.id}/reply", {"text": "Sixty."}).status == 303
    assert guest.post(f"{ACTS}/{thread.id}/resolve").status == 303
    assert "One resolved comment" in text_of(ann.get(STORY))
    assert "Resolved by Guest Member" in text_of(ann.get(STORY))
    assert ann.post(f"{ACTS}/{thread.id}/reopen").status == 303
    [thread] = list_shown(studio)
    assert [comment.text for comment in thread.comments] == ["How many?", "Sixty."]
    assert thread.row.resolved_at is None


def test_a_mention_waits_for_its_member_until_they_say_that_they_have_read_it(
    studio: Studio, ann: StudioClient, guest: StudioClient
) -> None:
    ann.post(STORY, {"text": "@Guest Member, how many?"})
    member = find_member(studio, Role.guest)
    [thread] = list_shown(studio)
    with Session(studio.engine) as session:
        [(mentioned, _, author)] = list_mentions(session, member)
        assert (author, mentioned.story, mentioned.edition) == ("Author Member", "teachers", SLUG)
    assert "I have read it" in text_of(guest.get(STORY))
    assert "I have read it" not in text_of(ann.get(STORY))
    assert '<b class="mention">@Guest Member</b>' in guest.get(STORY).body.decode()
    assert guest.post(f"{ACTS}/{thread.id}/read").status == 303
    with Session(studio.engine) as session:
        assert list_mentions(session, member) == []


def test_only_ones_own_comments_can_be_changed_and_deleted(
    studio: Studio, ann: StudioClient, guest: StudioClient
) -> None:
    ann.post(STORY, {"text": "Mine."})
    [thread] = list_shown(studio)
    [comment] = thread.comments
    path = f"{ACTS}/{thread.id}/{comment.id}"
    assert "Delete" in text_of(ann.get(STORY))
    assert "Delete" not in text_of(guest.get(STORY))
    assert "Save comment" not in text_of(guest.get(f"{STORY}?edit={comment.id}"))
    assert guest.post(f"{path}/delete").status == 403
    assert guest.post(f"{path}/edit", {"text": "Not mine."}).status == 422
    assert ">Mine.</textarea>" in ann.get(f"{STORY}?edit={comment.id}").body.decode()
    assert ann.post(f"{path}/edit", {"text": "Better."}).status == 303
    assert "Better." in text_of(guest.get(STORY))
    assert ann.post(f"{path}/delete").status == 303
    assert ann.post(f"{path}/delete", {"story": "teachers"}).status == 303
    assert list_shown(studio) == []


def test_a_reply_to_a_comment_that_was_deleted_meanwhile_is_kept(
    studio: Studio, ann: StudioClient, guest: StudioClient
) -> None:
    ann.post(STORY, {"text": "Mine."})
    [thread] = list_shown(studio)
    ann.post(f"{ACTS}/{thread.id}/{thread.comments[0].id}/delete")
    answer = guest.post(f"{ACTS}/{thread.id}/reply", {"text": "A long answer", "story": "teachers"})
    assert answer.status == 409
    assert "This comment has been deleted in the meantime." in text_of(answer)
    assert ">A long answer</textarea>" in answer.body.decode()
    gone = guest.post(f"{ACTS}/{thread.id}/resolve", {"story": "teachers"})
    assert "notice=comment-gone" in gone.headers["location"]


def test_the_comments_on_a_removed_story_stay_reachable(studio: Studio, ann: StudioClient) -> None:
    ann.post(STORY, {"text": "How many?", "quote": PASSAGE})
    [thread] = list_shown(studio)
    for file in (studio.workspace.editions / SLUG / "stories").iterdir():
        file.unlink()
    listed = ann.get(ACTS)
    assert "Teachers meet in Ulaanbaatar" in text_of(listed)
    assert f'href="/studio{STORY}"' in listed.body.decode()
    page = ann.get(STORY)
    assert page.status == 200
    assert "This story is no longer in the edition." in text_of(page)
    assert "Comment on this story" not in text_of(page)
    assert ann.post(f"{ACTS}/{thread.id}/reply", {"text": "For the next one."}).status == 303
    assert ann.post(STORY, {"text": "New."}).status == 404
    assert ann.get(f"/editions/{SLUG}/stories/never/comments").status == 404


def test_a_translation_and_the_letter_have_comments_of_their_own(studio: Studio, ann: StudioClient) -> None:
    assert ann.post(STORY, {"text": "Better word?", "quote": "六十名教师", "language": "zh"}).status == 303
    assert ann.post(STORY, {"text": "No such language.", "language": "xx"}).status == 404
    assert "About the translation: 中文" in text_of(ann.get(STORY))
    assert "The passage has changed since." not in text_of(ann.get(STORY))
    assert ann.post(LETTER, {"text": "Warm.", "quote": "Thank you for your work."}).status == 303
    assert "Dear partners" in text_of(ann.get(LETTER))
    assert len(list_shown(studio, "")) == 1
    assert "1 open comment" in text_of(ann.get(ACTS))


def test_the_page_of_an_edition_counts_open_comments(studio: Studio, ann: StudioClient) -> None:
    assert "None is open" in text_of(ann.get(f"/editions/{SLUG}"))
    for words in ("One.", "Two.", "Three."):
        ann.post(STORY, {"text": words})
    ann.post(f"{ACTS}/{list_shown(studio)[0].id}/resolve")
    ann.post(LETTER, {"text": "Warm."})
    page = ann.get(f"/editions/{SLUG}").body.decode()
    assert re.search(rf'href="/studio{STORY}">2 open comments</a>', page)
    assert re.search(rf'href="/studio{ACTS}">3 open comments</a>', page)
    assert "2 open comments" in ann.get(f"/editions/{SLUG}", hx_request="true").body.decode()


def test_htmx_gets_the_panel_alone(ann: StudioClient) -> None:
    ann.post(STORY, {"text": "How many?"})
    panel = ann.get(STORY, hx_request="true").body.decode()
    assert "<html" not in panel
    assert panel.strip().startswith('<section class="comments" id="comments"')
    assert "<html" in ann.get(STORY).body.decode()
    refused = ann.post(STORY, {"text": ""}, hx_request="true")
    assert refused.status == 422
    assert "<html" not in refused.body.decode()


def test_whatever_is_written_is_words_and_nothing_else(studio: Studio, ann: StudioClient) -> None:
    hostile = re.compile(r'<(?:script(?! src="/studio/)|img|svg|style|iframe|math|base|template|b\s)')
    for vector in VECTORS:
        words = vector.encode("utf-8", "replace").decode()
        assert ann.post(STORY, {"text": words}).status == 303
        refused = ann.post(STORY, {"text": words, "quote": words})
        assert refused.status == 422
        assert not hostile.search(refused.body.decode().replace('<b class="mention">', ""))
    with Session(studio.engine) as session:
        # No passage can be like this; the page shows it as words all the same.
        for row, vector in zip(session.exec(select(CommentThread)).all(), VECTORS, strict=True):
            row.quote = vector.encode("utf-8", "replace").decode().replace("\x00", "")
            session.add(row)
        session.commit()
    page = ann.get(STORY).body.decode().replace('<b class="mention">', "")
    assert not hostile.search(page)
    shown = unescape(page)
    for thread in list_shown(studio):
        assert thread.comments[0].text in shown
    assert page.count('<li class="thread"') == len(VECTORS)
    assert page.count("<section") == page.count("</section>") == 1


def test_numbers_that_are_none_lead_nowhere(studio: Studio, ann: StudioClient) -> None:
    ann.post(STORY, {"text": "Mine."})
    [thread] = list_shown(studio)
    other = write_edition(studio.workspace.editions, "2026-2").name
    for number in ("0", "-1", "x", "%EF%BC%91", "9" * 30, "99999", "%00", str(thread.id)):
        edition = other if number == str(thread.id) else SLUG
        for act in ("reply", "resolve", "reopen", "read", "1/edit", "1/delete"):
            answer = ann.post(f"/editions/{edition}/comments/{number}/{act}", {"text": "x"})
            assert answer.status == 404, (number, act)
    assert len(list_shown(studio)[0].comments) == 1


def test_who_has_left_is_still_named_and_mentioned_no_more(
    studio: Studio, ann: StudioClient, guest: StudioClient
) -> None:
    guest.post(STORY, {"text": "Bye."})
    with Session(studio.engine) as session:
        row = session.get_one(TeamMember, find_member(studio, Role.guest).id)
        row.removed_at = row.created_at
        session.add(row)
        session.commit()
    page = text_of(ann.get(STORY))
    assert "Guest Member" in page
    assert "Mention somebody" not in page


def test_every_act_on_a_comment_is_a_route_of_its_own() -> None:
    acts = [route for route in comments.ROUTES if route.permission == "comment"]
    assert len(acts) == 8
    assert all(list(route.methods) == ["POST"] for route in acts)
    assert {route.permission for route in comments.ROUTES if route not in acts} == {"read"}
    assert all("POST" not in route.methods for route in comments.ROUTES if route not in acts)

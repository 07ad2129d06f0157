"""Every version of a campaign's mail: the contact sheet, each at full size, and who has looked at it."""

import re
from html import unescape

from mailer.database.team_models import Role
from tests.factories.small_edition import SLUG
from tests.web.studio.campaigns.conftest import Desk


def list_tags(desk: Desk, number: int) -> list[str]:
    page = desk.get(f"/campaigns/{number}/versions")
    return list(dict.fromkeys(re.findall(r"/versions/([0-9a-f]+)\"", page)))


def read_digest(page: str) -> str:
    found = re.search(r"name=\"digest\" value=\"([0-9a-f]{64})\"", page)
    assert found is not None
    return found[1]


def test_the_contact_sheet_has_each_mail_that_somebody_gets_and_how_many_do(desk: Desk) -> None:
    number = desk.prepare()
    page = desk.get(f"/campaigns/{number}/versions")
    tags = list_tags(desk, number)
    assert len(tags) >= 3
    assert f"{len(tags)} different mails" in page
    assert "depending on what partners follow and on their language" in page
    partners = [int(many) for many in re.findall(r"(\d+) partners?</p>", page)]
    assert (len(partners), sum(partners)) == (len(tags), 4)
    assert partners == sorted(partners, reverse=True)
    # A frame is a picture: nothing in it can be reached, and it may run nothing.
    frames = re.findall(r"<div class=\"window\" inert><iframe [^>]*>", page)
    assert len(frames) == len(tags)
    assert all('sandbox="allow-same-origin" loading="lazy"' in frame for frame in frames)
    fragment = desk.get_fragment(f"/campaigns/{number}/versions")
    assert "<html" not in fragment
    assert fragment.count("<iframe") == len(tags)


def read_words(desk: Desk, number: int) -> list[str]:
    """What the sheet says of each version, without where to go and what was looked at."""
    page = desk.get(f"/campaigns/{number}/versions")
    cells = re.findall(r"<li>\n<div class=\"window\".*?</li>", page, flags=re.DOTALL)
    return [" | ".join(re.findall(r"<p class=\"small(?: muted)?\">([^<]+)</p>", cell)) for cell in cells]


def test_each_version_says_for_whom_it_is_and_in_what_it_differs(desk: Desk) -> None:
    teachers, museum = "“Teachers meet in Ulaanbaatar”", "“A museum opens at night in Beijing”"
    edition = desk.house.studio.workspace.editions / SLUG / "edition.md"
    assert sorted(read_words(desk, desk.prepare())) == sorted(
        [
            "For partners who follow different things, or nothing in particular | "
            "What most partners get; the others are compared with it",
            f"For partners who follow Education, Mongolia | Without {museum}",
            f"For partners who follow Culture | Without {teachers}",
        ]
    )
    desk.write("edition.md", edition.read_text().replace("personalise: filter", "personalise: order"))
    words = read_words(desk, desk.prepare())
    assert f"For partners who follow Culture | In another order: {museum} comes sooner" in words
    desk.write("edition.md", edition.read_text().replace("personalise: order", "personalise: off"))
    assert read_words(desk, desk.prepare()) == [""]


def test_each_frame_is_the_mail_of_its_version(desk: Desk) -> None:
    number = desk.prepare()
    texts = {}
    for tag in list_tags(desk, number):
        frame = desk.house.ask("GET", f"/campaigns/{number}/versions/{tag}/frame", Role.guest)
        assert frame.status == 200
        policy = frame.headers["content-security-policy"]
        assert "sandbox" in policy
        assert "script-src 'none'" in policy
        texts[tag] = unescape(frame.body.decode())
    assert len(set(texts.values())) == len(texts)
    assert {"museum" in text for text in texts.values()} == {True, False}
    tag = next(iter(texts))
    plain = desk.get(f"/campaigns/{number}/versions/{tag}/frame?show=text")
    assert "<pre>" in plain
    dark = desk.get(f"/campaigns/{number}/versions/{tag}/frame?scheme=dark")
    assert dark != texts[tag]


def test_one_version_leads_to_the_one_before_and_the_one_after(desk: Desk) -> None:
    number = desk.prepare()
    tags = list_tags(desk, number)
    page = desk.get(f"/campaigns/{number}/versions/{tags[1]}?show=phone")
    assert f"Version 2 of {len(tags)}" in page
    assert f'rel="prev" href="/studio/campaigns/{number}/versions/{tags[0]}?show=phone"' in page
    assert f'rel="next" href="/studio/campaigns/{number}/versions/{tags[2]}?show=phone"' in page
    assert 'rel="prev"' not in desk.get(f"/campaigns/{number}/versions/{tags[0]}")
    desk.get(f"/campaigns/{number}/versions/0123456789", status=404)


def test_what_a_member_has_looked_at_is_marked_for_them_alone_until_it_changes(desk: Desk) -> None:
    number = desk.prepare()
    tags = list_tags(desk, number)
    for step, tag in enumerate(tags):
        path = f"/campaigns/{number}/versions/{tag}"
        page = desk.get(path)
        assert "I have looked at it" in page
        goal = desk.act(f"{path}/seen", {"digest": read_digest(page)})
        following = f"/campaigns/{number}/versions/{tags[step + 1]}" if step + 1 < len(tags) else ""
        assert goal == (following or f"/campaigns/{number}?notice=versions-seen")
        assert "You have looked at it" in desk.get(path)
    assert f"you have looked at {len(tags)}" in desk.get(f"/campaigns/{number}")
    assert "you have looked at 0" in desk.get(f"/campaigns/{number}/versions", Role.manager)
    edition = desk.house.studio.workspace.editions / SLUG / "edition.md"
    desk.write("edition.md", edition.read_text().replace("News from the field", "Other news"))
    assert "you have looked at 0" in desk.get(f"/campaigns/{number}/versions")


def test_a_version_that_changed_while_it_was_looked_at_is_not_marked(desk: Desk) -> None:
    number = desk.prepare()
    path = f"/campaigns/{number}/versions/{list_tags(desk, number)[0]}"
    digest = read_digest(desk.get(path))
    edition = desk.house.studio.workspace.editions / SLUG / "edition.md"
    desk.write("edition.md", edition.read_text().replace("News from the field", "Other news"))
    assert desk.act(f"{path}/seen", {"digest": digest}) == f"{path}?notice=version-changed"
    assert "you have looked at 0" in desk.get(f"/campaigns/{number}/versions")


def test_without_a_segment_the_whole_edition_is_shown(desk: Desk) -> None:
    number = desk.begin()
    page = desk.get(f"/campaigns/{number}/versions")
    assert len(list_tags(desk, number)) == 1
    assert "How many there are is said once it is known who gets it." in page

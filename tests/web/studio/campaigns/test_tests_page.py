"""Sending a test from the page of a campaign, and who got which content when."""

import re
import secrets
from email import message_from_bytes, policy

import pytest

from mailer.campaigns.content_versions import find_test
from mailer.campaigns.plan import plan_campaign
from subscribers.segments.segment import parse_segment
from tests.factories.small_edition import SLUG
from tests.servers.scripted_smtp import Act, answering
from tests.web.studio.campaigns.conftest import NOW, Desk


def new_request() -> str:
    """A number that no other form has: Studio remembers them as long as it runs."""
    return secrets.token_hex(8)


def read_request(page: str) -> str:
    found = re.search(r"name=\"request\" value=\"([^\"]+)\"", page)
    assert found is not None
    return found[1]


def test_a_test_goes_to_those_named_and_counts_as_one_of_exactly_this(desk: Desk) -> None:
    number = desk.prepare()
    page = desk.get(f"/campaigns/{number}/tests")
    assert ">desk@office.example</textarea>" in page
    form = {"addresses": "ann@office.example\r\nben@office.example", "request": read_request(page)}
    assert desk.act(f"/campaigns/{number}/tests", form) == f"/campaigns/{number}/tests?notice=test-sent"
    assert sorted(desk.relay.recipients) == ["ann@office.example", "ben@office.example"]
    message = message_from_bytes(desk.relay.kept[0].content, policy=policy.default)
    assert message["Subject"].startswith("[Test] ")
    assert desk.list_acts()[0] == ("sent_test", SLUG, str(number), "to 2")
    page = desk.get(f"/campaigns/{number}/tests")
    assert "ann@office.example" in page
    assert "Author X" in page
    assert "As it would be sent now" in page
    assert "Exactly this was tested by Author X" in desk.get(f"/campaigns/{number}?look=1")
    # It is the content that a launch from the command line has.
    studio = desk.house.studio
    plan = plan_campaign(studio.workspace, studio.engine, SLUG, parse_segment("all"), now=NOW)
    with studio.engine.connect() as connection:
        assert find_test(connection, SLUG, plan.content_digest) is not None


def test_a_second_click_sends_nothing_a_second_time(desk: Desk) -> None:
    number = desk.prepare()
    form = {"addresses": "ann@office.example", "request": new_request()}
    for _ in range(2):
        desk.act(f"/campaigns/{number}/tests", form)
    assert len(desk.relay.kept) == 1
    desk.act(f"/campaigns/{number}/tests", {**form, "request": new_request()})
    assert len(desk.relay.kept) == 2


def test_a_test_of_another_content_is_told_from_one_of_this(desk: Desk) -> None:
    number = desk.prepare()
    desk.act(f"/campaigns/{number}/tests", {"addresses": "ann@office.example", "request": new_request()})
    edition = desk.house.studio.workspace.editions / SLUG / "edition.md"
    desk.write("edition.md", edition.read_text().replace("News from the field", "Other news"))
    page = desk.get(f"/campaigns/{number}/tests")
    assert "Another content" in page
    assert "As it would be sent now" not in page
    assert "The last test was of another content" in desk.get(f"/campaigns/{number}")


def test_a_version_is_sent_as_its_readers_get_it(desk: Desk) -> None:
    number = desk.prepare()
    page = desk.get(f"/campaigns/{number}/tests")
    tags = re.findall(r"<option value=\"([0-9a-f]+)\"", page)
    assert len(tags) >= 3
    for tag in tags:
        desk.act(
            f"/campaigns/{number}/tests",
            {"addresses": "ann@office.example", "version": tag, "request": new_request()},
        )
    bodies = []
    for mail in desk.relay.kept:
        body = message_from_bytes(mail.content, policy=policy.default).get_body(("plain",))  # type: ignore[attr-defined]
        bodies.append(body.get_content())
    assert {"museum" in body for body in bodies} == {True, False}


def test_who_did_not_get_it_is_named_with_the_servers_words_and_stays_in_the_form(desk: Desk) -> None:
    number = desk.prepare()
    desk.relay.script = answering(
        ("RCPT", "gone@", "550 5.1.1 No such user"), ("RCPT", "full@", "452 4.2.2 Mailbox full")
    )
    form = {
        "addresses": "gone@office.example, ann@office.example; full@office.example",
        "request": new_request(),
    }
    answer = desk.post(f"/campaigns/{number}/tests", form)
    page = answer.body.decode()
    assert answer.status == 422
    assert "gone@office.example did not get it. Their mail server, or ours, said: 550 5.1.1" in page
    assert "full@office.example did not get it yet. Send it again in a few minutes." in page
    assert ">gone@office.example\nfull@office.example</textarea>" in page
    assert desk.relay.recipients == ["ann@office.example"]


def test_who_may_have_it_or_not_is_named_and_not_told_that_they_did_not_get_it(desk: Desk) -> None:
    number = desk.prepare()
    desk.relay.script = answering((".", "ann@", Act.abort))
    path = f"/campaigns/{number}/tests"
    assert desk.act(path, {"addresses": "ann@office.example", "request": new_request()}) == path
    page = desk.get(path)
    assert "In doubt: it may have arrived" in page
    assert "ann@office.example" in page
    assert "did not get it" not in page
    assert "As it would be sent now" not in page


@pytest.mark.parametrize(
    ("addresses", "words"),
    [
        ("", "Write at least one address."),
        (" ,; \r\n", "Write at least one address."),
        ("nobody", "not an address"),
        (" ".join(f"r{number}@office.example" for number in range(21)), "at most 20 addresses"),
    ],
)
def test_what_is_no_address_gets_nothing(desk: Desk, addresses: str, words: str) -> None:
    number = desk.prepare()
    page = desk.refuse(f"/campaigns/{number}/tests", {"addresses": addresses, "request": new_request()})
    assert words in page
    assert desk.relay.mails == []


def test_an_edition_with_errors_is_not_tested(desk: Desk) -> None:
    number = desk.prepare()
    desk.write("stories/030-bad.md", "---\ntitle: A story\nsector: nothing\n---\n\nText.\n")
    page = desk.refuse(
        f"/campaigns/{number}/tests", {"addresses": "ann@office.example", "request": new_request()}
    )
    assert "The edition has errors, so no test was sent." in page
    assert desk.relay.mails == []


def test_a_relay_that_is_down_is_an_error_in_words(desk: Desk) -> None:
    number = desk.prepare()
    desk.relay.script = answering(("MAIL", "", "550 5.7.1 Who are you"))
    answer = desk.post(
        f"/campaigns/{number}/tests", {"addresses": "ann@office.example", "request": new_request()}
    )
    assert answer.status == 422
    assert b"The mail server refuses the sender" in answer.body

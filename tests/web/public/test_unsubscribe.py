"""Leaving by one click and by the page, and coming back, requested over a real connection."""

import re
import threading

import pytest
from sqlmodel import Session

from mailer.selfservice.unsubscribe import RESUBSCRIBE_WORDING, UNDO_WORDING, UNSUBSCRIBE_WORDING
from subscribers.consent.status_changes import suppress
from subscribers.models import Status
from tests.web.public.readers_site import ONE_CLICK, OWN_FORM, Site, words_of
from tests.web.site import NOW, HttpResponse

ONE_CLICK_PARTS = (
    b'--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n'
)


def has_all(answer: HttpResponse, words: str) -> bool:
    """Whether the page says every sentence that a consent record claims it says."""
    return all(sentence in words_of(answer) for sentence in re.split(r"(?<=[.?]) ", words))


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (ONE_CLICK, "application/x-www-form-urlencoded"),
        (ONE_CLICK_PARTS, "multipart/form-data; boundary=b"),
    ],
)
def test_one_click_works_without_cookies_in_both_encodings(
    site: Site, body: bytes, content_type: str
) -> None:
    headers = {"content-type": content_type, "origin": "https://mail.example", "sec-fetch-site": "cross-site"}
    answer = site.post(f"/u/{site.token}", body, headers)
    assert (answer.status, "location" in answer.headers) == (200, False)
    assert site.status() is Status.unsubscribed
    (record,) = site.records()
    assert (record.method, record.source) == ("one-click", "campaign 7")


def test_ten_repeated_one_clicks_unsubscribe_once(site: Site) -> None:
    answers = [site.post(f"/u/{site.token}", ONE_CLICK) for _ in range(10)]
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1
    assert len(site.records()) == 1


def test_ten_concurrent_one_clicks_unsubscribe_once(site: Site) -> None:
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda: statuses.append(site.post(f"/u/{site.token}", ONE_CLICK).status))
        for _ in range(10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 10
    assert len(site.records()) == 1


@pytest.mark.parametrize("body", [b"", b"\xff\xfe%%%", b"a=b&" * 500, b"--b\r\nbroken"])
def test_an_unsubscribe_works_whatever_its_body(site: Site, body: bytes) -> None:
    answer = site.post(f"/u/{site.token}", body, {"content-type": "multipart/form-data"})
    assert answer.status == 200
    assert site.status() is Status.unsubscribed


def test_the_consent_record_has_the_wording_of_the_page(site: Site) -> None:
    assert has_all(site.get(f"/u/{site.token}"), UNSUBSCRIBE_WORDING)
    answer = site.post(f"/u/{site.token}", b"", OWN_FORM)
    assert "You are unsubscribed" in words_of(answer)
    (record,) = site.records()
    assert (record.method, record.wording) == ("page", UNSUBSCRIBE_WORDING)


def test_an_unsubscribe_can_be_undone(site: Site) -> None:
    left = site.post(f"/u/{site.token}", b"", OWN_FORM)
    assert has_all(left, UNDO_WORDING)
    assert f'action="/u/{site.token}/undo"' in left.text
    for _ in range(2):
        back = site.post(f"/u/{site.token}/undo", b"from=undo", OWN_FORM)
        assert (back.status, site.status()) == (200, Status.active)
    assert "Welcome back" in words_of(back)
    assert [record.wording for record in site.records()] == [UNSUBSCRIBE_WORDING, UNDO_WORDING]


def test_an_unsubscribed_reader_is_told_and_can_resubscribe(site: Site) -> None:
    token = site.add("gone@example.org", status=Status.unsubscribed)
    page = site.get(f"/u/{token}")
    assert "You are not subscribed" in words_of(page)
    assert has_all(page, RESUBSCRIBE_WORDING)
    assert has_all(site.get(f"/p/{token}"), RESUBSCRIBE_WORDING)
    site.post(f"/u/{token}/undo", b"from=again", OWN_FORM)
    assert site.status("gone@example.org") is Status.active
    assert site.records()[0].wording == RESUBSCRIBE_WORDING


def test_an_erased_reader_cannot_resubscribe(site: Site) -> None:
    token = site.add("erased-1@invalid", status=Status.erased)
    for answer in (site.get(f"/u/{token}"), site.post(f"/u/{token}", ONE_CLICK)):
        assert answer.status == 200
        assert "erased-1" not in answer.text
        assert "/undo" not in answer.text
    assert site.post(f"/u/{token}/undo", b"", OWN_FORM).status == 404
    assert site.get(f"/p/{token}").status == 404
    assert site.status("erased-1@invalid") is Status.erased


def test_an_address_suppressed_by_the_team_cannot_resubscribe(site: Site) -> None:
    with Session(site.engine) as session:
        suppress(
            session,
            "mei.lin@example.org",
            key=site.workspace.keys.suppression,
            method="command line",
            now=NOW,
        )
        session.commit()
    assert "/undo" not in site.get(f"/u/{site.token}").text
    assert site.post(f"/u/{site.token}/undo", b"", OWN_FORM).status == 409
    assert site.status() is Status.unsubscribed

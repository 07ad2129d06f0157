"""People and programs are told apart by what they did."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from mailer.database.report_models import Clicker
from mailer.feedback.clicks.recogniser import Behaviour, ClickVerdict, SeenClick, judge_clicks
from mailer.feedback.clicks.request_signs import Sign
from tests.factories.click_traces import judge_traces
from tests.factories.clicks import AT

MINUTE = timedelta(minutes=1)


def see(number: int, seconds: float, link: int, **values: Any) -> SeenClick:
    usual: dict[str, Any] = {"country": "FR", "sectors": "", "visitor": b"v" * 16, "signs": frozenset()}
    return SeenClick(id=number, link_number=link, at=AT + timedelta(seconds=seconds), **{**usual, **values})


def judge(*clicks: SeenClick, links: int = 10, sent: timedelta = -MINUTE * 60) -> list[ClickVerdict]:
    verdicts = judge_clicks(clicks, links=links, find_first_sent=lambda _: AT + sent)
    return [verdicts[click.id] for click in clicks]


def follow(*seconds: float, **values: Any) -> list[ClickVerdict]:
    return judge(*(see(number, second, number + 1, **values) for number, second in enumerate(seconds)))


@pytest.mark.parametrize("name", ["open", "blind"])
def test_scanners_are_found_and_people_are_left_alone(name: str, figure: Callable[[str], None]) -> None:
    outcomes = judge_traces(name)
    scanners = [one for one in outcomes if one.trace["who"] == "scanner"]
    people = [one for one in outcomes if one.trace["who"] == "person"]
    found = sum(one.is_taken_for_scanner for one in scanners)
    wrong = [one.trace["kind"] for one in people if one.is_taken_for_scanner]
    assert found >= 0.95 * len(scanners)
    assert len(wrong) <= 0.01 * len(people), wrong
    figure(
        f"clicks ({name}): {found} of {len(scanners)} traces of scanners found, "
        f"{len(wrong)} of {len(people)} people taken for one"
    )


def test_the_traces_are_as_many_and_as_different_as_they_should_be() -> None:
    traces = [one.trace for name in ("open", "blind") for one in judge_traces(name)]
    scanners = [trace for trace in traces if trace["who"] == "scanner"]
    assert len(scanners) >= 40
    assert len({trace["kind"] for trace in scanners}) >= 12
    assert all(trace["source"].startswith("https://") for trace in scanners)
    assert sum(trace["who"] == "person" for trace in traces) >= 200


@pytest.mark.parametrize("sign", [Sign.head, Sign.prefetch, Sign.program, Sign.network])
def test_one_certain_sign_is_enough(sign: Sign) -> None:
    [verdict] = judge(see(1, 0, 1, signs=frozenset({sign})))
    assert verdict.clicker is Clicker.scanner


@pytest.mark.parametrize("sign", [Sign.shared_network, Sign.no_language, Sign.unlike_browser])
def test_one_weak_sign_is_not_enough_and_two_are(sign: Sign) -> None:
    [verdict] = judge(see(1, 0, 1, signs=frozenset({sign})))
    assert verdict.clicker is Clicker.person
    [verdict] = judge(see(1, 0, 1, signs=frozenset({sign})), sent=timedelta(seconds=-20))
    assert verdict.clicker is Clicker.scanner
    assert verdict.reasons == {sign, Behaviour.soon}


def test_three_links_within_a_second_are_a_program_and_within_two_a_person() -> None:
    assert {one.clicker for one in follow(0, 0.4, 1.0)} == {Clicker.scanner}
    assert {one.clicker for one in follow(0, 0.7, 1.6)} == {Clicker.person}


def test_the_same_link_again_is_no_burst() -> None:
    clicks = [see(number, number / 10, 1) for number in range(6)]
    assert {one.clicker for one in judge(*clicks)} == {Clicker.person}


def test_most_links_within_seconds_are_a_program() -> None:
    assert Behaviour.sweep in follow(*(number * 2 for number in range(7)))[0].reasons
    assert {one.clicker for one in follow(*(number * 2 for number in range(4)))} == {Clicker.person}


def test_all_links_one_after_another_are_a_program_however_slow_it_is() -> None:
    assert {one.clicker for one in follow(*(number * 17 for number in range(10)))} == {Clicker.scanner}


def test_a_person_may_follow_every_link_of_a_short_mail() -> None:
    clicks = [see(number, number * 10, number) for number in range(1, 5)]
    assert {one.clicker for one in judge(*clicks, links=4)} == {Clicker.person}


def test_a_click_before_anybody_could_have_read_the_mail_is_a_program() -> None:
    for seconds in (-60, 0, 5):
        [verdict] = judge(see(1, seconds, 1), sent=timedelta(0))
        assert verdict.reasons == {Behaviour.early}
    [verdict] = judge(see(1, 12, 1), sent=timedelta(0))
    assert verdict.clicker is Clicker.person


def test_a_click_in_a_country_that_nothing_was_sent_to_is_judged_by_other_signs() -> None:
    verdicts = judge_clicks([see(1, 0, 1)], links=10, find_first_sent=lambda _: None)
    assert verdicts[1].clicker is Clicker.person


def test_a_scanner_with_many_addresses_is_a_swarm() -> None:
    clicks = [see(number, number / 10, number, visitor=bytes([number] * 16)) for number in range(1, 7)]
    assert {one.clicker for one in judge(*clicks)} == {Clicker.scanner}


def test_many_people_who_read_at_a_time_are_no_swarm() -> None:
    clicks = [
        see(number, number * 0.24, 1 + number * 7 % 9, visitor=number.to_bytes(16))
        for number in range(1, 300)
    ]
    assert {one.clicker for one in judge(*clicks)} == {Clicker.person}


def test_people_of_different_countries_are_no_swarm() -> None:
    clicks = [
        see(number, number / 10, number, visitor=bytes([number] * 16), country=country)
        for number, country in enumerate(("FR", "DE", "MN", "KR", "CN", "JP"), start=1)
    ]
    assert {one.clicker for one in judge(*clicks)} == {Clicker.person}


def test_a_program_behind_the_address_of_people_takes_none_of_them_with_it() -> None:
    burst = [see(number, number / 10, number) for number in range(1, 9)]
    person = [see(100, 700, 3), see(101, 900, 5)]
    verdicts = judge(*burst, *person)
    assert {one.clicker for one in verdicts[:8]} == {Clicker.scanner}
    assert {one.clicker for one in verdicts[8:]} == {Clicker.person}


def test_a_program_that_comes_back_for_one_link_is_known() -> None:
    burst = [see(number, number / 10, number) for number in range(1, 9)]
    again = see(100, 7000, 3, signs=frozenset({Sign.no_language}))
    assert judge(*burst, again)[-1].reasons == {Sign.no_language, Behaviour.known}


def test_the_order_of_the_clicks_does_not_matter() -> None:
    clicks = [see(number, 3 - number / 10, number) for number in range(1, 9)]
    assert judge(*clicks) == judge(*reversed(clicks))[::-1]

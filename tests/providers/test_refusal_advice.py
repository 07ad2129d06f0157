"""A refusal in plain words: which provider, whose fault, and what to do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.providers.provider_table import load_providers
from mailer.providers.refusal_advice import explain_refusal
from mailer.reasons.reason import USUAL_FAULTS, Fault, Reason


@pytest.mark.parametrize(
    ("words", "provider", "fault", "part"),
    [
        ("550-5.7.26 unauthenticated. gsmtp", "Gmail and Google Workspace", Fault.sender, "mailer doctor"),
        (
            "550 5.7.1 messages from [192.0.2.7] weren't sent (S3150). "
            "[XY.eop-nam12.prod.olc.protection.outlook.com]",
            "Outlook.com",
            Fault.sender,
            "olcsupport.office.com",
        ),
        ("554 DT:SPM 163 zwqz,please see", "NetEase (163, 126, yeah.net)", Fault.sender, "163.com"),
        (
            "421 mwinf5d09 ME Trop de connexions. OFR004_104 [104]",
            "Orange (France)",
            Fault.sender,
            "orange in [provider_rates]",
        ),
        ("550 Mail is rejected by recipients. https://service.mail.qq.com/x", "", Fault.reader, "allow your"),
        ("554 5.7.1 Relay access denied", "", Fault.provider, "set up wrongly"),
        ("451 4.7.1 Greylisted, come back later", "", Fault.nobody, "tried again"),
        ("452 4.2.2 mailbox full", "", Fault.reader, "full"),
    ],
)
def test_a_refusal_says_what_happened_and_what_to_do(
    words: str, provider: str, fault: Fault, part: str
) -> None:
    told = explain_refusal(words)
    assert (told.provider, told.fault) == (provider, fault)
    assert part in f"{told.means} {told.advice}"


def test_an_address_or_a_web_page_in_the_words_is_no_server() -> None:
    assert explain_refusal("550 5.1.1 <anna@mail.google.com>: user unknown").provider == ""
    assert explain_refusal("550 no. See https://support.google.com/mail").provider == ""
    assert explain_refusal("550 mx1.qq.com says no").provider == "QQ Mail and Tencent Exmail"


def test_every_refusal_that_a_provider_is_known_for_is_explained_as_the_table_says() -> None:
    for provider in load_providers().by_key.values():
        host = f"mx1.{provider.mx[0]}"
        for known in provider.refusals:
            told = explain_refusal(f"550 {known.codes[0]} refused", host=host)
            assert told.provider == provider.name
            assert (told.means, told.advice) in {(each.means, each.advice) for each in provider.refusals}


def test_every_reason_has_words_for_every_usual_fault() -> None:
    assert USUAL_FAULTS.keys() == set(Reason)
    for words in ("550 5.1.1 no such user", "552 too large", "550 virus", "551 moved", "521 no mail", ""):
        told = explain_refusal(words)
        assert told.means.endswith(".")
        assert told.advice.endswith(".")
        assert "{}" not in told.means


@given(st.text(max_size=200), st.text(max_size=40))
def test_no_words_make_it_fail(words: str, host: str) -> None:
    assert explain_refusal(words, host=host).means

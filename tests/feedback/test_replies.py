"""What a person wrote is shown without what they answered or forwarded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.feedback.mime_part import parse_message
from mailer.feedback.replies import is_written_by_person, read_own_text, split_reply

OWN = "Thank you!\n\nMarta"


@pytest.mark.parametrize(
    "quotation",
    [
        "On Mon, 4 May 2026 at 10:12, News <news@example.com> wrote:\n\n> Dear Marta",
        "On Mon, 4 May 2026 at 10:12, News\n<news@example.com> wrote:\n\nDear Marta, unmarked",
        "Le lun. 4 mai 2026 à 10:12, News <news@example.com> a écrit :\n\n> Chère Marta",
        "Am 04.05.26 um 10:12 schrieb News:\n> Liebe Marta",
        "El lun, 4 may 2026 a las 10:12, News (<news@example.com>) escribió:\n\n> Hola",
        "пн, 4 мая 2026 г. в 10:12, News <news@example.com>:\n\n> Здравствуйте",
        "4 мая 2026 г., 10:12, News <news@example.com> написал(а):\n\nЗдравствуйте",
        '04.05.2026, 10:12, "News" <news@example.com>:\n\nЗдравствуйте',
        "2026 оны 5-р сарын 4, 10:12 News <news@example.com> бичсэн:\n\n> Сайн байна уу",
        "News <news@example.com> 于2026年5月4日周一 10:12写道：\n\n> 您好",
        "2026年5月4日(月) 10:12 News <news@example.com>:\n\n> こんにちは",
        "2026년 5월 4일 (월) 오전 10:12, News <news@example.com>님이 작성:\n\n> 안녕하세요",
        "في الإثنين، 4 مايو 2026 في 10:12 كتب News <news@example.com>:\n\n> مرحبا",
        "-----Original Message-----\nFrom: News\nSubject: x\n\nDear Marta",
        "-----Ursprüngliche Nachricht-----\nVon: News\n\nLiebe Marta",
        "------------------ 原始邮件 ------------------\n发件人: News\n\n您好",
        "---------- Forwarded message ---------\nFrom: News\n\nDear Marta",
        "________________________________\nFrom: News <news@example.com>\nSent: Monday\nTo: Marta\n\nDear",
        "From: News <news@example.com>\nSent: Monday, May 4, 2026 10:12\nTo: Marta\nSubject: x\n\nDear Marta",
        "De : News\nEnvoyé : lundi 4 mai 2026\nÀ : Marta\nObjet : x\n\nChère Marta",
        "От: News\nОтправлено: 4 мая 2026\nКому: Marta\nТема: x\n\nЗдравствуйте",
        "发件人: News\n发送时间: 2026年5月4日\n收件人: Marta\n主题: x\n\n您好",
        "差出人: News\n送信日時: 2026年5月4日\n宛先: Marta\n件名: x\n\nこんにちは",
        "보낸 사람: News\n날짜: 2026년 5월 4일\n받는 사람: Marta\n제목: x\n\n안녕하세요",
        "من: News\nتاريخ الإرسال: 4 مايو\nإلى: Marta\nالموضوع: x\n\nمرحبا",
    ],
)
def test_the_quoted_original_is_left_out(quotation: str) -> None:
    assert split_reply(f"{OWN}\n\n{quotation}\n") == (OWN, True)


def test_the_last_line_above_a_quotation_is_the_writer_s() -> None:
    attribution = '04.05.2026, 10:12, "News" <news@example.com>:'
    assert read_own_text(f"Thanks!\n{attribution}\nDear Marta") == "Thanks!"
    assert read_own_text("Thanks!\nOn 4 May 2026 at 10:12, News wrote:\n> Dear Marta") == "Thanks!"


def test_answers_between_quoted_lines_are_kept() -> None:
    text = "On 4 May 2026, News wrote:\n> Is the name right?\nYes.\n> And the date?\nNo, it is 5 May."
    assert read_own_text(text) == "Yes.\nNo, it is 5 May."


@pytest.mark.parametrize(
    "text",
    [
        "From: Monday on I am in Paris.\nSee you there.",
        "He wrote to me: fine.",
        "Two wishes:\n- a shorter mail\n- at 10:12",
        "Dear team:\nthe list of 2026 is here:",
        "---\nMarta",
    ],
)
def test_nothing_of_a_reply_without_a_quotation_is_left_out(text: str) -> None:
    assert split_reply(text) == (text, False)


def test_a_message_that_only_forwards_has_no_words_of_its_own() -> None:
    assert read_own_text("\n-----Mensaje original-----\nDe: News\n\nHola") == ""


@given(st.text(alphabet=st.sampled_from(list("ab >:\n-_@1")), max_size=300))
def test_every_line_that_is_kept_was_written(text: str) -> None:
    written = [line.strip() for line in text.split("\n")]
    assert all(line.strip() in written for line in read_own_text(text).split("\n") if line.strip())


@pytest.mark.parametrize(
    ("fields", "is_person"),
    [
        ("From: marta.lind@example.org\nSubject: Hello", True),
        ("From: Marta <marta.lind@example.org>\nIn-Reply-To: <1@example.com>\nList-Unsubscribe: <x>", True),
        ("From: shop@example.net\nList-Unsubscribe: <https://example.net/u>", False),
        ("From: MAILER-DAEMON@example.net", False),
        ("From: marta.lind@example.org\nReturn-Path: <>", False),
        ("Subject: nobody", False),
    ],
)
def test_what_systems_and_other_newsletters_send_is_no_reply(fields: str, is_person: bool) -> None:
    assert is_written_by_person(parse_message(f"{fields}\n\nHello\n".encode())) is is_person

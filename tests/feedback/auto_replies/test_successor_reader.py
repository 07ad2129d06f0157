"""Who followed a person is read from an automatic reply, and who only helps out "
"meanwhile is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.feedback.auto_replies.successor_reader import read_successors

KNOWN = {"marta.lind@example.org"}


@pytest.mark.parametrize(
    ("text", "name", "address"),
    [
        (
            "I have left the ministry. My successor is Jonas Holt (jonas.holt@example.org).",
            "Jonas Holt",
            "jonas.holt",
        ),
        (
            "I no longer work here.\nPlease write to\nMs Anna van der Berg <a.vanderberg@example.org>.",
            "Anna van der Berg",
            "a.vanderberg",
        ),
        (
            "Ich bin seit dem 1. April nicht mehr im Ministerium tätig. "
            "Bitte wenden Sie sich künftig an meinen Nachfolger Jonas Holt, jonas.holt@example.org.",
            "Jonas Holt",
            "jonas.holt",
        ),
        (
            "J'ai quitté le ministère. "
            "Veuillez désormais écrire à Mme Claire Dubois : claire.dubois@example.org",
            "Claire Dubois",
            "claire.dubois",
        ),
        (
            "Ya no trabajo en el ministerio. En adelante, escriba a Ana Gómez <a.gomez@example.org>.",
            "Ana Gómez",
            "a.gomez",
        ),
        (
            "Я больше не работаю в министерстве. Мой преемник: Иван Смирнов, smirnov@example.org",
            "Иван Смирнов",
            "smirnov",
        ),
        ("本人已离职，今后请联系王伟，邮箱 wang@example.org。", "王伟", "wang"),
        ("本人已離職。後續業務由陳美玲（meiling.chen@example.org）接任。", "陳美玲", "meiling.chen"),
        (
            "3月31日をもって退職いたしました。後任は田中です。今後は tanaka@example.org までご連絡ください。",
            "田中",
            "tanaka",
        ),
        (
            "저는 퇴직하였습니다. 후임은 김민수입니다. 앞으로는 kim@example.org로 연락해 주십시오.",
            "김민수",
            "kim",
        ),
        (
            "لم أعد أعمل في الوزارة. يرجى التواصل مستقبلاً مع سارة أحمد على sara@example.org.",
            "سارة أحمد",
            "sara",
        ),
        ("Би яамны ажлаас гарсан. Цаашид bat-erdene@example.org хаягаар хандана уу.", "", "bat-erdene"),
    ],
)
def test_a_successor_is_found_with_name_address_and_words(text: str, name: str, address: str) -> None:
    (successor,) = read_successors(text, known=KNOWN)
    assert (successor.name, successor.address) == (name, f"{address}@example.org")
    assert successor.address in successor.words
    assert successor.words.replace(" ", "") in text.replace("\n", "").replace(" ", "")


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("Programme Officer P. Nguyen, p.nguyen@example.org", "P. Nguyen"),
        ("María José López Ruiz, mjlopez@example.org", "María José López Ruiz"),
        ("Frau Dr. Petra Müller-Lüdenscheid (petra.mueller@example.org)", "Petra Müller-Lüdenscheid"),
        ("Monsieur Jean-Luc Moreau : jean-luc.moreau@example.org", "Jean-Luc Moreau"),
        ("Anna Berg, Director of Culture, at anna@example.org", "Anna Berg"),
        ("karl.schmidt@example.org", ""),
    ],
)
def test_a_name_agrees_with_its_address_or_stands_before_it(words: str, name: str) -> None:
    (successor,) = read_successors(f"I have left the ministry. My successor is {words}.", known=KNOWN)
    assert successor.name == name


@pytest.mark.parametrize(
    "text",
    [
        "I am out of the office until 18 May. In urgent cases contact Jonas Holt (jonas.holt@example.org).",
        "I am on maternity leave until January. Anna Berg (anna.berg@example.org) has taken over my tasks.",
        "I have left for my holidays and will be back on 20 August. "
        "While I am away, contact anna@example.org.",
        "Ich bin im Urlaub bis 15. Mai. In dringenden Fällen wenden Sie sich an Frau Berg, berg@example.org.",
        "Я в отпуске до 15 мая. По срочным вопросам обращайтесь к Анне: smirnova@example.org",
        "我正在休假，5月18日返回。如有紧急事宜，请联系王伟 wang@example.org。",
        "I have left the ministry. "
        "For technical problems contact helpdesk@example.org or it-support@example.org.",
        "I have left the ministry. My new e-mail address is marta@example.net.",
        "I have left the ministry. You wrote to marta.lind@example.org.",
        "I have left the ministry.\n\nKind regards,\nMarta Lind\nmarta.private@example.net",
        "We have received your message. Our address is office@example.org.",
        "My successor is Jonas Holt.",
        "I will be on sabbatical leave until September. My replacement is Anna Berg, anna@example.org.",
        "This mailbox is no longer monitored. Please write to info@example.org or secretariat@example.org.",
    ],
)
def test_who_helps_out_a_help_desk_or_the_same_person_is_no_successor(text: str) -> None:
    assert read_successors(text, known=KNOWN) == ()


@given(st.lists(st.sampled_from([*"aB .@\n(<>),:!", "I have left. ", "x@example.org "])).map("".join))
def test_no_text_makes_it_fail(text: str) -> None:
    assert len(read_successors(text, known=())) <= 5

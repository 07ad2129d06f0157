"""Nobody whose row says that they left gets mail, whatever the columns are called and whatever is in them.

What a row says is decided here, by what was put into it, and not by the code under test.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from subscribers.csv_format import SheetRow
from subscribers.errors import ImportFileError, SubscriberError
from subscribers.imports.columns.column_mapping import find_mapping
from subscribers.imports.columns.status_columns import StatusColumn, UnknownStatusError, make_status_column
from subscribers.imports.columns.status_titles import (
    StatusKind,
    StatusTitle,
    classify_title,
)
from subscribers.imports.columns.status_words import (
    StatusMeaning,
)

YES = ("yes", "true", "1", "x", "ja", "oui", "sí", "да", "نعم", "是", "はい", "예", "тийм", "Y", "✓", "sim")
NO = (
    "no",
    "false",
    "0",
    "nein",
    "non",
    "нет",
    "لا",
    "否",
    "いいえ",
    "아니오",
    "үгүй",
    "N",
    "não",
    "nej",
    "nee",
)
DATES = (
    *("2024-01-31", "31.01.2024", "1/31/24", "2024-01-31T10:00:00Z", "31 Jan 2024", "2024年1月31日"),
    *("2024-01-31 10:00:00.123 +0000 UTC", "45291", "1706695200", "31/1/2024 10:00"),
)
NOTHING = ("", "  ", "null", "0000-00-00", "0/0/00", "NULL", "n/a", "-")
LEFT = (
    *("unsubscribed", "Unsubscribed (link)", "opted out", "opt-out", "bounced", "hard bounce", "complained"),
    *("spam", "blacklisted", "blocklisted", "suppressed", "cleaned", "inactive", "do not email", "deleted"),
    *("abgemeldet", "désabonné", "désinscrite", "dado de baja", "отписан", "не подписан", "ألغى الاشتراك"),
    *(
        "退订",
        "已退订",
        "配信停止",
        "退会済み",
        "수신거부",
        "구독 취소",
        "цуцалсан",
        "avregistrerad",
        "disiscritto",
    ),
    *(
        "descadastrado",
        "uitgeschreven",
        "gesperrt",
        "黑名单",
        "스팸",
        "迷惑メール報告",
        "недоставлено",
        "removed",
    ),
    *("wypisany", "odhlášen", "abonelikten çıktı", "відписаний", "διαγραμμένος", "đã hủy đăng ký"),
    *("לא פעיל", "ยกเลิกการสมัคร", "leiratkozott", "dezabonat", "do not allow", "5.1.1"),
)
STAYS = (
    "active",
    "subscribed",
    "aktiv",
    "abonné",
    "suscrito",
    "подписан",
    "نشط",
    "已订阅",
    "購読中",
    "구독 중",
)
PENDING = ("unconfirmed", "pending", "nicht bestätigt", "en attente", "待确认", "仮登録", "미확인", "ожидает")
JUNK = ("kaputt", "3", "A", "unknown", "blue", "???", "maybe", "siehe Akte", "7.5", "X1")

LEFT_TITLES = (
    *("Unsubscribed", "Opt-out", "Opted out", "Do not email", "Do Not Contact", "Blacklisted", "Bounced"),
    *("EMAIL_BLACKLISTED", "HasOptedOutOfEmail", "is_opt_out", "On Hold", "Suppressed", "Spam complaint"),
    *("Unsubscribed from all email", "No Bulk Emails (User Opt Out)", "Abgemeldet", "Désinscrit", "De baja"),
    *("Отписан", "إلغاء الاشتراك", "退订", "配信停止", "수신거부", "Цуцалсан", "Avregistrerad", "Afgemeld"),
    *("unsubscribed_at", "Unsubscribe date", "Bounce date", "Abmeldedatum", "Date de désinscription"),
    *("Odhlášen", "Data wypisania", "Abonelikten çıkma tarihi", "Hủy đăng ký", "Ημερομηνία διαγραφής"),
    *("Verstorben", "E-Mail in Wartestellung", "Do not allow Bulk Emails", "Kündigung"),
    *("Дата отписки", "退订日期", "購読解除日", "구독취소일", "deleted_at", "Fecha de baja", "Cancelled at"),
)
CONSENT_TITLES = (
    *("Subscribed", "Opt-in", "OPT_IN", "Email Opt In", "Consent", "Accepts Email Marketing", "Newsletter"),
    *(
        "subscribed_to_emails",
        "Marketing consent",
        "Would you like to receive our newsletter?",
        "Einwilligung",
    ),
    *(
        "Consentement",
        "Consentimiento",
        "Согласие на рассылку",
        "موافقة",
        "是否订阅",
        "配信希望",
        "수신동의",
        "Зөвшөөрөл",
    ),
    *(
        "Active",
        "Samtycke",
        "Consenso",
        "Toestemming",
        "Rundbrief",
        "Infobrief",
        "Souhlas",
        "Zgoda",
        "소식지",
    ),
    *("Can we email you?", "電子報", "Новости", "Hírlevél"),
)
STATUS_TITLES = (
    *("Status", "Email status", "Subscription status", "Statut", "Estado", "Статус", "الحالة", "状态"),
    *("ステータス", "상태", "Төлөв", "Stato", "Member Status", "订阅状态", "Newsletter-Status"),
    *("Durum", "Stav", "Κατάσταση", "Trạng thái", "สถานะ", "סטטוס", "Állapot"),
)


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column: the values that say that somebody left, and those that do not."""

    title: str
    left: tuple[str, ...]
    other: tuple[str, ...]


COLUMNS = (
    *(Column(title=title, left=(*YES, *DATES, *LEFT), other=(*NO, *NOTHING)) for title in LEFT_TITLES),
    *(Column(title=title, left=(*NO, *LEFT), other=(*YES, *STAYS, *NOTHING)) for title in CONSENT_TITLES),
    *(Column(title=title, left=LEFT, other=(*STAYS, *NOTHING)) for title in STATUS_TITLES),
)
spellings: st.SearchStrategy[Callable[[str], str]] = st.sampled_from(
    [str, str.upper, str.lower, str.title, lambda text: f" {text} ", lambda text: f"\u00a0{text}\t"]
)


@st.composite
def files(draw: st.DrawFn) -> tuple[list[list[str]], set[int], bool]:
    """Titles and rows, the rows that say that somebody left, and whether every value has a meaning."""
    columns = draw(
        st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=4, unique_by=lambda one: one.title)
    )
    has_junk = draw(st.booleans())
    titles = ["Email", "Name", "Town", *(column.title for column in columns)]
    order = draw(st.permutations(range(len(titles))))
    respell = draw(spellings)
    rows = []
    left = set()
    for number in range(draw(st.integers(1, 6))):
        cells = [f"p{number}@d.example.org", "Ann", "Ulaanbaatar"]
        for column in columns:
            pools = [column.other, column.left, *([JUNK, PENDING] if has_junk else [])]
            pool = draw(st.sampled_from(pools))
            cells.append(draw(spellings)(draw(st.sampled_from(pool))))
            if pool is column.left:
                left.add(number)
        rows.append([cells[place] for place in order])
    header = [titles[place] if titles[place] == "Email" else respell(titles[place]) for place in order]
    return [header, *rows], left, not has_junk


def find_active(rows: list[list[str]]) -> set[int]:
    """The numbers of the people who would get mail; nobody does where the import stops and asks."""
    sheet = [SheetRow(number, tuple(cells)) for number, cells in enumerate(rows, start=1)]
    active = set()
    try:
        mapping = find_mapping(sheet, "people.csv")
        for row in sheet[mapping.first :]:
            try:
                raw = mapping.read_row(row)
            except SubscriberError:
                continue
            if raw.suppress_reason is None:
                active.add(int(raw.email[1 : raw.email.index("@")]))
        mapping.require_understood("people.csv")
    except ImportFileError:
        return set()
    return active


def check_nobody_comes_back(made: tuple[list[list[str]], set[int], bool]) -> None:
    rows, left, _ = made
    assert not find_active(rows) & left, rows


@settings(max_examples=200, deadline=None)
@given(made=files())
def test_nobody_who_left_becomes_active(made: tuple[list[list[str]], set[int], bool]) -> None:
    check_nobody_comes_back(made)


@pytest.mark.soak
@settings(max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(made=files())
def test_nobody_who_left_becomes_active_in_ten_thousand_files(
    made: tuple[list[list[str]], set[int], bool],
) -> None:
    check_nobody_comes_back(made)


@pytest.mark.parametrize("title", STATUS_TITLES)
def test_who_is_said_to_be_active_is(title: str) -> None:
    rows = [["Email", title], *([f"p{number}@d.example.org", word] for number, word in enumerate(STAYS))]
    assert find_active(rows) == set(range(len(STAYS)))


@pytest.mark.parametrize("title", LEFT_TITLES)
def test_who_did_not_leave_stays(title: str) -> None:
    words = (*NO, *NOTHING)
    rows = [["Email", title], *([f"p{number}@d.example.org", word] for number, word in enumerate(words))]
    assert find_active(rows) == set(range(len(words)))


@pytest.mark.parametrize("title", CONSENT_TITLES)
def test_who_agreed_is_active_and_who_did_not_is_not(title: str) -> None:
    words = (*YES, *NO)
    rows = [["Email", title], *([f"p{number}@d.example.org", word] for number, word in enumerate(words))]
    assert find_active(rows) == set(range(len(YES)))


@pytest.mark.parametrize("word", PENDING)
def test_who_has_not_confirmed_does_not_get_mail(word: str) -> None:
    assert find_active([["Email", "Status"], ["p0@d.example.org", word], ["p1@d.example.org", "active"]]) == {
        1
    }


@pytest.mark.parametrize("cell", JUNK)
def test_a_value_nobody_knows_stops_the_import(cell: str) -> None:
    rows = [["Email", "Status"], ["p0@d.example.org", "active"], ["p1@d.example.org", cell]]
    assert find_active(rows) == set()


@pytest.mark.parametrize(
    ("title", "cell", "meaning"),
    [
        ("On Hold", "On Hold Bounce", StatusMeaning.bounced),
        ("Email hard bounce reason", "550 user unknown", StatusMeaning.bounced),
        ("Unsubscribe reason", "too many mails", StatusMeaning.unsubscribed),
        ("Unsubscribe reason", "", StatusMeaning.nothing),
        ("Opt-in", "Yes, keep me informed", StatusMeaning.active),
        ("Opt-in", "none", StatusMeaning.unconfirmed),
        ("Status", "Subscribed, confirmed", StatusMeaning.active),
        ("Status", "Subscribed (unsubscribed in May)", StatusMeaning.unsubscribed),
        ("Status", "yes", None),
        ("メルマガ配信", "希望する", StatusMeaning.active),
        ("メルマガ配信", "希望しない", StatusMeaning.unsubscribed),
        ("Newsletter", "I do not want any", StatusMeaning.unsubscribed),
        ("Newsletter", "vielleicht", None),
        ("Status", "Not unsubscribed", StatusMeaning.active),
        ("Double opt-in", "no", StatusMeaning.unconfirmed),
        ("Do not email", "4", None),
    ],
)
def test_a_cell_says_this(title: str, cell: str, meaning: StatusMeaning | None) -> None:
    column: StatusColumn = make_status_column(title, 0)
    assert column.read(cell) is meaning


@pytest.mark.parametrize(
    "title",
    [
        *(
            "SMS opt-in",
            "Do not phone",
            "Opt-in IP",
            "Signup date",
            "OPTIN_TIME",
            "Lead status",
            "Tax Exempt",
        ),
        *("Unsubscribe link", "Number of bounces", "Consent text", "Email Marketing Consent Timestamp"),
        *(
            "Contact No.",
            "Notes",
            "Photo consent",
            "Preferred Mail Format",
            "Trabajador",
            "Household",
            "Subscription source",
            "Marital status",
        ),
    ],
)
def test_a_title_about_something_else_is_no_status(title: str) -> None:
    rows = [
        ["Email", title],
        ["p0@d.example.org", "0"],
        ["p1@d.example.org", "no"],
        ["p2@d.example.org", "x1"],
    ]
    assert find_active(rows) == {0, 1, 2}


@pytest.mark.parametrize(
    "title",
    [
        *(
            "Un-subscribed",
            "UNSUBSCRIBED?",
            "Dés-inscrit",
            "opt_out",
            "OptedOut",
            "do-not-email",
            "Remove",
            "Stop",
        ),
        *(
            "Werbesperre",
            "NPAI",
            "Refus",
            "Exclude from mailings",
            "In trash",
            "Не отправлять письма",
            "请勿发送",
        ),
    ],
)
def test_yes_under_such_a_title_means_that_somebody_left(title: str) -> None:
    assert find_active([["Email", title], ["p0@d.example.org", "yes"], ["p1@d.example.org", "no"]]) == {1}


@pytest.mark.parametrize(
    "title",
    [
        *(
            "Mailing",
            "E-Mail erlaubt",
            "Рассылка",
            "是否接收",
            "Мэдээ авах",
            "May we contact you?",
            "Allow emails",
        ),
        *(
            "Estado de suscripción",
            "Nyhetsbrev",
            "メール可否",
            "이메일 수신",
            "النشرة البريدية",
            "Infolettre",
            "RGPD ok",
        ),
    ],
)
def test_no_under_such_a_title_means_that_somebody_left(title: str) -> None:
    assert find_active([["Email", title], ["p0@d.example.org", "yes"], ["p1@d.example.org", "no"]]) == {0}


def test_articles_do_not_make_a_word_for_leaving() -> None:
    assert classify_title("Date des inscriptions") is None
    assert classify_title("Liste des abonnés") != StatusTitle(kind=StatusKind.left)


@pytest.mark.parametrize("word", ["inactive", "Unsubscribed (link)", "bounced"])
@pytest.mark.parametrize("titles", [["HasOptedOutOfEmail", "Status"], ["Record ID", "Lead Status"]])
def test_a_program_that_is_known_hides_nobody_who_left(titles: list[str], word: str) -> None:
    if (titles[1], word) == ("Lead Status", "inactive"):
        return  # that is about a sale
    assert find_active([["Email", *titles], ["p0@d.example.org", "no", word]]) == set()


def test_a_word_among_the_days_of_change_counts_where_nobody_looked_for_it() -> None:
    people = [("p@d.example.org", "Active", "2024-01-31"), ("q@d.example.org", "Active", "2024-02-01")]
    rows = [("Email", "Status", "Status changed"), *people]
    mapping = find_mapping([SheetRow(number, row) for number, row in enumerate(rows, start=1)], "people.csv")
    later = mapping.read_row(SheetRow(900, ("r@d.example.org", "Active", "Unsubscribed 2024-03-01")))
    assert later.suppress_reason is not None
    assert (
        mapping.read_row(SheetRow(901, ("s@d.example.org", "Active", "2024-03-02"))).suppress_reason is None
    )
    mapping.require_understood("people.csv")


def test_short_codes_of_which_one_says_left_are_asked_about() -> None:
    rows = [
        ["Email", "St"],
        ["p0@d.example.org", "Act"],
        ["p1@d.example.org", "Unsub"],
        ["p2@d.example.org", "Bnc"],
    ]
    sheet = [SheetRow(number, tuple(cells)) for number, cells in enumerate(rows, start=1)]
    mapping = find_mapping(sheet, "people.csv")
    with pytest.raises(UnknownStatusError):
        mapping.read_row(sheet[3])
    with pytest.raises(ImportFileError, match='"St" has "Bnc"'):
        mapping.require_understood("people.csv")


@pytest.mark.parametrize("title", ["Frequency", "Email frequency", "Versandhäufigkeit", "配信頻度"])
def test_who_never_wants_mail_gets_none(title: str) -> None:
    words = ("Weekly", "Never", "", "Monthly", "jamais", "No, thank you")
    rows = [["Email", title], *([f"p{number}@d.example.org", word] for number, word in enumerate(words))]
    assert find_active(rows) == {0, 2, 3}


@pytest.mark.parametrize("title", ["Stato", "State", "Situation", "ABONELIKTEN ÇIKMA TARIHI"])
def test_a_title_with_two_meanings_and_one_in_turkish_capitals_tell_who_left(title: str) -> None:
    word = "yes" if title.startswith("ABONE") else "5.1.1"
    assert find_active([["Email", title], ["p0@d.example.org", word]]) == set()

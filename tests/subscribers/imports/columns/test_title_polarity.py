"""A title's sense is never turned round: who wants mail, who does not, who left, in fourteen languages.

Titles are all combinations of a verb, its negation and a noun; what each means is said here, by how it was put
together, and not by the code under test.
"""
# ruff: noqa: E501 - the words of a language are easier to compare on one line

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

import pytest

from subscribers.imports.columns.status_columns import guess_statuses
from subscribers.imports.columns.status_words import LEFT, StatusMeaning


class Sense(Enum):
    wants = "yes means that the person gets mail"
    left = "yes means that the person gets none"
    unclear = "two negations"


@dataclass(frozen=True)
class Language:
    """``wants`` are verbs, ``denied`` the same with a negation, ``left`` verbs of leaving, all with a place for
    one of the ``nouns``; ``erased`` are whole titles; ``unclear`` deny leaving."""

    code: str
    yes: str
    no: str
    nouns: Sequence[str]
    wants: Sequence[str]
    denied: Sequence[str]
    left: Sequence[str]
    erased: Sequence[str]
    unclear: Sequence[str]


LANGUAGES = (
    Language(
        "en", "yes", "no",
        ("the newsletter", "our newsletter", "e-mails", "our mails", "mailings", "the bulletin", "marketing emails"),
        ("Wants {}", "Wishes to receive {}", "Receives {}", "Would like to receive {}", "Agrees to get {}", "Accepts {}", "Subscribed to {}"),
        ("Does not want {}", "Doesn't want {}", "Does not wish to receive {}", "No longer receives {}", "Never wants {}", "Do not send {}",
         "No longer wishes to receive {}", "Has not agreed to {}", "Not subscribed to {}", "don't send {}", "No {}", "Without {}", "Did not consent to {}"),
        ("Unsubscribed from {}", "Opted out of {}", "Has left {}", "Removed from {}", "Cancelled {}", "Withdrew consent for {}"),
        ("GDPR erased", "GDPR deletion requested", "Right to be forgotten", "Consent withdrawn", "Erasure requested", "Anonymised (GDPR)"),
        ("Not unsubscribed from {}", "Has not opted out of {}"),
    ),
    Language(
        "de", "ja", "nein",
        ("den Newsletter", "unseren Rundbrief", "Mailings", "E-Mails", "den Infobrief", "Werbung per E-Mail"),
        ("Möchte {}", "Erhält {}", "Wünscht {}", "Ist einverstanden mit {}", "Hat {} abonniert", "Bekommt {}"),
        ("Möchte {} nicht", "Will {} nicht mehr", "Erhält {} nicht", "Wünscht {} nicht mehr", "{} nicht senden", "Keine Zusendung: {}", "Bekommt nie {}", "Ohne {}",
         "Hat {} nicht abonniert", "Nicht einverstanden mit {}"),
        ("Hat {} abbestellt", "Abgemeldet von {}", "Hat {} gekündigt", "Ausgetragen aus {}", "Widerspruch gegen {}"),
        ("DSGVO gelöscht", "DSGVO Löschung beantragt", "Einwilligung widerrufen", "Recht auf Vergessenwerden"),
        ("Hat {} nicht abbestellt", "Nicht abgemeldet von {}"),
    ),
    Language(
        "fr", "oui", "non",
        ("la lettre", "la newsletter", "le bulletin", "l'infolettre", "nos courriels", "les e-mails"),
        ("Souhaite recevoir {}", "Veut {}", "Accepte {}", "Désire recevoir {}", "Reçoit {}", "Abonné à {}"),
        ("Ne souhaite plus recevoir {}", "Ne veut pas {}", "N'accepte pas {}", "Ne désire pas recevoir {}", "Ne reçoit plus {}", "Pas abonné à {}",
         "Ne pas envoyer {}", "Sans {}", "Jamais {}", "N'est plus abonné à {}"),
        ("Désabonné de {}", "Désinscrit de {}", "Refuse {}", "A résilié {}", "Désinscription de {}"),
        ("RGPD effacé", "RGPD : suppression demandée", "Consentement retiré", "Droit à l'oubli"),
        ("Pas désabonné de {}", "N'est pas désinscrit de {}"),
    ),
    Language(
        "es", "sí", "no",
        ("el boletín", "la newsletter", "nuestros correos", "el correo electrónico", "los e-mails"),
        ("Desea recibir {}", "Quiere {}", "Acepta {}", "Recibe {}", "Suscrito a {}"),
        ("No desea recibir {}", "Ya no quiere {}", "No acepta {}", "No recibe {}", "No suscrito a {}", "No enviar {}", "Nunca {}", "Sin {}", "No quiere recibir {}", "Ya no desea {}"),
        ("Baja de {}", "Desuscrito de {}", "Rechaza {}", "Canceló {}", "Dado de baja de {}"),
        ("RGPD borrado", "RGPD: supresión solicitada", "Consentimiento revocado", "Derecho al olvido"),
        ("No desuscrito de {}",),
    ),
    Language(
        "ru", "да", "нет",
        ("рассылку", "бюллетень", "новости", "письма", "электронную почту"),
        ("Хочет получать {}", "Желает получать {}", "Согласен на {}", "Получает {}", "Подписан на {}"),
        ("Не хочет получать {}", "Больше не желает получать {}", "Не согласен на {}", "Не получает {}", "Не подписан на {}", "Не отправлять {}", "Никогда не присылать {}", "Без {}", "Не желает {}"),
        ("Отписан от {}", "Отказ от {}", "Отписался от {}", "Отменил {}"),
        ("GDPR: данные удалены", "GDPR стёрт", "Согласие отозвано: отказ", "Право на забвение"),
        ("Не отписан от {}", "Не отписался от {}"),
    ),
    Language(
        "ar", "نعم", "لا",
        ("النشرة", "النشرة البريدية", "البريد الإلكتروني", "رسائل البريد", "الرسائل الإخبارية"),
        ("يرغب في تلقي {}", "يريد {}", "موافق على {}", "مشترك في {}", "يتلقى {}"),
        ("لا يرغب في تلقي {}", "لا يريد {}", "غير موافق على {}", "غير مشترك في {}", "عدم إرسال {}", "لا ترسل {}", "لم يوافق على {}", "بدون {}"),
        ("إلغاء الاشتراك في {}", "ألغى الاشتراك في {}", "إلغاء {}"),
        ("GDPR حذف البيانات", "GDPR محذوف", "إلغاء الموافقة"),
        ("لم يتم إلغاء الاشتراك في {}",),
    ),
    Language(
        "zh", "是", "否",
        ("通讯", "邮件", "电子报", "快讯", "简讯"),
        ("希望接收{}", "愿意接收{}", "同意接收{}", "已订阅{}", "接收{}", "是否接收{}", "是否订阅{}"),
        ("不希望接收{}", "不愿意接收{}", "不同意接收{}", "未订阅{}", "不接收{}", "不再接收{}", "请勿发送{}", "不要{}", "不发送{}", "拒绝接收{}"),
        ("已退订{}", "取消订阅{}", "退订{}", "拒收{}"),
        ("GDPR已删除", "GDPR 清除", "要求删除数据", "同意已取消"),
        ("未退订{}", "没有取消订阅{}"),
    ),
    Language(
        "ja", "はい", "いいえ",
        ("メルマガ", "ニュースレター", "メール", "お知らせ", "案内メール"),
        ("{}を希望する", "{}を受け取る", "{}の受信に同意", "{}を購読中", "{}の配信希望"),
        ("{}を希望しない", "{}を受け取らない", "{}の受信に同意しない", "{}を購読しない", "{}の配信不要", "{}を送らない", "{}は要らない", "{}配信しない", "{}受信不可"),
        ("{}を退会", "{}の配信停止", "{}の購読解除", "{}の受信拒否"),
        ("GDPR 削除済み", "GDPR 消去", "忘れられる権利", "同意の取り消し: 解除"),
        ("{}を購読解除していない", "{}の配信停止なし"),
    ),
    Language(
        "ko", "예", "아니오",
        ("뉴스레터", "메일", "소식지", "이메일", "안내 메일"),
        ("{} 수신 희망", "{} 수신 동의", "{} 구독", "{} 받기를 원함", "{} 수신함"),
        ("{} 수신 원하지 않음", "{} 수신 동의하지 않음", "{} 미구독", "{} 받지 않음", "{} 미수신", "{} 수신 안 함", "{} 안 받음", "{} 보내지 않음"),
        ("{} 수신거부", "{} 구독취소", "{} 해지", "{} 탈퇴"),
        ("GDPR 삭제됨", "GDPR 파기", "잊힐 권리", "동의 취소"),
        ("{} 구독취소하지 않음",),
    ),
    Language(
        "mn", "тийм", "үгүй",
        ("мэдээ", "товхимол", "имэйл", "мэдээллийн товхимол"),
        ("{} авах", "{} хүсэж байна", "{} захиалсан", "{} авахыг зөвшөөрсөн"),
        ("{} авахгүй", "{} хүсэхгүй", "{} захиалаагүй", "{} авахыг зөвшөөрөөгүй", "{} илгээхгүй", "{} битгий илгээ", "{} бүү илгээ", "{} хэрэггүй"),
        ("{} цуцалсан", "{} татгалзсан", "{} хасагдсан"),
        ("GDPR устгасан", "Өгөгдөл устгах хүсэлт", "Зөвшөөрлөө цуцалсан"),
        ("{} цуцлаагүй", "{} татгалзаагүй"),
    ),
    Language(
        "sv", "ja", "nej",
        ("nyhetsbrev", "nyhetsbrevet", "utskick", "e-post", "mail"),
        ("Vill ha {}", "Önskar {}", "Får {}", "Prenumererar på {}", "Samtycker till {}"),
        ("Vill inte ha {}", "Önskar ej {}", "Får inte {}", "Prenumererar inte på {}", "Samtycker inte till {}", "Inga {}", "Skicka inte {}", "Aldrig {}", "Utan {}", "Vill inte längre ha {}"),
        ("Avregistrerad från {}", "Avanmäld från {}", "Avslutat {}"),
        ("GDPR raderad", "GDPR: radering begärd", "Samtycke återkallat: avslutad"),
        ("Inte avregistrerad från {}",),
    ),
    Language(
        "it", "sì", "no",
        ("la newsletter", "il bollettino via e-mail", "il notiziario", "la posta elettronica", "le mail"),
        ("Desidera ricevere {}", "Vuole {}", "Accetta {}", "Riceve {}", "Iscritto a {}"),
        ("Non desidera ricevere {}", "Non vuole {}", "Non accetta {}", "Non riceve {}", "Non iscritto a {}", "Non inviare {}", "Non vuole più {}", "Senza {}", "Nessuna e-mail: {}"),
        ("Disiscritto da {}", "Cancellato da {}", "Revoca per {}"),
        ("GDPR cancellato", "GDPR: cancellazione richiesta", "Consenso revocato: revoca", "Diritto all'oblio"),
        ("Non disiscritto da {}",),
    ),
    Language(
        "pt", "sim", "não",
        ("o boletim", "a newsletter", "os e-mails", "o informativo", "correio eletrônico"),
        ("Deseja receber {}", "Quer {}", "Aceita {}", "Recebe {}", "Inscrito em {}"),
        ("Não deseja receber {}", "Não quer {}", "Não aceita {}", "Não recebe {}", "Não inscrito em {}", "Não enviar {}", "Nunca {}", "Sem {}", "Já não quer {}", "Não quer mais receber {}"),
        ("Descadastrado de {}", "Cancelado: {}", "Desinscrito de {}"),
        ("LGPD apagado", "GDPR: eliminação pedida", "Direito a ser esquecido", "Consentimento cancelado"),
        ("Não descadastrado de {}",),
    ),
    Language(
        "nl", "ja", "nee",
        ("de nieuwsbrief", "nieuwsbrief", "mailings", "e-mails", "mail"),
        ("Wil {}", "Ontvangt {}", "Wenst {} te ontvangen", "Geabonneerd op {}", "Toestemming voor {}"),
        ("Wil geen {}", "Ontvangt geen {}", "Wenst {} niet te ontvangen", "Niet geabonneerd op {}", "Geen toestemming voor {}", "Geen {}", "Nooit {}", "Zonder {}", "{} niet sturen", "Wil {} niet meer"),
        ("Afgemeld voor {}", "Uitgeschreven voor {}", "Heeft {} opgezegd"),
        ("AVG gewist", "AVG: verwijderd", "Recht op vergetelheid", "GDPR wissen"),
        ("Niet afgemeld voor {}",),
    ),
)  # fmt: skip


def titles_of(language: Language) -> Iterator[tuple[str, Sense]]:
    phrases = ((language.wants, Sense.wants), (language.denied, Sense.left), (language.left, Sense.left), (language.unclear, Sense.unclear))  # fmt: skip
    for several, sense in phrases:
        for phrase in several:
            for noun in language.nouns:
                for written in spellings(phrase.format(noun)):
                    yield written, sense
    for title in language.erased:
        for written in spellings(title):
            yield written, Sense.left


def spellings(title: str) -> set[str]:
    return {title, title.upper(), title.replace(" ", "_"), f"{title}?"}


def read(title: str, *cells: str) -> list[StatusMeaning | None]:
    """What each cell says under ``title``; None where it would be asked about."""
    columns, doubtful = guess_statuses([title], [list(cells)])
    if not columns:
        return [None if doubtful else StatusMeaning.nothing for _ in cells]
    return [columns[0].read(cell) for cell in cells]


GETS_MAIL = frozenset({StatusMeaning.active, StatusMeaning.nothing})


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.code)
def test_no_title_is_taken_for_its_opposite(language: Language) -> None:
    wrong = []
    asked = total = 0
    for title, sense in titles_of(language):
        yes, no = read(title, language.yes, language.no)
        total += 1
        asked += sense is not Sense.unclear and None in {yes, no}
        turned = {
            Sense.wants: no in GETS_MAIL or yes in LEFT,
            Sense.left: yes in GETS_MAIL or no in LEFT,
            Sense.unclear: {yes, no} != {None},
        }
        if turned[sense]:
            wrong.append((title, sense.name, yes, no))
    assert wrong == []
    assert asked <= total / 20


def test_there_are_two_thousand_titles() -> None:
    assert sum(len(set(titles_of(language))) for language in LANGUAGES) > 2_000

"""A walk through every page of Studio in each of its states, for whoever looks at all of them."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote

from playwright.sync_api import Page, expect
from sqlmodel import Session, update

from mailer.campaigns.uses import make_lookups
from mailer.database.team_models import Role, SignInLinkPurpose, TeamSession
from mailer.doctor.diagnosis import find_bad, find_doubtful, find_good, keep_diagnosis
from mailer.settings import SETTINGS_FILE
from mailer.settings.changes.sections import SECTIONS
from mailer.team.passwords import PasswordChecker, store_password
from mailer.team.sign_in_links import create_first_link, create_link
from mailer.web.dependencies import utc_now
from subscribers.consent.sign_ups import hold_opt_in, request_opt_in
from subscribers.consent.status_changes import unsubscribe
from subscribers.segments.saved_segments import save_segment
from tests.factories.partners import add_partners
from tests.factories.small_edition import SLUG, write_edition
from tests.web.studio.asked_approval import ask_of_outsider
from tests.web.studio.conftest import Studio
from tests.web.studio.newsroom import (
    CONTESTED,
    EDITION,
    STORY,
    TRANSLATED,
    Newsroom,
    found_newsroom,
)
from tests.web.studio.returns import add_returns
from tests.web.studio.sending import add_sending
from tests.web.studio.sent_edition import SENT_EDITION, send_small_edition

_STORY = f"/editions/{EDITION}/stories/{STORY}"
_LETTER = f"/editions/{EDITION}/letter"
_BROKEN = f"/editions/{SLUG}"
_FINDINGS = (
    find_bad(
        "spf", "spf-missing", "example.org has no SPF record.", record='example.org. IN TXT "v=spf1 -all"'
    ),
    find_doubtful("web", "web-not-https", "the address of your pages has no https."),
    find_good("database", "it is up to date"),
)
_FAULTY = "---\ntitle: A story without a home\nsector: nothing\ncountries: [XX]\n---\n\nSee <b>this.\n"


@dataclass(frozen=True, kw_only=True)
class Stop:
    """A page to look at: who opens which address, and what they do there."""

    name: str
    path: str
    act: Callable[[Page], None] = lambda _: None
    role: Role | None = Role.manager


def _refuse(page: Page, **values: str) -> None:
    """Send the form of the page although it is not complete, as a browser would that checks nothing."""
    form = page.locator("main form").first
    for name, value in values.items():
        form = page.locator(f"main form:has([name='{name}'])").first
        form.locator(f"[name='{name}']").fill(value)
    button = form.locator("button[type=submit]").first
    with page.expect_navigation():
        button.evaluate("button => { button.form.noValidate = true; button.click() }")


def _press(name: str) -> Callable[[Page], None]:
    def press(page: Page) -> None:
        with page.expect_navigation():
            page.get_by_role("button", name=name, exact=True).first.click()

    return press


def await_story(page: Page) -> None:
    """Until the checks and the comments beside a story have come."""
    expect(page.locator("#checks a", has_text="See the checks")).to_have_count(0)
    expect(page.locator("#comments[hx-get]")).to_have_count(0)


def await_numbers(page: Page) -> None:
    """Until the numbers of a segment are counted."""
    expect(page.locator("#numbers")).to_be_visible()
    expect(page.locator("#numbers[hx-get]")).to_have_count(0)


def _unfold_story(page: Page) -> None:
    await_story(page)
    _open_details(page)


def _open_link_form(page: Page) -> None:
    await_story(page)
    page.locator(".ProseMirror").first.click()
    page.keyboard.press("Control+k")
    expect(page.locator("[data-link-form]")).to_be_visible()


def _choose_merge(page: Page) -> None:
    for legend in page.locator("fieldset.part").all():
        legend.locator("input[type=radio]").first.check()
    _press("Show the text put together")(page)


def _import_texts(page: Page) -> None:
    """Give back the translator's file as it went out, with other words for two texts."""
    given = page.request.get(f"{page.url}/texts.xlf").body()
    returned = given.replace("南京和平论坛".encode(), "南京和平论坛：人与自然".encode())
    page.locator("#file").set_input_files(
        {"name": "texts.xlf", "mimeType": "application/xliff+xml", "buffer": returned}
    )
    _press("Show what it changes")(page)


def _import_document(page: Page) -> None:
    """Make an edition of a page of the web."""
    page.locator("main [name=slug]").fill("2027-1")
    document = "<h1>The first</h1><p>What we did.</p><h1>The second</h1><p>What came of it.</p>"
    page.locator("main [name=document]").set_input_files(
        {"name": "news.html", "mimeType": "text/html", "buffer": f"<body>{document}".encode()}
    )
    _press("Import edition")(page)


_LIST = (
    "E-Mail,Name,Country,Status,Notes\n"
    "ann@list.example.org,Ann Li,Mongolia,active,\n"
    "bob@list.example.org,Bob,China,active,met in 2024\n"
    "kim@list.example.org,Kim,Japan,unsubscribed,\n"
    "no address,Kay,Mongolia,active,\n"
    "two@list.example.org; other@list.example.org,,Narnia,active,\n"
)
_ASKED = "E-Mail,Status\nann@list.example.org,active\nbob@list.example.org,zzz\n"


def _upload(page: Page, name: str, text: str) -> None:
    """Have a list checked, and look at all that can be corrected."""
    page.locator("#file").set_input_files({"name": name, "mimeType": "text/csv", "buffer": text.encode()})
    _press("Show what it would change")(page)
    expect(page.get_by_role("button", name="Discard the file")).to_be_visible()
    _open_details(page)


def _discard(page: Page) -> None:
    """Discard a file, and come back to its page."""
    _press("Discard the file")(page)
    page.go_back()
    page.reload()


def _open_menu(page: Page) -> None:
    page.locator(".order summary").nth(3).click()


def _await_readers(page: Page) -> None:
    expect(page.locator("main")).to_contain_text("who were sent the story get the correction")


def _refuse_pause(page: Page) -> None:
    _open_details(page)
    _refuse(page, until="")


def _open_details(page: Page) -> None:
    """Unfold whatever can be unfolded."""
    page.evaluate("document.querySelectorAll('main details').forEach(each => { each.open = true })")


def _await_check(page: Page) -> None:
    """Until it is known whether the campaign can be launched."""
    expect(page.locator("#check")).not_to_contain_text("Counting partners", timeout=30_000)


def _type_wrong_number(page: Page) -> None:
    _await_check(page)
    _refuse(page, count="0")


def _launch(page: Page) -> None:
    _await_check(page)
    number = page.locator("#count-hint").inner_text()
    page.locator("#count").fill(number)
    with page.expect_navigation():
        page.locator("#check button.main").click()


_SIGNING_IN = (
    Stop(name="sign-in", path="/sign-in", role=None),
    Stop(name="sign-in, refused", path="/sign-in", role=None, act=lambda page: _refuse(page, email="mei")),
    Stop(name="sign-in, sent", path="/sign-in/sent", role=None),
    Stop(name="sign-in by password", path="/sign-in/password", role=None),
    Stop(
        name="sign-in by password, refused",
        path="/sign-in/password",
        role=None,
        act=lambda page: _refuse(page, email="mei@example.org", password="wrong"),
    ),
    Stop(name="link", path="/link/{token}", role=None),
    Stop(name="dead link", path="/link/" + "0" * 48, role=None),
    Stop(name="first account, closed", path="/first/" + "0" * 48, role=None),
    Stop(name="signed in", path="/signed-in"),
)

_PAGES = (
    Stop(name="home, with work", path="/"),
    Stop(name="home, without work", path="/", role=Role.guest),
    Stop(name="editions", path="/editions"),
    Stop(name="edition", path=f"/editions/{EDITION}"),
    Stop(name="edition, for a guest", path=f"/editions/{EDITION}", role=Role.guest),
    Stop(name="edition, a story being moved", path=f"/editions/{EDITION}", act=_open_menu),
    Stop(name="edition with errors", path=_BROKEN),
    Stop(name="problems", path=f"{_BROKEN}/problems"),
    Stop(name="no problems", path=f"/editions/{EDITION}/problems"),
    Stop(name="details", path=f"/editions/{EDITION}/details", act=_open_details),
    Stop(
        name="details, refused",
        path=f"/editions/{EDITION}/details",
        act=lambda page: _refuse(page, date="soon"),
    ),
    Stop(name="new edition", path="/editions/new"),
    *(
        Stop(name=f"new edition, {way}", path=f"/editions/new/{way}")
        for way in ("empty", "copy", "file", "feed")
    ),
    Stop(
        name="new edition, refused",
        path="/editions/new/empty",
        act=lambda page: _refuse(page, slug="../x", title=""),
    ),
    Stop(name="import report", path="/editions/new/file", act=_import_document),
    Stop(name="new story", path=f"/editions/{EDITION}/new-story"),
    Stop(
        name="new story, refused",
        path=f"/editions/{EDITION}/new-story",
        act=lambda page: _refuse(page, title=""),
    ),
)

_WRITING = (
    Stop(name="story", path=_STORY, act=await_story),
    Stop(name="story, a link", path=_STORY, act=_open_link_form),
    Stop(name="story, unfolded", path=_STORY, act=_unfold_story),
    Stop(name="story as Markdown", path=f"{_STORY}?as=markdown", act=await_story),
    Stop(name="story, for a guest", path=_STORY, role=Role.guest, act=await_story),
    Stop(name="story with a fault", path=f"{_BROKEN}/stories/faulty", act=await_story),
    Stop(name="story, unreadable", path=f"{_BROKEN}/stories/unreadable"),
    Stop(name="story, not there", path=f"{_BROKEN}/stories/gone"),
    Stop(name="letter", path=_LETTER, act=await_story),
    Stop(name="preview of a story", path=f"{_STORY}/preview", act=_open_details),
    Stop(name="preview of the letter", path=f"{_LETTER}/preview"),
    Stop(
        name="preview of the edition, refused",
        path=f"/editions/{EDITION}/preview?segment=country:&for=nobody",
    ),
    Stop(name="versions", path=f"/editions/{EDITION}/versions"),
    Stop(name="checks", path=f"{_STORY}/checks"),
    Stop(name="checks, with errors", path=f"{_BROKEN}/stories/faulty/checks"),
    Stop(name="checks of the letter", path=f"{_LETTER}/checks"),
    Stop(name="picture", path=f"{_STORY}/picture", act=_open_details),
    Stop(name="no picture", path=f"{_BROKEN}/stories/teachers/picture", act=_open_details),
    Stop(name="portrait", path=f"{_LETTER}/picture"),
    Stop(name="history", path=f"{_STORY}/history"),
    Stop(name="history, of the letter", path=f"{_LETTER}/history"),
    Stop(name="history, of the edition", path=f"/editions/{EDITION}/history"),
    Stop(name="comparison", path=f"{_STORY}/history/changes"),
    Stop(name="comparison, of the letter", path=f"{_LETTER}/history/changes"),
    Stop(name="conflict", path="/editions/" + EDITION + "/conflicts/{conflict}"),
    Stop(
        name="conflict, put together",
        path="/editions/" + EDITION + "/conflicts/{conflict}",
        act=_choose_merge,
    ),
    Stop(
        name="conflict, refused",
        path="/editions/" + EDITION + "/conflicts/{conflict}",
        act=_press("Keep the text put together"),
    ),
)

_TOGETHER = (
    Stop(name="translations", path=f"/editions/{EDITION}/translations"),
    Stop(name="translations, one more", path=f"/editions/{EDITION}/translations?add=mn"),
    Stop(name="translations, refused", path=f"/editions/{EDITION}/translations?add=klingon"),
    Stop(name="translations, none", path="/editions/2027-1/translations"),
    Stop(name="translation", path=f"{_STORY}/translations/zh"),
    Stop(name="translation, outdated", path=f"/editions/{EDITION}/stories/{TRANSLATED}/translations/zh"),
    Stop(name="translation as Markdown", path=f"{_STORY}/translations/zh?as=markdown"),
    Stop(name="translation, not begun", path=f"/editions/{EDITION}/stories/{CONTESTED}/translations/zh"),
    Stop(name="translation, for a guest", path=f"{_STORY}/translations/zh", role=Role.guest),
    Stop(name="translation of the letter", path=f"{_LETTER}/translations/zh"),
    Stop(name="history, of a translation", path=f"{_STORY}/translations/zh/history"),
    Stop(name="comparison, of a translation", path=f"{_STORY}/translations/zh/history/changes"),
    Stop(name="history, of the letter translated", path=f"{_BROKEN}/letter/translations/zh/history"),
    Stop(
        name="comparison, of the letter translated", path=f"{_BROKEN}/letter/translations/zh/history/changes"
    ),
    Stop(name="texts for a translator", path=f"/editions/{EDITION}/translations/zh"),
    Stop(name="texts returned", path=f"/editions/{EDITION}/translations/zh", act=_import_texts),
    Stop(
        name="texts returned, refused",
        path=f"/editions/{EDITION}/translations/zh",
        act=_press("Show what it changes"),
    ),
    Stop(name="comments", path=f"{_STORY}/comments", act=_open_details),
    Stop(name="comment, being edited", path=f"{_STORY}/comments?edit=2", role=Role.approver),
    Stop(name="comments on the letter", path=f"{_LETTER}/comments"),
    Stop(name="comments on the edition", path=f"/editions/{EDITION}/comments", act=_open_details),
    Stop(name="no comments", path=f"{_BROKEN}/comments"),
)

_TEAM = (
    Stop(name="team", path="/team"),
    Stop(name="team, for a guest", path="/team", role=Role.guest),
    Stop(name="invitation", path="/team/invite"),
    Stop(
        name="invitation, refused", path="/team/invite", act=lambda page: _refuse(page, email="kim@", name="")
    ),
    Stop(name="member", path="/team/{ann}"),
    Stop(name="member, oneself", path="/team/{mei}"),
    Stop(name="log", path="/log"),
    Stop(name="log, nothing found", path="/log?edition=none"),
    Stop(name="account", path="/account"),
    Stop(name="account, refused", path="/account", act=lambda page: _refuse(page, name="")),
    Stop(name="new passkey", path="/account/passkeys/new"),
    Stop(name="passkey", path="/account/passkeys/{passkey}"),
    Stop(name="password", path="/account/password"),
    Stop(
        name="password, refused", path="/account/password", act=lambda page: _refuse(page, password="short")
    ),
    Stop(name="not allowed", path="/log", role=Role.guest),
    Stop(name="not found", path="/editions/none"),
    Stop(name="confirmation", path="/confirm?next=/account/password"),
    Stop(
        name="confirmation, refused",
        path="/confirm",
        act=lambda page: _refuse(page, password="wrong"),
    ),
)

_IMPORTS = (
    Stop(name="imports, none", path="/imports"),
    Stop(name="file to import", path="/imports/new"),
    Stop(name="file to import, refused", path="/imports/new", act=_press("Show what it would change")),
    Stop(name="dry run", path="/imports/new", act=lambda page: _upload(page, "partners.csv", _LIST)),
    Stop(
        name="dry run, a value asked about",
        path="/imports/new",
        act=lambda page: _upload(page, "asked.csv", _ASKED),
    ),
    Stop(
        name="dry run, a file that cannot be used",
        path="/imports/new",
        act=lambda page: _upload(page, "notes.csv", "Notes of a meeting\n"),
    ),
    Stop(name="import", path="/imports/new/1", act=_press("Import 3 partners")),
    Stop(name="import, to be undone", path="/imports/2/undo"),
    Stop(name="import, undone", path="/imports/2/undo", act=_press("Remove 3 partners and undo the import")),
    Stop(name="file, discarded", path="/imports/new/2", act=_discard),
    Stop(name="imports", path="/imports"),
    Stop(name="export", path="/exports"),
    Stop(name="export, refused", path="/exports", act=lambda page: _refuse(page, q="country:")),
)

_SIGN_UPS = (
    Stop(name="sign-ups", path="/sign-ups"),
    Stop(name="sign-ups, nobody chosen", path="/sign-ups", act=_press("Admit the chosen people")),
    Stop(name="sign-ups, none", path="/sign-ups?after=2999-01-01T00:00:00%2B00:00_1"),
    *_IMPORTS,
)

_RETURNED = (
    Stop(name="report", path="/campaigns/{sent}/report", act=_open_details),
    Stop(name="report, for a guest", path="/campaigns/{sent}/report", role=Role.guest),
    Stop(name="all campaigns over time", path="/reports"),
    Stop(name="feedback", path="/feedback"),
    Stop(name="messages", path="/feedback/messages"),
    Stop(name="no messages", path="/feedback/messages?kind=complaint"),
    Stop(name="message", path="/feedback/messages/1"),
    Stop(name="message, refused", path="/feedback/messages/2", act=_press("Judge the message")),
    Stop(name="successor", path="/feedback/successors/{successor}"),
    Stop(
        name="successor, refused",
        path="/feedback/successors/{successor}",
        act=lambda page: _refuse(page, basis=""),
    ),
    Stop(name="stories to correct", path="/corrections/new?edition=" + SENT_EDITION),
    Stop(name="nothing to correct", path="/corrections/new"),
    Stop(
        name="new correction",
        path=f"/corrections/new?edition={SENT_EDITION}&story=teachers",
        act=_open_details,
    ),
    Stop(
        name="new correction, refused",
        path=f"/corrections/new?edition={SENT_EDITION}&story=teachers",
        act=lambda page: _refuse(page, **{"was-en": ""}),
    ),
    Stop(name="correction", path=f"/corrections/{SENT_EDITION}/teachers/1", act=_await_readers),
    Stop(name="correction, its readers", path=f"/corrections/{SENT_EDITION}/teachers/1/readers"),
    Stop(name="correction, being changed", path=f"/corrections/{SENT_EDITION}/teachers/1/edit"),
    Stop(name="doctor", path="/doctor", act=_open_details),
)

_QUERY = "country:MN,CN sector:education"

_SEGMENTS = (
    Stop(name="segments", path="/segments"),
    Stop(name="segments, no more", path="/segments?after=zzz"),
    Stop(name="new segment", path="/segments/new"),
    Stop(
        name="new segment, refused",
        path="/segments/new",
        act=lambda page: _refuse(page, other_countries="Atlantis"),
    ),
    Stop(name="query", path=f"/segments/words?q={_QUERY}", act=_open_details),
    Stop(name="query, refused", path="/segments/query?q=country:MN sectr:education"),
    Stop(name="numbers of everyone", path="/segments/numbers?q=all", act=await_numbers),
    Stop(name="saved segment", path="/segments/teachers", act=await_numbers),
    Stop(name="saved segment, changed", path="/segments/teachers?q=country:MN"),
    Stop(
        name="saved segment, refused",
        path="/segments/teachers",
        act=lambda page: _refuse(page, new_name="a b"),
    ),
    Stop(name="number", path="/counts/segment?segment=country:MN"),
)

_PARTNERS = (
    Stop(name="partners", path="/partners"),
    Stop(name="partners, filtered", path="/partners?country=CN&search=mei"),
    Stop(name="partners, nobody", path="/partners?search=zzz"),
    Stop(name="partners, refused", path="/partners?query=country:CN+tagg:x"),
    Stop(name="new partner", path="/partners/new"),
    Stop(
        name="new partner, refused",
        path="/partners/new",
        act=lambda page: _refuse(page, email="mei@", country="Atlantis"),
    ),
    Stop(name="partner", path="/partners/{partner}", act=_open_details),
    Stop(name="partner, paused", path="/partners/{paused}", act=_open_details),
    Stop(name="partner, blocked", path="/partners/{bounced}", act=_open_details),
    Stop(name="partner, merged", path="/partners/{merged}"),
    Stop(name="partner, refused", path="/partners/{partner}", act=_refuse_pause),
    Stop(name="details of a partner", path="/partners/{partner}/edit"),
    Stop(
        name="details of a partner, refused",
        path="/partners/{partner}/edit",
        act=lambda page: _refuse(page, country="Atlantis"),
    ),
    Stop(name="another address", path="/partners/{partner}/merge"),
    Stop(name="another address, refused", path="/partners/{partner}/merge?other=nobody@partner.example"),
    Stop(name="two partners side by side", path="/partners/{partner}/merge?other=kim@partner.example"),
    Stop(name="erasing a partner", path="/partners/{partner}/erase"),
    Stop(name="organisations", path="/partners/organisations"),
    Stop(name="organisations, none", path="/partners/organisations?search=zzz"),
    Stop(name="organisation", path="/partners/organisations/Green%20Office"),
    Stop(name="organisation without a reader", path="/partners/organisations/Closed%20Institute"),
)

_SENDING = (
    Stop(name="launch, refused", path="/campaigns/{broken}/launch", act=_await_check),
    Stop(name="launch", path="/campaigns/{prepared}/launch", act=_await_check),
    Stop(name="launch, another number", path="/campaigns/{prepared}/launch", act=_type_wrong_number),
    Stop(name="launch, waits", path="/campaigns/{prepared}/launch", act=_launch),
    Stop(name="live", path="/campaigns/{live}/live"),
    Stop(name="live, one partner", path="/campaigns/{live}/live?address=live6@example.org"),
    Stop(name="live, for a guest", path="/campaigns/{live}/live", role=Role.guest),
    Stop(name="doubts", path="/campaigns/{live}/doubts"),
    Stop(name="doubts, no log", path="/campaigns/{live}/doubts", act=_press("Settle by this log")),
    Stop(name="no doubts", path="/campaigns/{sent}/doubts"),
    Stop(name="cancelling", path="/campaigns/{live}/cancel"),
    Stop(name="machines", path="/machines"),
    Stop(name="trial mode", path="/trial"),
    Stop(name="outbox", path="/outbox"),
    Stop(name="outbox, nothing found", path="/outbox?address=nobody"),
    Stop(name="message of the outbox", path="/outbox/{message}"),
    Stop(name="message of the outbox, as text", path="/outbox/{message}?show=text"),
)

_APPROVAL = "/campaigns/{approval}/approval"
_APPROVING = (
    Stop(name="approval", path=_APPROVAL, act=_open_details),
    Stop(name="approval, for a guest", path=_APPROVAL, role=Role.guest),
    Stop(name="approval, version", path=f"{_APPROVAL}/{{round}}/variants/1"),
    Stop(name="approval, steps", path=f"{_APPROVAL}/steps", act=_open_details),
    Stop(name="review, outside", path="/review/{review}", role=None),
    Stop(name="review, version", path="/review/{review}/variants/1", role=None),
    Stop(
        name="review, refused",
        path="/review/{review}",
        role=None,
        act=_press("Request changes"),
    ),
    Stop(name="review, ended", path="/review/" + "0" * 48, role=None),
)
_RELAY, _SECTOR, _STEP = "/settings/relays/main", "/settings/sectors/culture", "/settings/approval-steps/1"

_SETTINGS = (
    Stop(name="settings", path="/settings"),
    *(
        Stop(name=f"settings, {section.name}", path=f"/settings/{section.name}")
        for section in SECTIONS.values()
    ),
    Stop(
        name="settings, refused",
        path="/settings/sender",
        act=lambda page: _refuse(page, **{"sender.name": "", "sender.address": "nobody"}),
    ),
    Stop(name="relay", path=_RELAY, act=_open_details),
    Stop(name="relay, a test mail", path=_RELAY, act=_press("Send me a test mail")),
    Stop(name="new relay", path="/settings/relays/new"),
    Stop(
        name="new relay, refused",
        path="/settings/relays/new",
        act=lambda page: _refuse(page, name="main", url="x"),
    ),
    Stop(name="secret", path="/settings/secrets/mailbox-application"),
    Stop(
        name="secret, refused",
        path="/settings/secrets/webhook-postmark",
        act=lambda page: _refuse(page, password=""),
    ),
    Stop(name="sign-in to a mailbox", path="/settings/sign-ins/feedback"),
    Stop(name="sector", path=_SECTOR),
    Stop(name="sector, in use", path=_SECTOR, act=_press("Take Culture out")),
    Stop(name="country", path="/settings/countries/MN"),
    Stop(
        name="country, refused",
        path="/settings/countries/MN",
        act=lambda page: _refuse(page, **{"time_zones.MN": "Asia/Nowhere"}),
    ),
    Stop(name="step of an approval", path=_STEP, act=_open_details),
)
_MORE_SETTINGS = """
[[campaigns.approval_steps]]
name = "Facts"
roles = ["approver"]

[[campaigns.approval_steps]]
name = "The ministry"
reviewers = ["Ana Diaz <ana@ministry.example>"]

[feedback.oauth]
provider = "microsoft"
client_id = "abc"
grant = "device_code"

[feedback.webhooks.postmark]
secret_file = "secrets/webhook-postmark"
"""


def _await_checklist(page: Page) -> None:
    expect(page.locator("#checklist[hx-get]")).to_have_count(0)
    page.evaluate("document.getElementById('sheet').scrollIntoView()")
    expect(page.locator(".contact li")).not_to_have_count(0)


def _choose_past_start(page: Page) -> None:
    page.locator("[name=when][value=time]").check()
    _refuse(page, start="2020-01-01T09:00")


_CAMPAIGNS = (
    Stop(name="campaigns", path="/campaigns"),
    Stop(name="campaigns, none older", path="/campaigns?before=1"),
    Stop(name="calendar", path="/campaigns/calendar"),
    Stop(name="new campaign", path="/campaigns/new"),
    Stop(name="new campaign, refused", path="/campaigns/new", act=lambda page: _refuse(page)),
    Stop(name="campaign", path="/campaigns/{prepared}", act=_await_checklist),
    Stop(name="campaign, for a guest", path="/campaigns/{prepared}?look=1", role=Role.guest),
    Stop(name="who gets it", path="/campaigns/{prepared}/segment", act=_open_details),
    Stop(
        name="who gets it, refused",
        path="/campaigns/{prepared}/segment",
        act=lambda page: _refuse(page, q="country:MN sectr:education"),
    ),
    Stop(name="when it starts", path="/campaigns/{prepared}/start"),
    Stop(name="when it starts, refused", path="/campaigns/{prepared}/start", act=_choose_past_start),
    Stop(name="scheduled campaign", path="/campaigns/{scheduled}"),
    Stop(name="when it starts, scheduled", path="/campaigns/{scheduled}/reschedule"),
    Stop(
        name="when it starts, scheduled, refused",
        path="/campaigns/{scheduled}/reschedule",
        act=lambda page: _refuse(page, start="2020-01-01T09:00"),
    ),
    Stop(name="how it is sent", path="/campaigns/{prepared}/options"),
    Stop(
        name="how it is sent, refused",
        path="/campaigns/{prepared}/options",
        act=lambda page: _refuse(page, canary="many", canary_minutes="few"),
    ),
    Stop(name="tests", path="/campaigns/{prepared}/tests"),
    Stop(
        name="tests, refused",
        path="/campaigns/{prepared}/tests",
        act=lambda page: _refuse(page, addresses="nobody"),
    ),
    Stop(name="versions of a campaign", path="/campaigns/{prepared}/versions"),
    Stop(
        name="version of a campaign",
        path="/campaigns/{prepared}/versions",
        act=lambda page: page.get_by_role("link", name="Version 1", exact=True).click(),
    ),
    Stop(name="campaign that was sent", path="/campaigns/{sent}"),
)

STOPS = (
    *_PARTNERS,
    *_SIGNING_IN,
    *_PAGES,
    *_WRITING,
    *_TOGETHER,
    *_SIGN_UPS,
    *_RETURNED,
    *_SEGMENTS,
    *_CAMPAIGNS,
    *_SENDING,
    *_APPROVING,
    *_SETTINGS,
    *_TEAM,
)


class StudioJourney:
    """Opens every page of a Studio that is empty at first. ``paths`` are the addresses that were opened, and
    what the forms led to, below /studio and without queries."""

    def __init__(self, studio: Studio, page: Page) -> None:
        self.studio = studio
        self.page = page
        self.paths: list[str] = []
        page.on(
            "response",
            lambda answer: self._note(answer.url) if answer.request.is_navigation_request() else None,
        )

    def visit_pages(self) -> Iterator[str]:
        """Show one page after the other in the browser, and yield the name of each."""
        yield from self._visit_empty_studio()
        people = found_newsroom(self.studio, utc_now())
        self._add_faults()
        self._add_sign_ups()
        self._add_segment()
        self._add_settings()
        values = {**self._make_values(people), **self._add_partners()}
        cookies = {
            Role.manager: self.studio.sign_in(people.mei),
            Role.approver: self.studio.sign_in(people.ben),
            Role.guest: self.studio.sign_in(people.gus),
        }
        for stop in STOPS:
            self._become(None if stop.role is None else cookies[stop.role])
            self._open(stop.path.format(**values))
            stop.act(self.page)
            yield stop.name
        yield from self._visit_ended_session(cookies[Role.manager])

    def _visit_empty_studio(self) -> Iterator[str]:
        self._open("/sign-in")
        yield "sign-in of an empty team"
        with Session(self.studio.engine) as session:
            secret = create_first_link(session, now=utc_now())
            session.commit()
        self._open(f"/first/{secret}")
        yield "first account"
        _refuse(self.page, name="", email="mei")
        yield "first account, refused"

    def _visit_ended_session(self, cookie: str) -> Iterator[str]:
        self._become(cookie)
        self._open("/account/password")
        with Session(self.studio.engine) as session:
            long_ago = utc_now() - timedelta(hours=1)
            session.exec(update(TeamSession).values(confirmed_at=long_ago))
            session.commit()
        _refuse(self.page, password="correct battery horse")
        yield "form, to be confirmed"
        self._open("/account")
        self._become(None)
        _press("Save")(self.page)
        yield "form, after the session has ended"

    def _add_sign_ups(self) -> None:
        key, now = self.studio.workspace.keys.suppression, utc_now()
        with Session(self.studio.engine) as session:
            for address in ("mei.lin@example.org", "battuya@example.org"):
                asked = request_opt_in(session, address, key=key, method="page", now=now)
                assert asked is not None
                unsubscribe(session, asked.id or 0, method="page", now=now)
                hold_opt_in(session, asked.id or 0, key=key, method="page", now=now)
            session.commit()

    def _add_partners(self) -> Mapping[str, object]:
        numbers = add_partners(self.studio.engine, self.studio.workspace.keys.suppression, utc_now())
        shown = {"partner": "lin.mei", "paused": "yuki.tanaka", "bounced": "dead", "merged": "m.lin"}
        return {name: numbers[address] for name, address in shown.items()}

    def _add_segment(self) -> None:
        with Session(self.studio.engine) as session:
            connection, settings = session.connection(), self.studio.workspace.settings
            lookups = make_lookups(connection, settings)
            save_segment(connection, "teachers", _QUERY, lookups, now=utc_now())
            session.commit()

    def _add_settings(self) -> None:
        file = self.studio.workspace.root / SETTINGS_FILE
        mailbox = '[feedback]\nimap = "imaps://news@mail.example.org/INBOX"\n'
        text = file.read_text(encoding="utf-8").replace("[feedback]\n", mailbox)
        draft = file.with_name("draft")
        draft.write_text(f"{text}{_MORE_SETTINGS}", encoding="utf-8")
        draft.replace(file)

    def _add_faults(self) -> None:
        folder = write_edition(self.studio.workspace.editions)
        (folder / "stories" / "020-faulty.md").write_text(_FAULTY, encoding="utf-8")
        (folder / "stories" / "030-unreadable.md").write_bytes(b"\xff\xfe\x00")

    def _copy_edition(self) -> str:
        """An edition beside the sample, whose own campaign is launched; its name."""
        editions, name = self.studio.workspace.editions, f"{EDITION}-approved"
        shutil.copytree(editions / EDITION, editions / name)
        return name

    def _make_values(self, people: Newsroom) -> Mapping[str, object]:
        with Session(self.studio.engine) as session:
            store_password(
                session, people.mei.id, PasswordChecker().hash("correct battery horse"), now=utc_now()
            )
            secret = create_link(session, SignInLinkPurpose.sign_in, now=utc_now(), member_id=people.mei.id)
            session.commit()
        returns = add_returns(self.studio.engine, "2026-0", utc_now())
        send_small_edition(self.studio)
        asked = ask_of_outsider(self.studio, self._copy_edition(), people.ann, utc_now())
        keep_diagnosis(self.studio.workspace, _FINDINGS, now=utc_now())
        sending = add_sending(self.studio)
        return {
            "live": sending.live,
            "prepared": sending.prepared,
            "broken": sending.broken,
            "scheduled": sending.scheduled,
            "message": quote(sending.message),
            "sent": returns.campaign,
            "approval": asked.campaign,
            "round": asked.number,
            "review": asked.secret,
            "successor": returns.successors[0],
            "token": secret,
            "conflict": people.conflict,
            "passkey": people.passkey,
            "ann": people.ann.id,
            "mei": people.mei.id,
        }

    def _become(self, cookie: str | None) -> None:
        context = self.page.context
        context.clear_cookies()
        if cookie is not None:
            context.add_cookies(
                [{"name": "studio", "value": cookie.partition("=")[2], "url": self.studio.url}]
            )

    def _open(self, path: str) -> None:
        self.page.goto(f"{self.studio.url}{path}")

    def _note(self, address: str) -> None:
        self.paths.append(address.partition("/studio")[2].partition("?")[0])

"""The settings as pages: changed key by key, never invalid, never over somebody else's change."""

import os
import re
from pathlib import Path

import pytest
from sqlalchemy import text as sql
from sqlmodel import Session

from mailer.campaigns.trial import find_example_sender
from mailer.database.team_models import Role
from mailer.settings import Settings
from mailer.settings.campaigns import ApprovalStepSettings
from mailer.settings.changes.sections import GROUPS, SECTIONS
from mailer.settings.changes.setting import describe_model, describe_relay, list_settings
from mailer.workspace import open_workspace
from tests.conftest import SETTINGS
from tests.factories.small_edition import SLUG
from tests.web.studio.conftest import serve_studio
from tests.web.studio.house import House
from tests.web.studio.settings.conftest import Desk, change_form
from tests.web.studio.settings.form_fields import read_form

FORMS = [name for name, section in SECTIONS.items() if section.settings]


def find_errors(body: bytes) -> list[str]:
    found = re.search(rb'id="errors".*?</div>', body, re.DOTALL)
    return re.findall(r"<li>(?:<a[^>]*>)?([^<]*)", found[0].decode()) if found else []


def test_every_choice_that_has_words_is_one_and_the_others_of_its_setting_have_some_too() -> None:
    steps = describe_model(("campaigns", "approval_steps"), ApprovalStepSettings)
    settings = [*(one for section in SECTIONS.values() for one in section.settings), *steps]
    relay = [one for one in describe_relay(("smtp", "relays", 0)) if one.label]
    keys = "url starttls priority weight sending_addresses rate messages_per_connection"
    assert [one.path[-1] for one in relay] == keys.split()
    for one in (*settings, *relay):
        assert one.label or not (one.hint or one.choice_words), one.name
        assert set(one.choice_words) in (set(), set(one.choices)), one.name
        assert not one.label or bool(one.choice_words) == bool(one.choices), one.name


def test_every_setting_of_a_plain_section_has_a_label_and_every_label_is_on_a_page() -> None:
    steps = describe_model(("campaigns", "approval_steps"), ApprovalStepSettings)
    plain = [one for section in SECTIONS.values() if not section.is_technical for one in section.settings]
    assert [one.name for one in (*plain, *steps) if not one.label] == []
    technical = {name for name, section in SECTIONS.items() if section.is_technical}
    assert technical == {"returns", "signatures", "connections", "technical"}
    shown = {one.name for section in SECTIONS.values() for one in section.settings}
    shown |= {f"smtp.{one.path[-1]}" for one in describe_relay(("smtp", "relays", 0)) if one.label}
    labelled = {one.name for name in Settings.model_fields for one in list_settings(name) if one.label}
    assert labelled - shown == set()


def test_each_setting_is_on_one_page_at_most() -> None:
    names = [one.name for section in SECTIONS.values() for one in section.settings]
    assert len(names) == len(set(names))
    # These have pages of their own, or need a restart and are changed in the file.
    special = {"database", "sectors", "sector_names", "countries", "country_names", "time_zones"}
    assert set(Settings.model_fields) - {name.split(".")[0] for name in names} == special | {"subject_labels"}


def test_the_body_that_the_sample_shows_says_so_on_the_page_of_the_sender(desk: Desk) -> None:
    name = "sender.is_sample_body"
    assert name not in dict(desk.open_form("/settings/sender"))
    desk.fill("/settings/sender", {"sender.organisation": "UNESCO Beijing Office"})
    page = desk.get("/settings/sender").body.decode()
    box, hint = page.index(f'name="{name}"'), page.index(f'id="{name}-hint"')
    assert page.index("Name of the list") < box < hint < page.index("Save settings"), "a hint follows its box"
    desk.fill("/settings/sender", {name: "true"})
    assert desk.settings.sender.is_sample_body
    assert find_example_sender(desk.settings) == ""


@pytest.mark.parametrize("section", FORMS)
def test_a_form_that_changes_nothing_writes_nothing(desk: Desk, section: str) -> None:
    before = (desk.text, desk.file.stat().st_ino, desk.list_acts())
    answer = desk.fill(f"/settings/{section}", {})
    assert answer.headers["location"] == f"/studio/settings/{section}?notice=settings-unchanged"
    assert (desk.text, desk.file.stat().st_ino, desk.list_acts()) == before


def test_the_list_leads_to_every_section(desk: Desk) -> None:
    page = desk.get("/settings").body.decode()
    for section in (one for sections in GROUPS.values() for one in sections):
        assert f'href="/studio/settings/{section.name}"' in page


def test_only_the_changed_keys_are_written_and_the_log_names_them(desk: Desk) -> None:
    answer = desk.fill("/settings/sender", {"sender.name": "The “new” office", "sender.reply_to": "d@x.org"})
    assert answer.headers["location"] == "/studio/settings/sender?notice=settings-saved"
    assert desk.text == SETTINGS.replace('"UNESCO Beijing"', '"The “new” office"').replace(
        'list_id = "newsletter.example.org"\n', 'list_id = "newsletter.example.org"\nreply_to = "d@x.org"\n'
    )
    assert desk.list_acts()[0] == ("changed_settings", "sender.name, sender.reply_to")
    assert "new" not in desk.list_acts()[0][1].replace("sender.name", "")


def test_the_next_page_has_the_new_settings(desk: Desk) -> None:
    desk.fill("/settings/sender", {"sender.name": "The next office"})
    for path in ("/settings", "/", "/team"):
        assert b"The next office" in desk.get(path).body


def test_numbers_lists_boxes_and_choices_are_taken(desk: Desk) -> None:
    desk.write(f"{SETTINGS}\n[campaigns]\narchive = true\nrate = 14\n")
    desk.fill(
        "/settings/campaigns", {"campaigns.archive": None, "campaigns.test_readers": "a@x.org\r\nb@x.org"}
    )
    desk.fill("/settings/sending", {"campaigns.rate": "2,5", "campaigns.in_doubt": "resend"})
    desk.fill("/settings/retention", {"retention.pending_days": ""})
    form = [one for one in desk.open_form("/settings/sending") if one[0] != "campaigns.window_days"]
    desk.post(
        "/settings/sending", [*form, ("campaigns.window_days", "mon"), ("campaigns.window_days", "fri")]
    )
    desk.fill("/settings/limits", {"provider_rates": "orange = 2.5\ngmx = unlimited"})
    campaigns = desk.settings.campaigns
    assert (campaigns.archive, campaigns.rate, campaigns.in_doubt) == (False, 2.5, "resend")
    assert (campaigns.test_readers, campaigns.window_days) == (("a@x.org", "b@x.org"), ("mon", "fri"))
    assert desk.settings.provider_rates == {"orange": 2.5, "gmx": "unlimited"}
    desk.fill("/settings/sending", {"campaigns.rate": ""})
    assert "rate = " not in desk.text.partition("[campaigns]")[2].partition("[")[0]


def test_a_table_inside_a_section_comes_and_goes_as_a_whole(desk: Desk) -> None:
    fields: dict[str, str | None] = {
        "studio.oidc.issuer": "https://accounts.google.com",
        "studio.oidc.client_id": "abc",
        "studio.oidc.domains": "example.org",
    }
    refused = desk.fill("/settings/studio", {"studio.oidc.issuer": "https://accounts.google.com"})
    assert (refused.status, find_errors(refused.body)) == (422, ["Fill this in."])
    desk.fill("/settings/studio", fields)
    oidc = desk.settings.studio.oidc
    assert oidc is not None
    assert (oidc.client_id, oidc.domains) == ("abc", ("example.org",))
    assert desk.fill("/settings/studio", dict.fromkeys(fields, "")).status == 303
    assert desk.settings.studio.oidc is None
    assert desk.text.rstrip() == SETTINGS.rstrip()


@pytest.mark.parametrize(
    ("section", "fields", "words"),
    [
        ("sender", {"sender.name": ""}, "Fill this in."),
        ("sender", {"sender.address": "nobody"}, "not written as it has to be"),
        ("sender", {"sender.postal_address": "x"}, "too short"),
        ("sending", {"campaigns.rate": "fast"}, "Write a number."),
        ("sending", {"campaigns.rate": "0"}, "Write a number above 0"),
        ("sending", {"campaigns.halt_at_rejected": "2"}, "at most 1"),
        ("sending", {"campaigns.window": "8-18"}, "not written as it has to be"),
        ("sending", {"campaigns.in_doubt": "<b>"}, "Choose one of these."),
        ("limits", {"provider_rates": "orange"}, "One on each line" and "with a sign ="),
        ("law", {"law.opt_in": "Japan"}, "not a country code"),
        ("pages", {"web.base_url": "news.example.org"}, "without a slash at the end"),
    ],
)
def test_what_cannot_be_right_is_refused_beside_its_field_and_stays_on_the_page(
    desk: Desk, section: str, fields: dict[str, str], words: str
) -> None:
    refused = desk.fill(f"/settings/{section}", {**fields})
    assert refused.status == 422
    assert any(words in one for one in find_errors(refused.body)), find_errors(refused.body)
    again = read_form(refused.body, f"/studio/settings/{section}")
    assert all((name, value) in again for name, value in fields.items() if "<" not in value)
    assert b"<b>" not in refused.body.partition(b"<main")[2]
    assert desk.text == SETTINGS


def test_what_only_a_campaign_would_find_out_is_refused_too(desk: Desk) -> None:
    form = [one for one in desk.open_form("/settings/sending") if one[0] != "campaigns.window_days"]
    refused = desk.post("/settings/sending", form)
    assert refused.status == 409
    assert b"nothing could ever be sent" in refused.body
    refused = desk.fill("/settings/limits", {"provider_rates": "nobody = 2"})
    assert (refused.status, desk.text) == (409, SETTINGS)


def test_two_who_change_the_same_key_see_both_before_one_is_kept(desk: Desk) -> None:
    form = desk.open_form("/settings/sender")
    desk.write(SETTINGS.replace('"UNESCO Beijing"', '"Theirs"  # by hand') + "# the end\n")
    mine = change_form(form, {"sender.name": "Mine", "sender.reply_to": "d@x.org"})
    refused = desk.post("/settings/sender", mine)
    assert refused.status == 409
    assert "Somebody else has changed this meanwhile, to “Theirs”." in refused.body.decode()
    assert "reply_to" not in desk.text
    again = read_form(refused.body, "/studio/settings/sender")
    assert ("sender.name", "Mine") in again
    assert desk.post("/settings/sender", again).status == 303
    assert '"Mine"  # by hand' in desk.text
    assert desk.text.endswith("# the end\n")


def test_what_one_has_changed_in_another_tab_is_said_to_be_one_s_own(desk: Desk) -> None:
    form = desk.open_form("/settings/sender")
    assert desk.post("/settings/sender", change_form(form, {"sender.name": "First"})).status == 303
    assert desk.fill("/settings/sender", {"sender.reply_to": "d@x.org"}).status == 303
    mine = change_form(form, {"sender.name": "Second"})
    refused = desk.post("/settings/sender", mine)
    assert refused.status == 409
    assert "You have changed this in another tab, to “First”." in refused.body.decode()
    assert ("sender.name", "Second") in read_form(refused.body, "/studio/settings/sender")


def test_what_was_changed_by_hand_since_one_s_own_change_is_somebody_else_s(desk: Desk) -> None:
    form = desk.open_form("/settings/sender")
    assert desk.post("/settings/sender", change_form(form, {"sender.name": "First"})).status == 303
    desk.write(desk.text.replace('"First"', '"By hand"'))
    later = desk.file.stat().st_mtime + 60
    os.utime(desk.file, (later, later))
    refused = desk.post("/settings/sender", change_form(form, {"sender.name": "Second"}))
    assert "Somebody else has changed this meanwhile, to “By hand”." in refused.body.decode()


def test_somebody_else_s_change_of_another_key_stays(desk: Desk) -> None:
    form = desk.open_form("/settings/sender")
    desk.write(SETTINGS.replace("news@example.org", "desk@example.org"))
    assert desk.post("/settings/sender", change_form(form, {"sender.name": "Mine"})).status == 303
    assert (desk.settings.sender.name, desk.settings.sender.address) == ("Mine", "desk@example.org")


def test_a_file_that_is_broken_by_hand_is_said_and_the_pages_go_on(desk: Desk) -> None:
    form = desk.open_form("/settings/sender")
    desk.write(SETTINGS.replace("[sectors]", "[sectors"))
    desk.house.studio.workspace.root.joinpath("mailer.toml").touch()
    broken = desk.text
    answer = desk.get("/settings/sender")
    assert answer.status == 409
    assert b"not valid TOML" in answer.body
    refused = desk.post("/settings/sender", change_form(form, {"sender.name": "Mine"}))
    assert (refused.status, desk.text) == (409, broken)
    assert desk.get("/").status == 200
    assert b"mailer.toml has an error" in desk.get("/settings").body
    assert b"no campaign is taken up" in desk.get("/").body
    assert b"no campaign is taken up" not in desk.get("/", "author").body
    desk.write(SETTINGS)
    assert b"mailer.toml has an error" not in desk.get("/settings").body


def test_a_file_that_cannot_be_written_keeps_the_form(desk: Desk) -> None:
    form = desk.open_form("/settings/sender")
    desk.file.chmod(0o444)
    acts = desk.list_acts()
    refused = desk.post("/settings/sender", change_form(form, {"sender.name": "Typed"}))
    assert refused.status == 409
    assert b"read-only" in refused.body
    assert ("sender.name", "Typed") in read_form(refused.body, "/studio/settings/sender")
    assert desk.list_acts() == acts


def test_a_form_has_no_other_fields_than_the_page_gave_it(desk: Desk) -> None:
    more = [("campaigns.approval", "optional"), ("was-database.url", '""'), ("database.url", "sqlite:///x")]
    answer = desk.post("/settings/sender", [*desk.open_form("/settings/sender"), *more])
    assert answer.headers["location"].endswith("notice=settings-unchanged")
    assert desk.post("/settings/sender", []).status == 303
    assert desk.text == SETTINGS


@pytest.mark.parametrize("section", ["sectors", "relays", "nothing", "database"])
def test_other_sections_have_no_form(desk: Desk, section: str) -> None:
    assert desk.post(f"/settings/{section}").status in {303, 404, 405, 422}
    assert desk.text == SETTINGS


def test_who_proved_long_ago_who_they_are_has_to_do_so_again(desk: Desk) -> None:
    form = change_form(desk.open_form("/settings/sender"), {"sender.name": "Mine"})
    with Session(desk.house.studio.engine) as session:
        session.execute(sql("UPDATE team_session SET confirmed_at = '2020-01-01 00:00:00+00:00'"))
        session.commit()
    answer = desk.post("/settings/sender", form)
    assert answer.status == 403
    assert b'value="Mine"' in answer.body
    assert desk.text == SETTINGS


def test_what_a_variable_sets_is_shown_and_not_changed(
    tmp_path: Path, desk: Desk, sqlite_template: Path
) -> None:
    environ = {"MAILER_SENDER__NAME": "From outside", "MAILER_CAMPAIGNS__RATE": "7"}
    workspace = open_workspace(desk.root, environ=environ)
    with serve_studio(workspace) as studio:
        cookie = studio.sign_in(studio.add_member(Role.manager, "Max"))
        watched = Desk(house=House(studio=studio, cookies={"manager": cookie}, pristine=desk.house.pristine))
        page = watched.get("/settings/sender").body.decode()
        assert "Set by the variable MAILER_SENDER__NAME" in page
        assert 'value="From outside"' in page
        form = dict(read_form(page, "/studio/settings/sender"))
        assert "sender.name" not in form
        sent = {
            **form,
            "sender.name": "Mine",
            "was-sender.name": '"UNESCO Beijing"',
            "sender.reply_to": "d@x.org",
        }
        assert watched.post("/settings/sender", list(sent.items())).status == 303
        assert (
            '<input type="text" id="campaigns.rate" name="campaigns.rate" value="7'
            in watched.get("/settings/sending").body.decode()
        )
    assert "Mine" not in desk.text
    assert 'reply_to = "d@x.org"' in desk.text


def test_a_page_that_was_open_is_saved_after_the_settings_have_changed(desk: Desk) -> None:
    path = f"/editions/{SLUG}/details"
    form = desk.open_form(path)
    desk.fill("/settings/sender", {"sender.name": "The next office"})
    assert desk.post(path, change_form(form, {"subject": "Typed before"})).status == 303
    edition = desk.root / "editions" / SLUG / "edition.md"
    assert "subject: Typed before\n" in edition.read_text(encoding="utf-8")

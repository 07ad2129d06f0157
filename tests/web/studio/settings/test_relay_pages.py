"""Relays as pages: listed, changed, tried over a real connection, and their passwords kept apart."""

import base64
import stat

import pytest

from tests.conftest import SETTINGS
from tests.servers.oauth_provider import OAuthProvider, find_in_text
from tests.servers.process import free_port
from tests.servers.scripted_smtp import ScriptedServer
from tests.web.studio.settings.conftest import Desk

PASSWORD = "Kräuter & Tee 7"
LOGIN = base64.b64encode(f"\0me\0{PASSWORD}".encode()).decode()
TWO = f"""{SETTINGS}
[smtp]
# The relays share this.
connections = 3

[[smtp.relays]]
name = "first"  # in the cellar
url = "smtp://127.0.0.1:2501"

[[smtp.relays]]
name = "second"
url = "smtp://127.0.0.1:2502"
weight = 2
"""


def with_relay(url: str, more: str = "") -> str:
    return f'{SETTINGS}\n[smtp]\nurl = "{url}"\n{more}'


def serve_login() -> ScriptedServer:
    """A server that lets one password in."""

    def script(verb: str, argument: str) -> str | None:
        if verb != "AUTH":
            return None
        return "235 2.7.0 Welcome" if argument.partition(" ")[2] == LOGIN else "535 5.7.8 Wrong password"

    return ScriptedServer(script, extensions=("AUTH PLAIN", "SIZE 1000000", "PIPELINING"))


def test_relays_are_listed_in_the_order_in_which_they_are_used(desk: Desk) -> None:
    desk.write(TWO.replace('name = "first"', 'priority = 2\nname = "first"'))
    page = desk.get("/settings/relays").body.decode()
    assert page.index("/settings/relays/second") < page.index("/settings/relays/first")
    assert "127.0.0.1:2501" in page
    desk.write(SETTINGS)
    assert b"/settings/relays/main" in desk.get("/settings/relays").body


def test_a_relay_of_several_is_changed_alone(desk: Desk) -> None:
    desk.write(TWO)
    path = "/settings/relays/second"
    answer = desk.fill(path, {"smtp.relays.1.weight": "5", "smtp.relays.1.priority": "2"})
    assert answer.headers["location"] == "/studio/settings/relays/second?notice=settings-saved"
    assert desk.text == TWO.replace("weight = 2\n", "weight = 5\npriority = 2\n")
    assert desk.list_acts()[0] == ("changed_settings", "smtp.relays.priority, smtp.relays.weight")


def test_what_a_relay_does_not_say_is_as_usual_until_it_says_so(desk: Desk) -> None:
    desk.write(TWO)
    path, name = "/settings/relays/second", "smtp.relays.1.starttls"
    assert (name, "") in desk.open_form(path)
    desk.fill(path, {name: "require"})
    assert desk.settings.smtp.relays[1].starttls == "require"
    desk.fill(path, {name: ""})
    assert desk.text == TWO


def test_the_relay_is_still_the_one_of_the_page_when_another_has_gone(desk: Desk) -> None:
    desk.write(TWO)
    form = desk.open_form("/settings/relays/second")
    first = TWO[TWO.index("[[smtp.relays]]") : TWO.rindex("[[smtp.relays]]")]
    desk.write(TWO.replace(first, ""))
    sent = [one for one in form if one[0] != "smtp.relays.1.weight"]
    desk.post("/settings/relays/second", [*sent, ("smtp.relays.1.weight", "9")])
    (left,) = desk.settings.smtp.relays
    assert (left.name, left.weight) == ("second", 2)


def test_the_first_relay_beside_the_one_of_smtp_takes_nothing_of_it(desk: Desk) -> None:
    desk.write(with_relay("smtp://me@127.0.0.1:2501", 'password_file = "pw"\nconnections = 3  # few\n'))
    answer = desk.fill("/settings/relays/new", {"name": "backup", "url": "smtps://other.example.org"})
    assert answer.headers["location"] == "/studio/settings/relays/backup?notice=settings-saved"
    main, backup = desk.settings.smtp.relays
    assert (main.name, main.url, str(main.password_file)) == ("main", "smtp://me@127.0.0.1:2501", "pw")
    assert (backup.name, backup.password_file, desk.settings.smtp.password_file) == ("backup", None, None)
    assert "connections = 3  # few\n" in desk.text
    desk.fill("/settings/relays/new", {"name": "third", "url": "smtp://127.0.0.1:2503"})
    assert [one.name for one in desk.settings.smtp.relays] == ["main", "backup", "third"]
    assert desk.post("/settings/relays/backup/remove").status == 303
    assert [one.name for one in desk.settings.smtp.relays] == ["main", "third"]
    assert "other.example.org" not in desk.text


@pytest.mark.parametrize(
    ("name", "url", "words"),
    [
        ("Backup!", "smtp://x.example.org", "small letters"),
        ("main", "smtp://x.example.org", "already"),
        ("backup", "mail.example.org", "smtp://host:587"),
        ("backup", "smtp://x.example.org:99999", "smtp://host:587"),
        ("backup", "smtp://me:secret@x.example.org", "Leave the password out"),
    ],
)
def test_a_relay_that_cannot_be_is_refused(desk: Desk, name: str, url: str, words: str) -> None:
    refused = desk.fill("/settings/relays/new", {"name": name, "url": url})
    assert refused.status == 422
    assert words in refused.body.decode()
    assert b"secret@" not in refused.body
    assert desk.text == SETTINGS


def test_a_password_in_an_address_is_shown_on_no_page(desk: Desk) -> None:
    desk.write(with_relay("smtp://me:geheim@127.0.0.1:2501"))
    for path in ("/settings", "/settings/relays", "/settings/relays/main", "/settings/secrets"):
        assert b"geheim" not in desk.get(path).body
    assert b"The password stands in the address" in desk.get("/settings/relays/main").body
    desk.fill("/settings/relays/main", {"smtp.rate": "3"})
    assert 'url = "smtp://me:geheim@127.0.0.1:2501"' in desk.text


def test_the_only_relay_cannot_be_taken_out_and_unknown_ones_are_not_found(desk: Desk) -> None:
    assert desk.post("/settings/relays/main/remove").status == 404
    for path in ("/settings/relays/nobody", "/settings/secrets/relay-main", "/settings/sign-ins/main"):
        assert desk.get(path).status == 404


def test_a_password_is_kept_in_a_file_of_its_own_and_used_at_once(desk: Desk) -> None:
    with serve_login() as server:
        desk.write(with_relay(f"smtp://me@127.0.0.1:{server.port}"))
        assert b"the password is missing" in desk.get("/settings/relays").body
        answer = desk.post("/settings/secrets/relay-main", [("password", PASSWORD)])
        assert answer.headers["location"] == "/studio/settings/secrets?notice=secret-kept"
        kept = desk.root / "secrets" / "relay-main"
        assert kept.read_text(encoding="utf-8") == f"{PASSWORD}\n"
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
        assert 'password_file = "secrets/relay-main"\n' in desk.text
        assert ("changed_secret", "relay-main") in desk.list_acts()
        tried = desk.post("/settings/relays/main/try").body.decode()
        assert "The relay answers" in tried
        assert "it lets us in" in tried
        assert server.mails == []
        desk.post("/settings/secrets/relay-main", [("password", "Zweites!")])
        refused = desk.post("/settings/relays/main/try").body.decode()
        assert "Wrong password" in refused
        for path in ("/settings/secrets", "/settings/secrets/relay-main", "/settings/relays/main", "/log"):
            page = desk.get(path).body.decode()
            assert "Zweites!" not in page
            assert "Kräuter" not in page
    assert desk.post("/settings/secrets/relay-main/remove").status == 303
    assert not kept.exists()
    assert "password_file" not in desk.text


@pytest.mark.parametrize("password", ["", "  ", "two\nlines"])
def test_what_cannot_be_a_password_is_refused(desk: Desk, password: str) -> None:
    desk.write(with_relay("smtp://me@127.0.0.1:2501"))
    before = desk.text
    assert desk.post("/settings/secrets/relay-main", [("password", password)]).status == 422
    assert desk.text == before


def test_a_secret_that_another_program_has_put_elsewhere_stays_there(desk: Desk) -> None:
    elsewhere = desk.root / "editions" / "credentials"
    elsewhere.write_text("theirs\n")
    desk.write(with_relay("smtp://me@127.0.0.1:2501", f'password_file = "{elsewhere}"\n'))
    assert str(elsewhere).encode() in desk.get("/settings/secrets").body
    desk.post("/settings/secrets/relay-main", [("password", "ours")])
    assert 'password_file = "secrets/relay-main"' in desk.text
    assert elsewhere.read_text() == "theirs\n"


def test_a_test_mail_goes_to_oneself_over_this_relay_alone(desk: Desk) -> None:
    with ScriptedServer() as first, ScriptedServer() as second:
        text = TWO.replace(":2501", f":{first.port}").replace(":2502", f":{second.port}")
        desk.write(text.replace("weight = 2", "priority = 7"))
        sent = desk.post("/settings/relays/second/test").body.decode()
        assert "has taken a mail to" in sent
        assert (first.recipients, len(second.recipients)) == ([], 1)
        assert second.recipients == ["manager@example.org"]
        assert b"A test of the relay" in second.kept[0].raw
        assert ("tried_relay", "second") in desk.list_acts()


def test_a_relay_that_does_not_answer_is_said_to(desk: Desk) -> None:
    desk.write(with_relay(f"smtp://127.0.0.1:{free_port()}"))
    for act in ("try", "test"):
        answer = desk.post(f"/settings/relays/main/{act}")
        assert answer.status == 200
        assert b"The relay did not take it" in answer.body


def with_oauth(provider: OAuthProvider, grant: str) -> str:
    lines = [f'{key} = "{value}"' for key, value in {**provider.settings, "grant": grant}.items()]
    return with_relay("smtp://news%40example.org@127.0.0.1:2501", "[smtp.oauth]\n" + "\n".join(lines) + "\n")


def test_one_signs_in_with_a_code_and_out_again(desk: Desk) -> None:
    with OAuthProvider() as provider:
        desk.write(with_oauth(provider, "device_code"))
        path = "/settings/sign-ins/main"
        assert b"Nobody is signed in." in desk.get(path).body
        assert desk.post(path).status == 303
        page = desk.get(path).body.decode()
        assert f"{provider.url}/device" in page
        assert desk.post(f"{path}/finish").status == 409
        provider.approve()
        # The provider asks not to be asked more than once a second.
        while (answer := desk.post(f"{path}/finish")).status == 409:
            pass
        assert answer.headers["location"] == f"/studio{path}?notice=signed-in-relay"
        page = desk.get(path).body.decode()
        assert "Signed in as" in page
        assert find_in_text(provider, page) == []
        assert ("signed_in_relay", "main") in desk.list_acts()
        assert b"signed in without a password" in desk.get("/settings/relays").body
        desk.post(f"{path}/remove")
        assert provider.revoked
        assert b"Nobody is signed in." in desk.get(path).body
        assert desk.post(f"{path}/finish").status == 422


def test_one_signs_in_elsewhere_and_brings_the_address_back(desk: Desk) -> None:
    with OAuthProvider() as provider:
        settings = with_oauth(provider, "authorization_code")
        desk.write(
            settings.replace(f'device_url = "{provider.url}/devicecode"\n', "").replace(
                'provider = "microsoft"', 'provider = "other"\nscopes = ["email", "offline_access"]'
            )
        )
        path = "/settings/sign-ins/main"
        assert desk.post(path).status == 303
        page = desk.get(path).body.decode()
        assert "bring the address back" in page
        refused = desk.post(f"{path}/finish", [("address", "http://127.0.0.1/?state=x&code=y")])
        assert refused.status == 422
        assert b"does not belong to this sign-in" in refused.body

"""What the doctor says of a relay that is signed in to by OAuth."""

from dataclasses import replace
from datetime import timedelta

from mailer.doctor.diagnosis import Diagnosis, Health
from mailer.doctor.installation_checks import check_sign_in
from mailer.doctor.relay_checks import check_relays
from mailer.oauth.grant_store import GrantStore
from mailer.settings import SmtpSettings
from mailer.workspace import Workspace
from tests.factories.oauth import make_sign_in, sign_in_person
from tests.servers.oauth_provider import OAuthProvider
from tests.servers.scripted_smtp import EXTENSIONS, ScriptedServer


def configure(
    workspace: Workspace, provider: OAuthProvider, *, port: int = 9, user: str = "news"
) -> Workspace:
    values = {"url": f"smtp://{user}@127.0.0.1:{port}", "oauth": provider.settings, "timeout": 5}
    smtp = SmtpSettings.model_validate(values)
    return replace(workspace, settings=workspace.settings.model_copy(update={"smtp": smtp}))


def find(workspace: Workspace) -> Diagnosis:
    (found,) = check_sign_in(workspace)
    return found


def test_nothing_is_said_where_nobody_signs_in(workspace: Workspace) -> None:
    assert list(check_sign_in(workspace)) == []


def test_a_sign_in_is_named_missing_then_good_then_ending_then_ended(workspace: Workspace) -> None:
    with OAuthProvider() as provider:
        ours = configure(workspace, provider)
        missing = find(ours)
        assert (missing.subject, missing.verdict) == ("sign-in main", Health.bad)
        assert missing.code == "sign-in-missing"
        sign_in = make_sign_in(provider)
        sign_in_person(provider, sign_in, ours.root)
        assert find(ours).verdict is Health.good
        grant = sign_in_person(provider, sign_in, ours.root, age=timedelta(days=80))
        soon = find(ours)
        assert (soon.verdict, soon.code) == (Health.doubtful, "sign-in-ends-soon")
        GrantStore(root=ours.root).write("main", grant.ended("the password was changed"))
        ended = find(ours)
        assert (ended.verdict, ended.code) == (Health.bad, "sign-in-ended")
        assert "Run `mailer login main`." in ended.message


def test_the_check_of_the_relay_logs_in_with_the_token_and_renews_it(workspace: Workspace) -> None:
    with (
        OAuthProvider() as provider,
        ScriptedServer(
            extensions=(*EXTENSIONS, "AUTH XOAUTH2"), accepts_token=lambda token: token in provider.valid
        ) as relay,
    ):
        ours = configure(workspace, provider, port=relay.port)
        (refused,) = check_relays(ours)
        assert (refused.verdict, refused.code) == (Health.bad, "relay-login")
        assert "Run `mailer login main`" in refused.message
        sign_in_person(provider, make_sign_in(provider), ours.root, age=timedelta(days=80))
        (good,) = check_relays(ours)
        assert "logged in with XOAUTH2" in good.message
        # Used just now, it does not end soon any more.
        assert find(ours).verdict is Health.good


def test_a_relay_without_a_user_cannot_sign_in(workspace: Workspace) -> None:
    with OAuthProvider() as provider:
        found = find(configure(workspace, provider, user=""))
        assert (found.subject, found.verdict) == ("sign-in", Health.bad)

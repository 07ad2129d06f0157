"""Says which sign-ins are missing, have ended, or will end soon. Nothing is asked of the provider."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from mailer.errors import ConfigurationError
from mailer.oauth.errors import SignInRequiredError
from mailer.oauth.grant import Grant
from mailer.oauth.grant_store import GrantStore
from mailer.oauth.sign_in import SignIn, list_sign_ins, read_client_secret
from mailer.settings import Settings

_SECRET_WARNING = timedelta(days=30)
_UNUSED_WARNING = timedelta(days=14)
_END_WARNING = timedelta(days=3)


class SignInState(StrEnum):
    """How a sign-in stands."""

    working = "working"
    """It can be used."""

    missing = "missing"
    """Nobody has signed in."""

    ended = "ended"
    """The provider has ended it, or must have by now."""

    ends_soon = "ends_soon"
    """It will end in some days."""

    application_ended = "application_ended"
    """The application's secret is missing or too old."""

    application_ends_soon = "application_ends_soon"
    """The application's secret will end in some days."""


@dataclass(frozen=True, kw_only=True)
class SignInFinding:
    """One finding about the sign-in ``name``, for people."""

    name: str
    state: SignInState
    message: str


def check_sign_ins(settings: Settings, root: Path, *, now: datetime) -> Iterator[SignInFinding]:
    """Look at every sign-in that ``settings`` ask for; whatever is wrong with one, the others follow.

    Raises:
        ConfigurationError: a relay that signs in names no user, or the workspace's keys cannot be read.
    """
    for sign_in in list_sign_ins(settings):
        yield from _check_secret(sign_in, root, now)
        if not sign_in.is_by_application:
            yield _check_grant(sign_in, root, now)


def _check_secret(sign_in: SignIn, root: Path, now: datetime) -> Iterator[SignInFinding]:
    provider = sign_in.provider.name

    def find(state: SignInState, message: str) -> SignInFinding:
        return SignInFinding(name=sign_in.name, state=state, message=message)

    try:
        read_client_secret(sign_in.settings, root)
    except ConfigurationError as error:
        yield find(SignInState.application_ended, str(error))
        return
    last_day = sign_in.settings.client_secret_expires
    advice = "Make a new one there, put it into the client_secret_file, and correct client_secret_expires."
    if last_day is None:
        if sign_in.is_by_application:
            yield find(
                SignInState.working,
                f"the application signs in at {provider} by itself. Set client_secret_expires to be warned "
                "before its secret ends.",
            )
        return
    if last_day < now.date():
        yield find(
            SignInState.application_ended,
            f"the application's secret at {provider} ended on {last_day}. {advice}",
        )
    elif last_day - now.date() <= _SECRET_WARNING:
        days = _count_days(timedelta(days=(last_day - now.date()).days))
        yield find(
            SignInState.application_ends_soon,
            f"the application's secret at {provider} ends on {last_day}, in {days}. {advice}",
        )
    elif sign_in.is_by_application:
        yield find(
            SignInState.working,
            f"the application signs in at {provider} by itself; its secret is good until {last_day}",
        )


def _check_grant(sign_in: SignIn, root: Path, now: datetime) -> SignInFinding:
    def find(state: SignInState, message: str) -> SignInFinding:
        return SignInFinding(name=sign_in.name, state=state, message=message)

    run = f"Run `{sign_in.command}`."
    try:
        grant = GrantStore(root=root).read(sign_in.name)
    except SignInRequiredError as error:
        return find(SignInState.missing, str(error))
    provider = sign_in.provider
    if grant is None:
        return find(SignInState.missing, f"nobody has signed in at {provider.name} yet. {run}")
    if not grant.belongs_to(sign_in):
        return find(SignInState.missing, f"the sign-in was made for another application or provider. {run}")
    if grant.refused:
        return find(SignInState.ended, f"{provider.name} has ended the sign-in: {grant.refused}. {run}")
    end, warning, why = _find_end(sign_in, grant)
    if end is not None and end <= now:
        return find(SignInState.ended, f"the sign-in ended on {end:%Y-%m-%d}, because {why}. {run}")
    if end is not None and end - now <= warning:
        return find(
            SignInState.ends_soon,
            f"the sign-in ends on {end:%Y-%m-%d}, in {_count_days(end - now)}, because {why}. {run}",
        )
    return find(
        SignInState.working,
        f"signed in at {provider.name} as {grant.account or sign_in.user} on {grant.signed_in_at:%Y-%m-%d}; "
        f"last renewed on {grant.received_at:%Y-%m-%d}",
    )


def _find_end(sign_in: SignIn, grant: Grant) -> tuple[datetime | None, timedelta, str]:
    """When the sign-in ends unless somebody acts, how long before to warn, and why it ends."""
    provider = sign_in.provider
    if provider.lasts is not None:
        end = grant.signed_in_at + provider.lasts
        return end, _END_WARNING, "the consent screen is in testing. Publish it, or choose Internal"
    if provider.unused_for is not None:
        end = grant.received_at + provider.unused_for
        return end, _UNUSED_WARNING, f"it has not been used since {grant.received_at:%Y-%m-%d}"
    return None, timedelta(0), ""


def _count_days(length: timedelta) -> str:
    days = max(0, length.days)
    return "1 day" if days == 1 else f"{days} days"

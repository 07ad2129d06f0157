"""Says which sign-ins are missing, have ended, or will end soon. Nothing is asked of the provider."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from locales.phrase import Phrase, gettext_noop, read_error
from mailer.errors import ConfigurationError
from mailer.oauth.grant_store import Grant, GrantStore
from mailer.oauth.provider import OAuthSignInRequiredError
from mailer.oauth.sign_in import SignIn, list_sign_ins, read_client_secret
from mailer.settings import Settings

_SECRET_WARNING = timedelta(days=30)
_UNUSED_WARNING = timedelta(days=14)
_END_WARNING = timedelta(days=3)


class SignInState(StrEnum):
    """How a sign-in stands."""

    working = "working"

    missing = "missing"

    ended = "ended"
    """The provider has ended it, or must have by now."""

    ends_soon = "ends_soon"

    application_ended = "application_ended"
    """The application's secret is missing or too old."""

    application_ends_soon = "application_ends_soon"
    """The application's secret will end in some days."""


@dataclass(frozen=True, kw_only=True)
class SignInFinding:
    name: str
    state: SignInState
    message: str


def check_sign_ins(settings: Settings, root: Path, *, now: datetime) -> Iterator[SignInFinding]:
    """Look at every sign-in that ``settings`` ask for; whatever is wrong with one, the others follow. Raise
    ConfigurationError if a relay that signs in names no user, or the workspace's keys cannot be read.
    """
    for sign_in in list_sign_ins(settings):
        found = [*_check_secret(sign_in, root, now)]
        if not sign_in.is_by_application:
            found.append(_check_grant(sign_in, root, now))
        for state, message in found:
            yield SignInFinding(name=sign_in.name, state=state, message=message)


def _check_secret(sign_in: SignIn, root: Path, now: datetime) -> Iterator[tuple[SignInState, str]]:
    provider = sign_in.provider.name
    try:
        read_client_secret(sign_in.settings, root)
    except ConfigurationError as error:
        yield SignInState.application_ended, read_error(error)
        return
    last_day = sign_in.settings.client_secret_expires
    advice = gettext_noop(
        "Make a new one there, put it into the client_secret_file, and correct client_secret_expires."
    )
    if last_day is None:
        if sign_in.is_by_application:
            yield (
                SignInState.working,
                Phrase(
                    "the application signs in at %(provider)s by itself. Set client_secret_expires to "
                    "be warned before its secret ends.",
                    provider=provider,
                ),
            )
        return
    if last_day < now.date():
        yield (
            SignInState.application_ended,
            Phrase(
                "the application's secret at %(provider)s ended on %(last_day)s. %(advice)s",
                provider=provider,
                last_day=last_day,
                advice=advice,
            ),
        )
    elif last_day - now.date() <= _SECRET_WARNING:
        days = _count_days(timedelta(days=(last_day - now.date()).days))
        yield (
            SignInState.application_ends_soon,
            Phrase(
                "the application's secret at %(provider)s ends on %(last_day)s, in %(days)s. %(advice)s",
                provider=provider,
                last_day=last_day,
                days=days,
                advice=advice,
            ),
        )
    elif sign_in.is_by_application:
        yield (
            SignInState.working,
            Phrase(
                "the application signs in at %(provider)s by itself; its secret is good until %(last_day)s",
                provider=provider,
                last_day=last_day,
            ),
        )


def _check_grant(sign_in: SignIn, root: Path, now: datetime) -> tuple[SignInState, str]:
    run = Phrase("Run `%(command)s`.", command=sign_in.command)
    try:
        grant = GrantStore(root=root).read(sign_in.name)
    except OAuthSignInRequiredError as error:
        return SignInState.missing, read_error(error)
    provider = sign_in.provider
    if grant is None:
        return SignInState.missing, Phrase(
            "nobody has signed in at %(provider)s yet. %(run)s",
            provider=provider.name,
            run=run,
        )
    if not grant.belongs_to(sign_in):
        return SignInState.missing, Phrase(
            "the sign-in was made for another application or provider. %(run)s", run=run
        )
    if grant.refused:
        return SignInState.ended, Phrase(
            "%(provider)s has ended the sign-in: %(refused)s. %(run)s",
            provider=provider.name,
            refused=grant.refused,
            run=run,
        )
    end, warning, why = _find_end(sign_in, grant)
    if end is not None and end <= now:
        return SignInState.ended, Phrase(
            "the sign-in ended on %(end)s, because %(why)s. %(run)s",
            end=f"{end:%Y-%m-%d}",
            why=why,
            run=run,
        )
    if end is not None and end - now <= warning:
        return SignInState.ends_soon, Phrase(
            "the sign-in ends on %(end)s, in %(days)s, because %(why)s. %(run)s",
            end=f"{end:%Y-%m-%d}",
            days=_count_days(end - now),
            why=why,
            run=run,
        )
    return SignInState.working, Phrase(
        "signed in at %(provider)s as %(account)s on %(signed_in_at)s; last renewed on %(received_at)s",
        provider=provider.name,
        account=grant.account or sign_in.user,
        signed_in_at=f"{grant.signed_in_at:%Y-%m-%d}",
        received_at=f"{grant.received_at:%Y-%m-%d}",
    )


def _find_end(sign_in: SignIn, grant: Grant) -> tuple[datetime | None, timedelta, str]:
    """Return when the sign-in ends unless somebody acts, how long before to warn, and why it ends."""
    provider = sign_in.provider
    if provider.lasts is not None:
        end = grant.signed_in_at + provider.lasts
        return (
            end,
            _END_WARNING,
            gettext_noop("the consent screen is in testing. Publish it, or choose Internal"),
        )
    if provider.unused_for is not None:
        end = grant.received_at + provider.unused_for
        return (
            end,
            _UNUSED_WARNING,
            Phrase(
                "it has not been used since %(received_at)s",
                received_at=f"{grant.received_at:%Y-%m-%d}",
            ),
        )
    return None, timedelta(0), ""


def _count_days(length: timedelta) -> str:
    days = max(0, length.days)
    return gettext_noop("1 day") if days == 1 else Phrase("%(number)s days", number=days)

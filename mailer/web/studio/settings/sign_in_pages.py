"""Signing in to a relay or the mailbox without a password, as `mailer login` does."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from starlette.exceptions import HTTPException
from starlette.responses import Response

from locales.phrase import read_error
from mailer.activity.act_journal import announce_acts
from mailer.activity.acts import Act
from mailer.activity.record import ActivityLine, record_line
from mailer.errors import ConfigurationError
from mailer.i18n import gettext_noop
from mailer.oauth.grant_store import Grant, GrantStore
from mailer.oauth.login import PendingSignIns, choose_way, end_sign_in
from mailer.oauth.provider import OAuthError, SignInRequiredError
from mailer.oauth.sign_in import SignIn, list_sign_ins
from mailer.web.forms import OwnFormDep
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.settings.settings_save import find_workspace
from mailer.web.studio.sign_in.confirmation import require_confirmed
from mailer.web.studio.text_save import make_line

_NOT_YET = gettext_noop(
    "The provider says that nobody has finished yet. Sign in there first, then ask again."
)
_ENDED = gettext_noop("This sign-in has ended. Begin again.")


def show_sign_in(page: PageDep, sign_in: str) -> Response:
    """Show who is signed in to a relay or the mailbox, or what a sign-in that has begun waits for."""
    return _render(page, _find(page, sign_in), [])


def begin_sign_in(page: PageDep, sign_in: str) -> Response:
    """Begin to sign in."""
    found = _find(page, sign_in)
    require_confirmed(page)
    try:
        with _announced(page, found, Act.signed_in_relay) as line:
            grant = _list_pending(page).begin(found, now=page.state.clock())
            _record_grant(page, line, grant)
    except (OAuthError, ConfigurationError) as error:
        return _render(page, found, [("", read_error(error))], status=409)
    if grant is not None:
        return page.redirect(f"/settings/sign-ins/{sign_in}", Notice.signed_in_relay)
    return page.redirect(f"/settings/sign-ins/{sign_in}")


def finish_sign_in(page: PageDep, sign_in: str, form: OwnFormDep) -> Response:
    """Ask the provider whether the person has signed in."""
    found = _find(page, sign_in)
    require_confirmed(page)
    pending = _list_pending(page).find(found, now=page.state.clock())
    if pending is None:
        return _render(page, found, [("", page.translator.translate(_ENDED))])
    try:
        with _announced(page, found, Act.signed_in_relay) as line:
            grant = _list_pending(page).finish(pending, address=form.get("address"), now=page.state.clock())
            _record_grant(page, line, grant)
    except (OAuthError, ConfigurationError) as error:
        return _render(page, found, [("address" if pending.request else "", read_error(error))])
    if grant is None:
        return _render(page, found, [("", page.translator.translate(_NOT_YET))], status=409)
    return page.redirect(f"/settings/sign-ins/{sign_in}", Notice.signed_in_relay)


def delete_sign_in(page: PageDep, sign_in: str) -> Response:
    """End a sign-in: at the provider, where that is possible, and here."""
    found = _find(page, sign_in)
    require_confirmed(page)
    try:
        with _announced(page, found, Act.signed_out_relay) as line:
            done = end_sign_in(found, find_workspace(page).root)
            if done.was_there:
                _record(page, line)
    except (OSError, ConfigurationError) as error:
        return _render(page, found, [("", read_error(error))], status=409)
    return page.redirect(f"/settings/sign-ins/{sign_in}", Notice.signed_out_relay)


def _list_pending(page: StudioPage) -> PendingSignIns:
    return PendingSignIns(root=find_workspace(page).root)


def _find(page: StudioPage, name: str) -> SignIn:
    try:
        found = next((one for one in list_sign_ins(find_workspace(page).settings) if one.name == name), None)
    except ConfigurationError:
        found = None
    if found is None:
        raise HTTPException(404)
    return found


@contextmanager
def _announced(page: StudioPage, found: SignIn, act: Act) -> Iterator[ActivityLine]:
    """Announce the line of a block that may keep a sign-in or end it, and then records the line."""
    line = make_line(page, act, subject=found.name)
    file = GrantStore(root=find_workspace(page).root).find_path(found.name)
    with announce_acts(page.state.workspace, [line], [file]):
        yield line


def _record_grant(page: StudioPage, line: ActivityLine, grant: Grant | None) -> None:
    if grant is not None:
        _record(page, replace(line, detail=grant.account))


def _record(page: StudioPage, line: ActivityLine) -> None:
    with page.state.write_session() as session:
        record_line(session, line)


def _render(
    page: StudioPage, found: SignIn, errors: Sequence[tuple[str, str]], *, status: int | None = None
) -> Response:
    unreadable, grant = "", None
    try:
        grant = GrantStore(root=find_workspace(page).root).read(found.name)
    except (SignInRequiredError, ConfigurationError) as error:
        unreadable = read_error(error)
    return page.render(
        "settings_sign_in.html",
        status=(422 if errors else 200) if status is None else status,
        section="settings",
        sign_in=found,
        way=choose_way(found).value,
        grant=grant if grant is not None and grant.belongs_to(found) else None,
        unreadable=unreadable,
        pending=_list_pending(page).find(found, now=page.state.clock()),
        errors=errors,
        wrong=dict(errors),
    )

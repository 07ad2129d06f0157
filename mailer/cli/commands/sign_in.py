"""The commands ``mailer login`` and ``mailer logout``: sign in to a relay or a mailbox without a password."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from mailer.activity import deeds
from mailer.cli.activity_log import log_deed
from mailer.cli.context import CliContext, pass_context
from mailer.cli.output import emit, emit_json, json_option, say

if TYPE_CHECKING:
    from mailer.oauth.grant_store import Grant
    from mailer.oauth.sign_in import SignIn
    from mailer.oauth.token_client import DeviceCode, TokenClient, TokenResponse


@click.command()
@click.argument("name", metavar="RELAY")
@click.option("--device", is_flag=True, help="Show a code to type in on any other device (not with Google).")
@click.option(
    "--paste",
    is_flag=True,
    help="Sign in with a browser on another machine, and paste the address it ends at.",
)
@click.option(
    "--browser/--no-browser", default=True, show_default=True, help="Open the browser of this machine."
)
@json_option
@pass_context
def login(context: CliContext, name: str, device: bool, paste: bool, browser: bool, as_json: bool) -> None:
    """Sign in to a relay or the mailbox by OAuth 2.0, as Microsoft 365 and Google ask for.

    RELAY is the relay's name: "main" for the one in [smtp] url, otherwise that of one of [[smtp.relays]].
    "feedback" is the mailbox of [feedback] imap. Tokens are renewed from then on. Nothing is sent.
    Example: mailer login main
    """
    from mailer.oauth.access_tokens import make_token_client
    from mailer.oauth.login import keep_sign_in
    from mailer.oauth.sign_in import find_sign_in

    if device and paste:
        raise click.UsageError("--device and --paste are two ways to do the same. Choose one.")
    workspace = context.workspace
    sign_in = find_sign_in(workspace.settings, name)
    client = make_token_client(sign_in, workspace.root)
    response = _obtain(sign_in, client, device=device, paste=paste, opens_browser=browser)
    grant = keep_sign_in(sign_in, workspace.root, response, now=datetime.now(UTC))
    log_deed(context, deeds.signed_in_relay(name, grant.account))
    if as_json:
        emit_json(_describe(sign_in, grant))
    else:
        emit(_tell(sign_in, grant))
    _hint(context, sign_in, grant)


@click.command()
@click.argument("name", metavar="RELAY")
@json_option
@pass_context
def logout(context: CliContext, name: str, as_json: bool) -> None:
    """End a sign-in: revoke it at the provider, where that is possible, and forget it here.

    Campaigns that use the relay pause until somebody signs in again. Example: mailer logout main
    """
    from mailer.oauth.login import end_sign_in
    from mailer.oauth.sign_in import find_sign_in

    sign_in = find_sign_in(context.workspace.settings, name)
    done = end_sign_in(sign_in, context.workspace.root)
    if done.was_there:
        log_deed(context, deeds.signed_out_relay(name))
    if as_json:
        emit_json({"relay": name, "forgotten": done.was_there, "revoked": done.is_revoked})
    elif not done.was_there:
        emit(f"{name}: nobody was signed in.")
    else:
        emit(f"{name}: the sign-in is forgotten.")
    if done.fault:
        say(f"It was not ended at the provider: {done.fault}")
    page = sign_in.provider.account_page
    if done.was_there and not done.is_revoked and not sign_in.is_by_application and page:
        say(f"To end it at {sign_in.provider.name}, too, remove the application at {page}.")


def _obtain(
    sign_in: SignIn, client: TokenClient, *, device: bool, paste: bool, opens_browser: bool
) -> TokenResponse:
    from mailer.oauth.browser_sign_in import sign_in_by_browser, sign_in_by_paste
    from mailer.oauth.token_client import sign_in_by_device

    if sign_in.is_by_application:
        return client.request_application_token(sign_in.scopes)
    if paste:
        return sign_in_by_paste(client, sign_in.scopes, user=sign_in.user, ask=_ask_for_address)
    if device or sign_in.settings.grant == "device_code":
        _require_device(sign_in)
        return sign_in_by_device(client, sign_in.scopes, show=_show_code)

    def show(url: str) -> None:
        say(f"Open this address in a browser on this machine, and sign in as {sign_in.user}:\n\n  {url}\n")
        say("Waiting for you to come back. Press Ctrl-C to stop.")
        if opens_browser and _has_browser():
            click.launch(url)

    return sign_in_by_browser(client, sign_in.scopes, user=sign_in.user, show=show)


def _require_device(sign_in: SignIn) -> None:
    settings = sign_in.settings
    if settings.provider == "google" and not settings.device_url:
        raise click.UsageError(
            "Google gives no access to mail with a code (its device flow refuses the scope). Use --paste."
        )
    if not sign_in.provider.device_url:
        raise click.UsageError("The settings name no device_url. Set it, or use --paste.")


def _show_code(code: DeviceCode) -> None:
    say(f"Open {code.url} on any device, and type in this code:\n\n  {code.user_code}\n")
    say(f"It is good for {code.lifetime / 60:.0f} minutes. Waiting. Press Ctrl-C to stop.")


def _ask_for_address(url: str) -> str:
    say(f"Open this address in any browser, and sign in:\n\n  {url}\n")
    say("At the end, the browser shows a page that cannot be reached. That is right. Copy its whole address.")
    return str(click.prompt("Paste it here", err=True, prompt_suffix=": "))


def _has_browser() -> bool:
    """Return whether a browser would open beside the terminal; one in the terminal would take its place."""
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _describe(sign_in: SignIn, grant: Grant) -> dict[str, object]:
    return {
        "relay": sign_in.name,
        "provider": sign_in.settings.provider,
        "grant": sign_in.settings.grant,
        "account": grant.account,
        "user": sign_in.user,
        "signed_in_at": str(grant.signed_in_at),
        "token_ends_at": str(grant.expires_at),
    }


def _tell(sign_in: SignIn, grant: Grant) -> str:
    place = sign_in.provider.name
    if sign_in.is_by_application:
        return f"{sign_in.name}: the application signs in at {place} by itself, and does so from now on."
    return f"{sign_in.name}: signed in at {place} as {grant.account or sign_in.user}."


def _hint(context: CliContext, sign_in: SignIn, grant: Grant) -> None:
    if grant.account and grant.account.casefold() != sign_in.user.casefold() and "@" in sign_in.user:
        say(
            f"The settings name {sign_in.user}, and {grant.account} has signed in. That works if "
            f"{grant.account} has full access to that mailbox; otherwise run the command again."
        )
    say(
        f"The tokens are renewed from now on. To see whether the server takes them: "
        f"{context.command_line('doctor')}"
    )

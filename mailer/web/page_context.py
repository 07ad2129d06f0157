"""A request for a page of the readers' site: its language, its links, and how its page is rendered."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import wraps
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import Engine
from starlette.responses import Response

from mailer.i18n import NATIVE_NAMES, Translator
from mailer.selfservice.mail_requests import Visitor
from mailer.selfservice.subscription import SubscriptionSummary
from mailer.settings import Settings
from mailer.web.dependencies import Site, SiteDep
from mailer.web.forms import FormDep, OwnFormDep
from mailer.web.language import LANGUAGE_PARAMETER, choose_translator, read_requested_language
from mailer.workspace import Keys
from subscribers.consent.status_changes import IpRetention, describe_ip_address
from subscribers.errors import TokenError


@dataclass(frozen=True, kw_only=True)
class PageContext:
    """A request, the site it is for, and the languages to choose from.

    ``form_language`` is that of the page whose form was sent, ``mail_language`` that of the email the reader
    came from; either may be empty.
    """

    site: Site
    request: Request
    form_language: str = ""
    mail_language: str = ""

    @property
    def engine(self) -> Engine:
        return self.site.engine

    @property
    def keys(self) -> Keys:
        return self.site.workspace.keys

    @property
    def settings(self) -> Settings:
        return self.site.workspace.settings

    @property
    def translator(self) -> Translator:
        return choose_translator(
            self.request.scope, form_language=self.form_language, mail_language=self.mail_language
        )

    def for_email_in(self, language: str) -> "PageContext":
        return replace(self, mail_language=language)

    def join_sentences(self, sentences: Iterable[str]) -> str:
        """Translate the sentences around a button and join them, for a consent record."""
        translator, organisation = self.translator, self.settings.sender.organisation
        return translator.sentence_space.join(
            translator.translate(sentence, organisation=organisation) for sentence in sentences
        )

    def make_path(self, path: str) -> str:
        """Return the path of another page, in the language that this page's address asks for."""
        requested = read_requested_language(self.request.scope)
        suffix = f"?{LANGUAGE_PARAMETER}={requested}" if requested else ""
        return f"{self.site.renderer.prefix}{path}{suffix}"

    def read_visitor(self) -> Visitor:
        """Describe the visitor: network address (as trusted proxies report it) and language."""
        address = self.request.client.host if self.request.client is not None else ""
        retention = IpRetention(self.settings.consent.origin)
        evidence = describe_ip_address(address, key=self.keys.suppression, retention=retention)
        return Visitor(address=address, evidence=evidence, language=self.translator.tag)

    def render(self, template: str, *, status: int = 200, **values: object) -> Response:
        """Render a page that belongs to no reader."""
        paths = {
            "link_path": self.make_path("/link"),
            "archive_path": self.make_path("/e/"),
            "subscribe_path": self.make_path("/subscribe") if self.settings.web.sign_up else "",
        }
        return self._render(template, status, {**paths, **values})

    def render_for_reader(
        self,
        template: str,
        token: str,
        subscription: SubscriptionSummary,
        *,
        status: int = 200,
        **values: object,
    ) -> Response:
        """Render a page for the reader behind ``token``, if need be in the language of their email."""
        paths = {
            "leave_path": self.make_path(f"/u/{token}"),
            "undo_path": self.make_path(f"/u/{token}/undo"),
            "reason_path": self.make_path(f"/u/{token}/reason"),
            "preferences_path": self.make_path(f"/p/{token}"),
            "look_path": self.make_path(f"/p/{token}/look"),
            "data_path": self.make_path(f"/p/{token}/data"),
        }
        page = self.for_email_in(subscription.language)
        return page._render(template, status, {"subscription": subscription, **paths, **values})

    def render_expired_link(self) -> Response:
        return self.render("expired_link.html", status=404)

    def _render(self, template: str, status: int, values: Mapping[str, object]) -> Response:
        # The answer to a POST cannot be reloaded in another language.
        languages = None if self.request.method == "POST" else NATIVE_NAMES.items()
        return self.site.renderer.render(
            template, self.translator, status=status, **{"languages": languages, **values}
        )


def _make_context(site: SiteDep, request: Request) -> PageContext:
    return PageContext(site=site, request=request)


PageDep = Annotated[PageContext, Depends(_make_context)]


def _make_form_context(page: PageDep, form: FormDep) -> PageContext:
    return replace(page, form_language=form.language)


def _make_own_form_context(page: PageDep, form: OwnFormDep) -> PageContext:
    return replace(page, form_language=form.language)


FormPageDep = Annotated[PageContext, Depends(_make_form_context)]
"""The context of the answer to a form from anywhere, in the language of the form's page."""

OwnFormPageDep = Annotated[PageContext, Depends(_make_own_form_context)]
"""The context of the answer to a form of our own pages, in the language of the form's page."""


def answers_expired_links(endpoint: Callable[..., Response]) -> Callable[..., Response]:
    """Decorate the endpoint of a one-time link to answer links that do not work with a page of their own."""

    @wraps(endpoint)
    def answer(page: PageContext, **arguments: object) -> Response:
        try:
            return endpoint(page, **arguments)
        except TokenError:
            return page.render_expired_link()

    return answer

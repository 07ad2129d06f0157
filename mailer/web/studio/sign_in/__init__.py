"""Signing in to Studio: by a link, a password, a passkey, or at the organisation."""

from mailer.web.studio.sign_in import (
    by_link,
    by_organisation,
    by_passkey,
    by_password,
    confirmation,
    first_account,
    sign_out,
)

ROUTES = (
    *by_link.ROUTES,
    *by_organisation.ROUTES,
    *by_passkey.ROUTES,
    *by_password.ROUTES,
    *confirmation.ROUTES,
    *first_account.ROUTES,
    *sign_out.ROUTES,
)

"""Signing in to Studio: by a link, a password, a passkey, or at the organisation."""

from mailer.web.studio.sign_in import by_link, first_account, sign_out

ROUTES = (*by_link.ROUTES, *first_account.ROUTES, *sign_out.ROUTES)

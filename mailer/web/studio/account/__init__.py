"""A member's own account: name, language, ways to sign in, and where they are signed in."""

from mailer.web.studio.account import account_page, data, passkeys, password, sessions

ROUTES = (*account_page.ROUTES, *password.ROUTES, *passkeys.ROUTES, *sessions.ROUTES, *data.ROUTES)

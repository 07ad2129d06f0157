"""What can go wrong when signing in, in words for the operator. No message contains a token or a secret."""

from mailer.errors import MailerError


class OAuthError(MailerError):
    """A token cannot be had."""


class SignInRequiredError(OAuthError):
    """A person must sign in: nobody has, or the provider has ended the sign-in."""


class ApplicationRefusedError(OAuthError):
    """The provider refuses the application as it is registered, so that the settings must change."""


class ProviderUnavailableError(OAuthError):
    """The provider does not answer now. Nothing is lost; the same request may work later.

    ``retry_after`` is the wait that it asked for, in seconds; 0 if none.
    """

    def __init__(self, message: str, *, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class GrantRefusedError(OAuthError):
    """The provider does not renew a sign-in any more (``invalid_grant``); the text says why."""


class SignInFailedError(OAuthError):
    """The person did not finish signing in."""

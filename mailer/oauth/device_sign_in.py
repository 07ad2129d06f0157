"""Signs a person in with a code that they type in on any device (RFC 8628)."""

import time
from collections.abc import Callable

from locales.phrase import Phrase, gettext_noop
from mailer.oauth.errors import ProviderUnavailableError, SignInFailedError
from mailer.oauth.token_client import (
    DeviceCode,
    DeviceEndedError,
    DevicePendingError,
    TokenClient,
    TokenResponse,
)

_SLOWER_SECONDS = 5.0  # RFC 8628 §3.5
_MAX_INTERVAL = 60.0


def sign_in_by_device(
    client: TokenClient,
    scopes: tuple[str, ...],
    *,
    show: Callable[[DeviceCode], None],
    wait: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> TokenResponse:
    """Ask for a code, ``show`` it, and wait until the person has typed it in.

    Raises:
        SignInFailedError: they declined, or the code has expired.
        ProviderUnavailableError: there is no code to be had now.
        ApplicationRefusedError: the provider does not sign this application in with a code.
    """
    code = client.request_device_code(scopes)
    show(code)
    end, interval = monotonic() + code.lifetime, code.interval
    while monotonic() < end:
        wait(interval)
        try:
            return client.redeem_device_code(code)
        except DevicePendingError as pending:
            interval += _SLOWER_SECONDS if pending.slow_down else 0
        except ProviderUnavailableError:
            # RFC 8628 §3.5: ask less often after a timeout. The code stays good meanwhile.
            interval = min(2 * interval, _MAX_INTERVAL)
        except DeviceEndedError as error:
            raise SignInFailedError(
                Phrase(gettext_noop("%(error)s Run the command again for a new code."), error=error)
            ) from error
    raise SignInFailedError(
        Phrase(
            gettext_noop(
                "Nobody has typed in the code within %(lifetime)s minutes. Run the command again for a new "
                "one."
            ),
            lifetime=f"{code.lifetime / 60:.0f}",
        )
    )

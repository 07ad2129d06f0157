"""Whether the programs can run with settings: what only shows when a campaign begins is found before."""

from mailer.dispatch.rate.domain_limiter import check_domain_rates
from mailer.dispatch.rate.sending_windows import SendingWindows
from mailer.dispatch.relay_settings import list_relays
from mailer.oauth.sign_in import list_sign_ins
from mailer.providers.provider_limits import make_provider_limits
from mailer.rendering.message import envelope_sender, sender_address
from mailer.settings import Settings


def check_usable(settings: Settings) -> None:
    """Check what the loader of settings does not look at. Nothing is connected to, and no secret is read.

    Raises:
        ConfigurationError: two relays have the same name, a time zone does not exist, and the like.
    """
    sender_address(settings.sender.address)
    envelope_sender(settings.sender)
    list_relays(settings.smtp)
    list_sign_ins(settings)
    SendingWindows(settings)
    check_domain_rates(settings.domain_rates)
    make_provider_limits(settings)

"""Where names are looked up."""

from pydantic import Field, field_validator

from locales.phrase import gettext_noop
from mailer.network import parse_listen_address
from mailer.settings.section import Section


class DnsSettings(Section):
    """How the mailer asks the DNS: for our own records (`mailer doctor`) and for who receives mail (MX)."""

    resolver: str = Field(
        default="",
        description=gettext_noop(
            "The address and port of the DNS server to ask, such as 192.0.2.53:53. By "
            "default, this machine's own."
        ),
    )
    timeout: float = Field(
        default=5,
        gt=0,
        le=60,
        description=gettext_noop("After how many seconds a question counts as unanswered."),
    )
    look_up_providers: bool = Field(
        default=True,
        description=gettext_noop(
            "Whether the provider that receives the mail of a domain is looked up (its MX), "
            "so that the provider's limits hold for it."
        ),
    )

    @field_validator("resolver")
    @classmethod
    def _check_resolver(cls, value: str) -> str:
        if value and parse_listen_address(value).path is not None:
            raise ValueError(
                gettext_noop("%(value)s is not an address and a port. Write, for example, 192.0.2.53:53")
                % {"value": f"{value!r}"}
            )
        return value

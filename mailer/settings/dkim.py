"""The signatures of the mail."""

from pathlib import Path

from pydantic import Field

from locales.phrase import gettext_noop
from mailer.settings.section import Section


class DkimSettings(Section):
    """DKIM signatures, for a relay that does not sign (RFC 6376, RFC 8463). Off without a key."""

    domain: str = Field(
        default="",
        description=gettext_noop("The signing domain. If empty, the domain of the sender's address."),
    )
    selector: str = Field(
        default="",
        description=gettext_noop(
            "The selector of the RSA key. Without a key, that of a relay which signs: "
            "`mailer doctor` looks for its key."
        ),
    )
    key_file: Path | None = Field(default=None, description=gettext_noop("The RSA key, PEM, 2048 bits."))
    ed25519_selector: str = Field(default="", description=gettext_noop("The selector of the Ed25519 key."))
    ed25519_key_file: Path | None = Field(
        default=None, description=gettext_noop("The Ed25519 key, PEM, for a second signature.")
    )

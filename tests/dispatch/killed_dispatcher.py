"""Dispatches campaign 1 of a durable database, as `mailer send` does.

python -m tests.dispatch.killed_dispatcher DATABASE ROOT SERVER hold|resend
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from mailer.database.engine import open_engine
from mailer.dispatch.dispatcher import dispatch
from mailer.dispatch.relays import open_relays
from mailer.settings import SenderSettings, Settings, SmtpSettings
from tests.factories.deliveries import build_plain


def main(words: Sequence[str]) -> None:
    url, folder, smtp, again = words
    root = Path(folder)
    sender = SenderSettings(name="N", address="news@example.org", organisation="O", postal_address="1 Street")
    settings = Settings(sender=sender, smtp=SmtpSettings(url=smtp, connections=4))
    result = dispatch(
        open_engine(url, root=root, durable=True),
        1,
        relays=open_relays(settings, root),
        settings=settings,
        root=root,
        build_message=build_plain,
        resend_in_doubt=again == "resend",
    )
    sys.stdout.write(f"{result.outcome.value}\n")


if __name__ == "__main__":
    main(sys.argv[1:])

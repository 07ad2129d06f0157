"""What only a campaign would notice of settings is noticed before."""

import pytest

from mailer.dispatch.dispatcher import check_usable
from mailer.errors import ConfigurationError
from mailer.settings import parse_settings
from mailer.workspace import Workspace
from tests.conftest import SETTINGS


def check(workspace: Workspace, more: str) -> None:
    check_usable(parse_settings(workspace.root / "mailer.toml", f"{SETTINGS}\n{more}".encode(), {}))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ('[[smtp.relays]]\nname = "a"\nurl = "smtp://x"\n' * 2, "two relays are named"),
        ('[time_zones]\nMN = "Asia/Nowhere"\n', "no such time zone"),
        ("[campaigns]\nwindow_days = []\n", "nothing could ever be sent"),
        ('[domain_rates]\n"example.org" = -1\n', "above 0"),
        ("[provider_rates]\nnobody = 1\n", "nobody"),
        ('[smtp.oauth]\nprovider = "google"\nclient_id = "x"\n', "names no user"),
    ],
)
def test_it_is_refused_with_its_reason(workspace: Workspace, more: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        check(workspace, more)


def test_other_settings_pass(workspace: Workspace) -> None:
    check(workspace, '[time_zones]\nMN = "Asia/Ulaanbaatar"\n[smtp]\nurl = "smtp://me@x"\n')

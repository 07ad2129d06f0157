"""Settings as people fill them in: every one can be written as text and is read back as it was."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from mailer.fields import FieldKind, FieldTextError
from mailer.settings import Settings
from mailer.settings.changes.setting import Setting, list_settings

ALL = [setting for section in Settings.model_fields for setting in list_settings(section)]


def find(name: str) -> Setting:
    return next(one for one in ALL if one.name == name)


def test_every_section_has_its_settings_with_those_of_the_tables_inside_it() -> None:
    names = {setting.name for setting in ALL}
    assert {"sender.name", "smtp.oauth.client_id", "smtp.warm_up.since", "studio.oidc.issuer"} <= names
    assert {"feedback.webhooks.ses.topics", "sectors", "time_zones"} <= names
    assert "smtp.relays" not in names
    assert all(setting.description for setting in ALL if len(setting.path) > 1)


@pytest.mark.parametrize("setting", ALL, ids=lambda setting: setting.name)
def test_a_default_is_read_back_as_it_was(setting: Setting) -> None:
    text = setting.format(setting.default)
    default = list(setting.default) if isinstance(setting.default, tuple) else setting.default
    if isinstance(default, Path):
        default = str(default)
    assert setting.parse(text) == (default or None if default in ("", [], {}) else default)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("sender.name", "  The \n office ", "The office"),
        ("campaigns.rate", "0,5", 0.5),
        ("campaigns.rate", "14", 14),
        ("campaigns.rate", "１４", 14),
        ("campaigns.rate", "1e-05", 0.00001),
        ("campaigns.canary", "", None),
        ("campaigns.canary", "１４", 14),
        ("campaigns.archive", "true", True),
        ("campaigns.test_readers", "a@x\r\n\r\n b@x ", ["a@x", "b@x"]),
        ("campaigns.window_days", "", []),
        ("smtp.warm_up.since", "2026-03-02", date(2026, 3, 2)),
        (
            "provider_rates",
            'orange = 2.5\n"microsoft" = unlimited',
            {"orange": 2.5, "microsoft": "unlimited"},
        ),
        ("provider_rates", "", None),
    ],
)
def test_texts_are_values(name: str, text: str, value: Any) -> None:
    assert find(name).parse(text) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("campaigns.rate", "fast"),
        ("campaigns.rate", "nan"),
        ("campaigns.rate", "1e999"),
        ("campaigns.rate", "+60"),
        ("campaigns.rate", "6_0"),
        ("campaigns.canary", "1.5"),
        ("campaigns.canary", "+60"),
        ("campaigns.canary", "6_0"),
        ("campaigns.archive", "yes"),
        ("smtp.warm_up.since", "2.3.2026"),
        ("provider_rates", "orange"),
        ("provider_rates", "orange = +60"),
        ("domain_rates", "example.org = 6_0"),
    ],
)
def test_other_texts_are_refused(name: str, text: str) -> None:
    with pytest.raises(FieldTextError):
        find(name).parse(text)


def test_kinds_are_told_apart() -> None:
    assert find("campaigns.approval").choices == ("required", "optional")
    assert find("campaigns.window_days").kind is FieldKind.choices
    assert find("smtp.sending_addresses").kind is FieldKind.texts
    assert find("dkim.key_file").kind is FieldKind.text
    assert (find("sender.name").is_required, find("studio.oidc.issuer").is_required) == (True, False)

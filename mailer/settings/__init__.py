"""The settings of one workspace: ``mailer.toml``, overridden by ``MAILER_SECTION__KEY``.

There is no module-level instance: settings are passed to whatever needs them. Each section is a model with
every key, its default and its description. An unknown key is an error, both in the file and in the
environment.
"""

from mailer.settings.campaigns import ApprovalStepSettings, CampaignSettings
from mailer.settings.feedback import FeedbackSettings, SecretWebhookSettings, WebhooksSettings
from mailer.settings.mailer_toml import (
    SETTINGS_FILE,
    InvalidSettingsError,
    Settings,
    find_overrides,
    load_settings,
    parse_settings,
)
from mailer.settings.oauth import OAuthSettings
from mailer.settings.section import DatabaseSettings, DnsSettings, LogSettings
from mailer.settings.smtp import (
    MAIN_RELAY,
    DkimSettings,
    RelaySettings,
    SenderSettings,
    SmtpSettings,
    WarmUpSettings,
)
from mailer.settings.web import (
    LOOPBACK_HOSTS,
    LawSettings,
    RetentionSettings,
    StudioSettings,
    WebSettings,
)

__all__ = [
    "LOOPBACK_HOSTS",
    "MAIN_RELAY",
    "SETTINGS_FILE",
    "ApprovalStepSettings",
    "CampaignSettings",
    "DatabaseSettings",
    "DkimSettings",
    "DnsSettings",
    "FeedbackSettings",
    "InvalidSettingsError",
    "LawSettings",
    "LogSettings",
    "OAuthSettings",
    "RelaySettings",
    "RetentionSettings",
    "SecretWebhookSettings",
    "SenderSettings",
    "Settings",
    "SmtpSettings",
    "StudioSettings",
    "WarmUpSettings",
    "WebSettings",
    "WebhooksSettings",
    "find_overrides",
    "load_settings",
    "parse_settings",
]

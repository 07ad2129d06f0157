"""The settings of one workspace: ``mailer.toml``, overridden by ``MAILER_SECTION__KEY``.

There is no module-level instance: settings are passed to whatever needs them. Each section is a model with
every key, its default and its description. An unknown key is an error, both in the file and in the
environment.
"""

from mailer.settings.campaigns import ApprovalStepSettings, CampaignSettings
from mailer.settings.feedback import FeedbackSettings, SecretWebhookSettings, WebhooksSettings
from mailer.settings.mailer_toml import (
    SETTINGS_FILE,
    CountryCode,
    InvalidSettingsError,
    SettingFault,
    Settings,
    find_overrides,
    load_settings,
    parse_settings,
)
from mailer.settings.oauth import OAuthSettings
from mailer.settings.section import DatabaseSettings, DnsSettings, LogSettings, SingleLineText
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
    ConsentSettings,
    LawSettings,
    OpenIdSettings,
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
    "ConsentSettings",
    "CountryCode",
    "DatabaseSettings",
    "DkimSettings",
    "DnsSettings",
    "FeedbackSettings",
    "InvalidSettingsError",
    "LawSettings",
    "LogSettings",
    "OAuthSettings",
    "OpenIdSettings",
    "RelaySettings",
    "RetentionSettings",
    "SecretWebhookSettings",
    "SenderSettings",
    "SettingFault",
    "Settings",
    "SingleLineText",
    "SmtpSettings",
    "StudioSettings",
    "WarmUpSettings",
    "WebSettings",
    "WebhooksSettings",
    "find_overrides",
    "load_settings",
    "parse_settings",
]

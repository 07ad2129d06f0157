"""What each setting is called and what it does, in the words of the team; and what is wrong with a value."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from mailer.fields import FAULTS, FieldKind
from mailer.i18n import Translator, gettext_noop
from mailer.settings.changes.setting import Setting


class Words(NamedTuple):
    """A setting's label, and a hint with an example where one helps."""

    label: str
    hint: str = ""


WORDS: Mapping[str, Words] = MappingProxyType(
    {
        "sender.name": Words(
            gettext_noop("Sender’s name"), gettext_noop("As partners see it in their inbox.")
        ),
        "sender.address": Words(
            gettext_noop("Sender’s address"),
            gettext_noop("The mail comes from it. Such as news@example.org."),
        ),
        "sender.organisation": Words(
            gettext_noop("Organisation"), gettext_noop("It stands below each mail.")
        ),
        "sender.postal_address": Words(
            gettext_noop("Postal address"),
            gettext_noop("The law of most countries asks for it below each mail."),
        ),
        "sender.language": Words(
            gettext_noop("Language of these names"),
            gettext_noop("A tag such as en, zh-Hans, mn, ja, ko or fr, for programs that read aloud."),
        ),
        "sender.reply_to": Words(
            gettext_noop("Address for replies"), gettext_noop("Leave it empty for the sender’s address.")
        ),
        "sender.bounces_to": Words(
            gettext_noop("Address for bounces"), gettext_noop("Leave it empty for the sender’s address.")
        ),
        "sender.list_id": Words(
            gettext_noop("Name of the list"),
            gettext_noop("Mail programs sort by it. Such as newsletter.example.org. Do not change it later."),
        ),
        "sender.is_sample_body": Words(
            gettext_noop("We are the organisation that the sample shows"),
            gettext_noop("Only then may its name and its postal address stand here."),
        ),
        "web.base_url": Words(
            gettext_noop("Public address"),
            gettext_noop(
                "Such as https://news.example.org. Links in mails that were sent before lead to the old one."
            ),
        ),
        "web.robots": Words(gettext_noop("Search engines")),
        "web.sign_up": Words(gettext_noop("Signing up on the website")),
        "web.accessibility_contact": Words(
            gettext_noop("Where barriers are reported"),
            gettext_noop("An email address, or the https address of a form."),
        ),
        "web.trusted_proxies": Words(
            gettext_noop("Our own proxies"), gettext_noop("An address or a network on each line.")
        ),
        "web.metrics": Words(
            gettext_noop("Metrics for Prometheus"),
            gettext_noop(
                "Such as 127.0.0.1:9464. Leave it empty for none. The server has to be started again."
            ),
        ),
        "campaigns.window": Words(
            gettext_noop("Hours"),
            gettext_noop("In the partner’s time zone, such as 08:00-18:00. Leave it empty for any hour."),
        ),
        "campaigns.window_days": Words(gettext_noop("Days")),
        "campaigns.rate": Words(
            gettext_noop("Messages per second"),
            gettext_noop("At most, over all relays. Leave it empty for no limit."),
        ),
        "campaigns.retry_for_hours": Words(
            gettext_noop("Hours to keep trying"), gettext_noop("For messages that a server puts off.")
        ),
        "campaigns.canary": Words(
            gettext_noop("Partners who get it first"),
            gettext_noop("The others follow when these were sent. Leave it empty to send to all at once."),
        ),
        "campaigns.canary_minutes": Words(
            gettext_noop("Minutes to wait after them"),
            gettext_noop("Leave it empty to wait until a person lets the campaign go on."),
        ),
        "campaigns.halt_at_rejected": Words(
            gettext_noop("Share of dead addresses that pauses a campaign"),
            gettext_noop("Of the first 200; 0.1 is a tenth."),
        ),
        "studio.time_zone": Words(
            gettext_noop("Time zone of the team"),
            gettext_noop("In which you plan campaigns, such as Asia/Shanghai."),
        ),
        "campaigns.in_doubt": Words(gettext_noop("Deliveries in doubt, when a campaign goes on")),
        "campaigns.approval": Words(gettext_noop("Approval")),
        "campaigns.approval_by": Words(gettext_noop("Who may approve")),
        "campaigns.launch_by": Words(gettext_noop("Who launches")),
        "campaigns.approval_steps.name": Words(
            gettext_noop("What it is about"), gettext_noop("Such as Facts, or The ministry.")
        ),
        "campaigns.approval_steps.needs": Words(gettext_noop("Who has to approve")),
        "campaigns.approval_steps.members": Words(
            gettext_noop("Members of the team"), gettext_noop("An email address on each line.")
        ),
        "campaigns.approval_steps.roles": Words(
            gettext_noop("Or anybody with this role"), gettext_noop("One of them answers for it.")
        ),
        "campaigns.approval_steps.reviewers": Words(
            gettext_noop("People outside the team"),
            gettext_noop(
                "One on each line, such as Ana Diaz &lt;ana@ministry.example&gt;. They get a link by mail."
            ),
        ),
        "campaigns.require_test": Words(gettext_noop("Exactly this content must have been tested before")),
        "campaigns.test_readers": Words(
            gettext_noop("Test readers"), gettext_noop("An email address on each line.")
        ),
        "campaigns.archive": Words(gettext_noop("Add editions to the public archive when they are sent")),
        "campaigns.count_clicks": Words(
            gettext_noop("Count clicks"), gettext_noop("By country and sector, without names.")
        ),
        "campaigns.report_to": Words(
            gettext_noop("Who gets the report"), gettext_noop("An email address on each line.")
        ),
        "campaigns.report_after_hours": Words(gettext_noop("Hours from the end of a campaign to its report")),
        "smtp.url": Words(
            gettext_noop("Address"),
            gettext_noop("Such as smtp://user@mail.example.org:587, smtps://host:465 or maildir:outbox."),
        ),
        "smtp.starttls": Words(
            gettext_noop("Encryption"), gettext_noop("For addresses that begin with smtp://.")
        ),
        "smtp.priority": Words(
            gettext_noop("Priority"), gettext_noop("Relays with the lowest number are used first.")
        ),
        "smtp.weight": Words(
            gettext_noop("Weight"), gettext_noop("Its share of the mail among relays of its priority.")
        ),
        "smtp.rate": Words(
            gettext_noop("Messages per second"), gettext_noop("At most, from all machines together.")
        ),
        "smtp.messages_per_connection": Words(gettext_noop("Messages until it is connected to anew")),
        "smtp.sending_addresses": Words(
            gettext_noop("IP addresses that its mail leaves from"),
            gettext_noop("One on each line. The checks of the set-up compare them with your SPF record."),
        ),
        "domain_rates": Words(
            gettext_noop("Messages per second by domain"),
            gettext_noop("One on each line, such as example.org = 2. The star stands for all others: * = 5."),
        ),
        "provider_rates": Words(
            gettext_noop("Messages per second by provider"),
            gettext_noop("One on each line, such as orange = 2.5 or yahoo = unlimited."),
        ),
        "provider_daily_limits": Words(
            gettext_noop("Messages per day by provider"),
            gettext_noop("One on each line, such as gmx = 5000 or gmx = unlimited."),
        ),
        "law.opt_in": Words(
            gettext_noop("Countries where consent must be on record"),
            gettext_noop("The code of a country on each line, such as JP."),
        ),
        "consent.origin": Words(gettext_noop("The network address that a choice came from")),
        "retention.pending_days": Words(gettext_noop("Sign-ups that nobody confirmed, in days")),
        "retention.gone_months": Words(
            gettext_noop("People who have left, in months"),
            gettext_noop(
                "They are erased, but for a hash that keeps them from being added again. Empty: never."
            ),
        ),
        "retention.reply_months": Words(
            gettext_noop("Mail servers’ replies, in months"),
            gettext_noop("What became of each mail stays. Empty: never."),
        ),
        "retention.test_months": Words(gettext_noop("Addresses that tests were sent to, in months")),
        "retention.feedback_months": Words(
            gettext_noop("Bounces, complaints and replies, in months"),
            gettext_noop("What became of each partner stays. Empty: never."),
        ),
        "retention.fake_months": Words(
            gettext_noop("Fakes that people have submitted, in months"),
            gettext_noop("From the last time that one was submitted."),
        ),
        "retention.reviewer_months": Words(
            gettext_noop("Addresses of reviewers outside the team, in months"),
            gettext_noop("Their names and answers stay. Empty: never."),
        ),
        "retention.comment_months": Words(
            gettext_noop("Resolved comments, in months"), gettext_noop("Open ones stay. Empty: never.")
        ),
        "retention.click_hours": Words(
            gettext_noop("Single clicks, in hours"), gettext_noop("How many followed each link stays.")
        ),
        "studio.enabled": Words(
            gettext_noop("The server for partners answers these pages, too"),
            gettext_noop("Under /studio of the public address. Without it, only this machine has them."),
        ),
        "studio.session_days": Words(gettext_noop("Days without a visit until one has to sign in again")),
        "studio.oidc.issuer": Words(
            gettext_noop("Sign-in at the organisation: its provider"),
            gettext_noop(
                "Such as https://login.microsoftonline.com/TENANT/v2.0. Leave all of these empty for none."
            ),
        ),
        "studio.oidc.client_id": Words(
            gettext_noop("ID of the application there"), gettext_noop("As it was registered at the provider.")
        ),
        "studio.oidc.name": Words(gettext_noop("What the button calls it")),
        "studio.oidc.domains": Words(
            gettext_noop("Only addresses of these domains"), gettext_noop("A domain on each line.")
        ),
    }
)
"""By the name of the setting. What is not here is called as in ``mailer.toml``."""

CHOICE_WORDS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "smtp.starttls": {
            "require": gettext_noop("must be there"),
            "if-offered": gettext_noop("if the server offers it"),
            "never": gettext_noop("never"),
        },
        "web.sign_up": {
            "false": gettext_noop("nobody can"),
            "true": gettext_noop("everybody who confirms it by mail"),
            "reviewed": gettext_noop("everybody, once somebody of the team has admitted them"),
        },
        "web.robots": {
            "index": gettext_noop("may list the archive"),
            "noindex": gettext_noop("are asked to stay away"),
        },
        "campaigns.approval": {
            "required": gettext_noop("Nothing is sent that nobody has approved"),
            "optional": gettext_noop("A campaign may be sent without it"),
        },
        "campaigns.approval_by": {
            "anybody": gettext_noop("Every approver"),
            "another": gettext_noop("An approver who has neither written nor prepared it"),
        },
        "campaigns.launch_by": {
            "one": gettext_noop("One person"),
            "two": gettext_noop("Two people: the second confirms the same number"),
        },
        "campaigns.approval_steps.needs": {
            "any": gettext_noop("Any one of them"),
            "all": gettext_noop("All of them"),
        },
        "campaigns.approval_steps.roles": {
            "author": gettext_noop("Author"),
            "approver": gettext_noop("Approver"),
            "manager": gettext_noop("Manager"),
        },
        "campaigns.in_doubt": {
            "hold": gettext_noop("wait until a person decides"),
            "resend": gettext_noop("are sent again; some will get the mail twice"),
        },
        "campaigns.window_days": {
            "mon": gettext_noop("Monday"),
            "tue": gettext_noop("Tuesday"),
            "wed": gettext_noop("Wednesday"),
            "thu": gettext_noop("Thursday"),
            "fri": gettext_noop("Friday"),
            "sat": gettext_noop("Saturday"),
            "sun": gettext_noop("Sunday"),
        },
        "consent.origin": {
            "hashed": gettext_noop("is kept as a keyed hash"),
            "plain": gettext_noop("is kept as it is"),
            "nothing": gettext_noop("is not kept"),
        },
    }
)
"""The words for what a setting may be, by its name."""

_AS_USUAL = gettext_noop("as usual")


def describe_fault(
    translator: Translator, kind: str, message: str = "", limits: Mapping[str, Any] | None = None
) -> str:
    """What is wrong with a value, by pydantic's name of the error; ``message`` if it is an error of ours."""
    words = FAULTS.get(kind)
    if words is None:
        return message
    known = limits or {}
    return translator.translate(words, **{name: str(value) for name, value in known.items()})


def find_words(setting: Setting) -> Words | None:
    """What the team calls a setting; None if it is called as in ``mailer.toml``."""
    return WORDS.get(_find_key(setting))


def list_choices(setting: Setting) -> list[tuple[str, str]]:
    """What a setting may be, each with its words to translate."""
    words: Mapping[str, str] = CHOICE_WORDS.get(_find_key(setting), {})
    is_optional = setting.default is None and setting.kind is FieldKind.choice
    usual = [("", _AS_USUAL)] if is_optional else []
    return [*usual, *((choice, words.get(choice, choice)) for choice in setting.choices)]


def _find_key(setting: Setting) -> str:
    """The name that a setting has here, whichever relay or step it is of."""
    return ".".join(key for key in setting.path if isinstance(key, str) and key != "relays")

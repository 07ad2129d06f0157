"""Who looks at a report: their language, whether they may see people, and where other reports are."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from babel.dates import format_skeleton

from mailer.campaigns.report import HIDDEN, is_small
from mailer.i18n import SOURCE_LANGUAGE, Translator, gettext_noop, load_translator
from mailer.web.report_pages.figure_format import format_number, format_share

_NOT_COUNTED: Final = gettext_noop("not counted")
_HIDDEN_NOTE: Final = gettext_noop(
    "%(mark)s stands for fewer than five people, or for a figure that would reveal fewer than five."
)


@dataclass(frozen=True, kw_only=True)
class Viewer:
    """Who looks at a report.

    ``campaign_path`` is the path of a campaign's report, with ``{number}`` for its number. Who does not see
    people gets no names, and why so few of them did not get the mail that one could tell them is hidden. Who
    has no terminal is told of the
    files that the page offers, in place of commands.
    """

    translator: Translator = field(default_factory=lambda: load_translator("en"))
    campaign_path: str = "/campaigns/{number}"
    sees_people: bool = True
    has_terminal: bool = True

    def make_path(self, campaign_id: int) -> str:
        """The path of the report on a campaign."""
        return self.campaign_path.format(number=campaign_id)

    @property
    def hidden_note(self) -> str:
        """The sentence below a table that hides figures."""
        return self.gettext(_HIDDEN_NOTE, mark=HIDDEN)

    def gettext(self, message: str, **values: object) -> str:
        """The English ``message`` in the viewer's language, with ``values`` filled in."""
        return self.translator.translate(message, **values)

    def ngettext(self, one: str, many: str, number: int, **values: object) -> str:
        """One of two English messages, by ``number``, which is ``%(num)s`` in them."""
        said = self.translator.translations.ngettext(one, many, number)
        return said % {"num": format_number(number), **values}

    def count_readers(self, number: int) -> str:
        """The number with its noun: "1 reader", "1,200 readers"."""
        return self.ngettext("%(num)s partner", "%(num)s partners", number)

    def hides(self, number: int) -> bool:
        """Whether a figure is of too few people for somebody who sees none of them."""
        return not self.sees_people and is_small(number)

    def format_people(self, number: int) -> str:
        """A number of people, or the mark of a hidden one."""
        return HIDDEN if self.hides(number) else format_number(number)

    def format_day(self, moment: datetime) -> str:
        """``1 March 2026`` in UTC."""
        return self.translator.format_day(moment.astimezone(UTC).date())

    def format_moment(self, moment: datetime) -> str:
        """``1 March 2026, 09:00 UTC``"""
        return self.translator.format_moment(moment)

    def format_month(self, moment: datetime) -> str:
        """``March 2026`` in UTC."""
        return self._format_date(moment, "%B %Y", "yMMMM")

    def shorten_month(self, moment: datetime) -> str:
        """``Mar 2026`` in UTC."""
        return self._format_date(moment, "%b %Y", "yMMM")

    def shorten_day(self, moment: datetime) -> str:
        """``1 Mar`` in UTC."""
        return self._format_date(moment, "%-d %b", "MMMd")

    def _format_date(self, moment: datetime, english: str, skeleton: str) -> str:
        """A moment in a form of the viewer's language: ``english`` as strftime has it, all others as CLDR has
        the ``skeleton``."""
        moment = moment.astimezone(UTC)
        if self.translator.tag == SOURCE_LANGUAGE:
            return moment.strftime(english)
        return format_skeleton(skeleton, moment, locale=self.translator.tag.replace("-", "_"))

    def format_counted(self, moment: datetime | None, now: datetime) -> str:
        """When figures were counted, without the day if that is today; empty if they are of this moment."""
        if moment is None:
            return ""
        if moment.astimezone(UTC).date() == now.astimezone(UTC).date():
            return self.gettext("Counted at %(time)s", time=f"{moment.astimezone(UTC):%H:%M} UTC")
        return self.gettext("Counted on %(time)s", time=self.format_moment(moment))

    def format_known(self, number: int | None) -> str:
        """A number, or that nobody has counted it yet."""
        return self.gettext(_NOT_COUNTED) if number is None else format_number(number)

    def format_known_share(self, number: int | None, whole: int) -> str:
        """``number`` as a share of ``whole``, or that nobody has counted it yet; a dash if there is no
        whole."""
        return self.gettext(_NOT_COUNTED) if number is None else format_share(number, whole) or "–"


ON_OWN_MACHINE: Final = Viewer()
"""Whoever started the report on their own machine."""

"""The links of a campaign that counts clicks: numbered from its content, frozen with it, and read again.

A click can lead to no other place than the numbered links, so the page that sends readers on is no open
redirect.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select, update
from sqlmodel import Session, col

from mailer.database.models import Campaign
from mailer.database.report_models import CampaignLink
from mailer.rendering.archive_urls import version_query
from mailer.rendering.body.counted_links import LinkKey, find_links
from mailer.rendering.body.fragments import MergeTag
from mailer.rendering.compiled_edition import CompiledEdition


@dataclass(frozen=True, kw_only=True)
class NumberedLink:
    """A link of a campaign, numbered from 1, with the slug of its story or "", and what it says."""

    number: int
    url: str
    story: str = ""
    label: str = ""


@dataclass(frozen=True, kw_only=True)
class CountedLinks:
    """What a campaign that counts clicks has frozen. Its tokens have a bit for each of ``sectors``, in
    order."""

    links: tuple[NumberedLink, ...]
    sectors: tuple[str, ...]


def number_links(contents: Sequence[CompiledEdition], base_url: str, sectors: Iterable[str]) -> CountedLinks:
    """Number the links of an edition in all its languages, its own first. A place that a story links to
    several times, by its picture and by its button, is one link."""
    found: dict[_Target, str] = {}
    for target, _, label in _walk_links(contents, base_url):
        found[target] = found.get(target) or label
    links = (
        NumberedLink(number=number, url=target.url, story=target.story, label=label)
        for number, (target, label) in enumerate(found.items(), start=1)
    )
    return CountedLinks(links=tuple(links), sectors=tuple(sectors))


def index_links(
    counted: CountedLinks, contents: Sequence[CompiledEdition], base_url: str
) -> Mapping[LinkKey, int]:
    numbers = {_Target(link.url, link.story): link.number for link in counted.links}
    return {key: numbers[target] for target, key, _ in _walk_links(contents, base_url) if target in numbers}


def store_counted_links(connection: Connection, campaign_id: int, counted: CountedLinks | None) -> None:
    """Freeze the links of a campaign that is not launched yet, in place of those it had; with None it counts
    no clicks. The caller commits."""
    connection.execute(delete(CampaignLink).where(col(CampaignLink.campaign_id) == campaign_id))
    connection.execute(
        update(Campaign)
        .where(col(Campaign.id) == campaign_id)
        .values(
            counts_clicks=counted is not None,
            click_sectors=" ".join(counted.sectors) if counted else "",
        )
    )
    if counted and counted.links:
        rows = [{"campaign_id": campaign_id, **vars(link)} for link in counted.links]
        connection.execute(insert(CampaignLink), rows)


def read_counted_links(session: Session, campaign_id: int) -> CountedLinks | None:
    """Return what :func:`store_counted_links` froze; None if the campaign counts no clicks or is unknown."""
    connection = session.connection()
    columns = (col(Campaign.counts_clicks), col(Campaign.click_sectors))
    campaign = connection.execute(select(*columns).where(col(Campaign.id) == campaign_id)).first()
    if campaign is None or not campaign.counts_clicks:
        return None
    rows = connection.execute(
        select(
            *(col(CampaignLink.number), col(CampaignLink.url), col(CampaignLink.story)),
            col(CampaignLink.label),
        )
        .where(col(CampaignLink.campaign_id) == campaign_id)
        .order_by(col(CampaignLink.number))
    )
    links = (NumberedLink(number=row.number, url=row.url, story=row.story, label=row.label) for row in rows)
    return CountedLinks(links=tuple(links), sectors=tuple(campaign.click_sectors.split()))


class _Target(NamedTuple):
    url: str
    story: str


def _walk_links(contents: Sequence[CompiledEdition], base_url: str) -> Iterator[tuple[_Target, LinkKey, str]]:
    for mail in contents:
        version = version_query(mail.digest)
        for key, label in find_links(mail.html_parts, base_url):
            url = key.url.replace(MergeTag.version.placeholder, version)
            yield _Target(url, key.story), key, label

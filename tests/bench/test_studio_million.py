"""The large office of the bench: as large as asked for, with addresses of its own."""

from sqlalchemy import Engine, func
from sqlmodel import Session, col, select

from bench.large_office import CAMPAIGNS, LargeOffice, add_large_office
from bench.studio_million import list_paths
from mailer.database.models import Campaign, Delivery
from mailer.web.mail_preview.compiler import PreviewCompiler
from mailer.workspace import Workspace
from subscribers.models import ConsentRecord, Subscriber
from tests.factories.small_edition import SLUG, write_edition


def test_an_office_of_any_size_is_made(workspace: Workspace, sqlite_engine: Engine) -> None:
    write_edition(workspace.editions)
    content = next(iter(PreviewCompiler(workspace, SLUG).compile().mails.values()))
    sectors = {"education": "Education", "culture": "Culture", "natural-sciences": "Natural Sciences"}
    settings = workspace.settings.model_copy(update={"sectors": sectors})
    office = add_large_office(sqlite_engine, settings, 400, edition=SLUG, content=content)
    with Session(sqlite_engine) as session:
        assert session.exec(select(func.count(col(Subscriber.id)))).one() == 400
        assert session.exec(select(func.count(col(ConsentRecord.id)))).one() == 400
        launched = select(func.count(col(Campaign.id))).where(col(Campaign.launched_at).is_not(None))
        assert session.exec(launched).one() == CAMPAIGNS
        to_all = select(func.count(col(Delivery.id))).where(col(Delivery.campaign_id) == office.to_all)
        assert session.exec(to_all).one() == 400
        assert session.get(Subscriber, office.subscriber) is not None


def test_addresses_are_filled_in() -> None:
    office = LargeOffice(subscriber=7, import_batch=1, to_all=161, sending=200, draft=201, segment="s3")
    paths, _ = list_paths(office)
    assert "/studio/campaigns/161/report" in paths
    assert "/studio/segments/s3" in paths
    assert [path for path in paths if "{" in path] == []

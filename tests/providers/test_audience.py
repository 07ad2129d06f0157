"""How many readers each provider receives for."""

from datetime import timedelta

from sqlalchemy import Engine

from mailer.providers.domain_lookup import MxAnswer, save_answers
from mailer.providers.provider_directory import read_audience
from tests.factories.deliveries import add_subscribers


def test_readers_count_with_the_provider_that_receives_for_them(engine: Engine) -> None:
    add_subscribers(engine, ["a@qq.com", "b@ministry.org", "c@ministry.org", "d@own.org", "e@new.org"])
    answers = {"ministry.org": "qq", "own.org": ""}
    save_answers(
        engine,
        [MxAnswer(domain=each, provider=key, lasts=timedelta(days=1)) for each, key in answers.items()],
    )
    with engine.connect() as connection:
        found = read_audience(connection)
        without = read_audience(connection, uses_cache=False)
    assert [(each.provider.key, each.readers, each.domains) for each in found.providers] == [("qq", 3, 2)]
    assert (found.elsewhere, found.unknown) == (1, 1)
    assert [(each.provider.key, each.readers) for each in without.providers] == [("qq", 1)]
    assert without.unknown == 4

"""In what the variants of a round differ, in the language of the page."""

from mailer.campaigns.approvals.changes import name_stories
from mailer.campaigns.approvals.rounds import Round, read_variant_content
from mailer.rendering.compiled_edition import CompiledVersionError
from mailer.web.mail_preview.shown_mail import describe_difference, describe_main
from mailer.web.studio.approvals.variant_list import VariantPage
from mailer.web.studio.page import Visit


def describe_differences(visit: Visit, asked: Round, listed: VariantPage) -> dict[int, tuple[str, ...]]:
    """In what the listed variants differ from the first, by their numbers; nothing if there is only one."""
    if listed.total < 2:
        return {}
    titles = _read_titles(visit, asked)
    stories = [tuple(asked.facts.slugs[place] for place in one.stories) for one in asked.facts.variants]
    return {
        one.number: describe_main(visit.translator)
        if one.number == 1
        else describe_difference(visit.translator, stories[one.number - 1], stories[0], titles)
        for one in listed.variants
    }


def _read_titles(visit: Visit, asked: Round) -> dict[str, str]:
    with visit.state.read_session() as session:
        try:
            mail = read_variant_content(session.connection(), asked.id, asked.facts.languages[0])
        except CompiledVersionError:
            mail = None
    return name_stories(mail) if mail is not None else {}

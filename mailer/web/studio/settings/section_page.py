"""The page of one section: its settings as a form, saved key by key."""

from collections.abc import Sequence

from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.campaigns.trial import shows_sample_body
from mailer.web.forms import OwnFormDep
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.settings.field_form import Errors, FieldForm
from mailer.web.studio.settings.fields import Field
from mailer.web.studio.settings.sections import SECTIONS, Section
from mailer.web.studio.settings.settings_save import find_fault
from mailer.web.studio.settings.words import find_words, list_choices
from mailer.web.studio.sign_in.confirmation import require_confirmed

_SAMPLE_BODY = "sender.is_sample_body"
"""Asked only of those who write as the body that the sample shows."""


def show_section(page: PageDep, section: str) -> Response:
    """Show the settings of a section."""
    return _make_form(page, section).open()


def save_section(page: PageDep, section: str, form: OwnFormDep) -> Response:
    """Save what was changed in a section."""
    found = _make_form(page, section)
    require_confirmed(page)
    return found.save(form)


def _make_form(page: StudioPage, name: str) -> FieldForm:
    section = SECTIONS.get(name)
    if section is None or section.path:
        raise HTTPException(404)
    hidden = {_SAMPLE_BODY} if not shows_sample_body(page.settings) else set()
    return FieldForm(
        page=page,
        settings=tuple(one for one in section.settings if one.name not in hidden),
        show=lambda fields, errors, status: _render(page, section, fields, errors, status),
        path=f"/settings/{name}",
    )


def _render(
    page: StudioPage, section: Section, fields: Sequence[Field], errors: Errors, status: int
) -> Response:
    return page.render(
        "settings_section.html",
        status=status,
        section="settings",
        part=section,
        also=[SECTIONS[name] for name in section.also],
        fields=fields,
        words={one.name: find_words(one.setting) for one in fields},
        choices={one.name: list_choices(one.setting) for one in fields},
        errors=errors,
        wrong=dict(errors),
        fault=find_fault(page),
    )

"""A correction of a story of the sample, to be judged like an edition."""

import tempfile
from datetime import date
from pathlib import Path

from editions.correction_note import inspect_note
from editions.model import Edition
from mailer.campaigns.corrections import (
    CorrectedEdition,
    describe_correction,
    make_correction_edition,
    name_correction,
)
from mailer.rendering.edition_compiler import compile_edition
from mailer.workspace import Workspace

_NOTE = """\
---
was: More than 80 young people from 64 countries met on 17 December 2021.
is: More than 80 young people from 46 countries met on 17 December 2021.
---

Two digits changed places when the list of participants was counted. The [organisers](https://www.example.org)
told us the next day. We apologise to everyone who has passed the number on.

- The number of participants was right.
- So was the day.
"""
_FRENCH = """\
---
was: Plus de 80 jeunes de 64 pays se sont réunis le 17 décembre 2021.
is: Plus de 80 jeunes de 46 pays se sont réunis le 17 décembre 2021.
---

Deux chiffres ont été intervertis lors du décompte de la liste des participants. Nous présentons nos excuses à
toutes les personnes qui ont repris ce nombre.
"""


def make_correction(workspace: Workspace, edition: Edition) -> Edition:
    """The correction of the first story of ``edition``, in English and in French."""
    story = edition.stories[0].slug
    compiled = compile_edition(edition, workspace.settings)
    corrected = CorrectedEdition(contents={edition.language: compiled}, source=edition)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "forum.md"
        file.write_text(_NOTE, encoding="utf-8")
        file.with_name("forum.fr.md").write_text(_FRENCH, encoding="utf-8")
        note = inspect_note(file, language=edition.language).note
    assert note is not None
    record = describe_correction(
        note,
        corrected,
        name=name_correction(edition.slug, 1),
        slug=edition.slug,
        story=story,
        number=1,
        digest="",
        today=date(2026, 3, 31),
    )
    return make_correction_edition(
        record,
        note,
        corrected,
        folder=edition.folder,
        base_url=workspace.settings.web.base_url,
        overrides=None,
    )

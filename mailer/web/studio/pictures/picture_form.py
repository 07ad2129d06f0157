"""The form of a picture: what was sent, what is missing, and the front matter it becomes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from editions.crop import CENTRE, Crop, Focus, ImageShape
from editions.model import AiOrigin, PeopleShown
from mailer.i18n import gettext_noop
from mailer.web.plain_number import read_number
from mailer.web.upload import UploadedForm

MAX_ALT = 500
_TEXTS = ("alt", "caption", "credit")
_AI_ANSWERS = ("none", *AiOrigin)
NO_PICTURE = gettext_noop("Choose a picture, from this computer or from this edition.")
NO_ALT = gettext_noop("Describe the picture for readers who cannot see it.")
NO_PEOPLE = gettext_noop("Say whether people can be recognised in it.")
NO_AI = gettext_noop("Say what AI had to do with it.")


@dataclass(frozen=True, kw_only=True)
class PictureForm:
    """The values of the form. ``file`` is a file in ``images/``; ``shape`` is "" for the whole picture."""

    file: str = ""
    alt: str = ""
    caption: str = ""
    credit: str = ""
    people: str = ""
    ai: str = ""
    shape: str = ""
    focus: Focus = field(default=CENTRE)

    def find_errors(self) -> list[tuple[str, str]]:
        """What is missing, each with the id of its field."""
        checks = (
            (self.file, "file", NO_PICTURE),
            (self.alt, "alt", NO_ALT),
            (self.people in list(PeopleShown), "people", NO_PEOPLE),
            (self.ai in _AI_ANSWERS, "ai", NO_AI),
        )
        return [(name, words) for is_given, name, words in checks if not is_given]

    @property
    def crop(self) -> Crop | None:
        """What is shown of the picture; None for all of it."""
        return (
            Crop(shape=ImageShape(self.shape), focus=self.focus) if self.shape in list(ImageShape) else None
        )

    def to_front_matter(self) -> dict[str, str | None]:
        """The keys below the picture's own; None takes one away."""
        is_cropped = self.crop is not None
        return {
            "file": self.file,
            "alt": self.alt,
            "caption": self.caption or None,
            "credit": self.credit or None,
            "ai": self.ai or None,
            "people": self.people or None,
            "shape": self.shape if is_cropped else None,
            "focus": str(self.focus) if is_cropped and self.focus != CENTRE else None,
        }


def read_picture_form(form: UploadedForm) -> PictureForm:
    """Read the form that was sent; what cannot be understood is left out."""
    texts = {name: " ".join(form.text(name).split()) for name in _TEXTS}
    shape = form.text("shape")
    return PictureForm(
        file=form.text("file"),
        people=form.text("people"),
        ai=form.text("ai"),
        shape=shape if shape in list(ImageShape) else "",
        focus=Focus(x=_read_percent(form.text("focus-x")), y=_read_percent(form.text("focus-y"))),
        **texts,
    )


def fill_picture_form(written: Mapping[str, str], *, label: AiOrigin | None = None) -> PictureForm:
    """Fill the form with what the front matter says. ``label`` is what the picture's own file says of AI."""
    x, _, y = written.get("focus", "").replace(",", " ").partition(" ")
    shape = written.get("shape", "")
    return PictureForm(
        file=written.get("file", ""),
        people=written.get("people", ""),
        ai=label or written.get("ai", ""),
        shape=shape if shape in list(ImageShape) else "",
        focus=Focus(x=_read_percent(x), y=_read_percent(y.strip())),
        **{name: written.get(name, "") for name in _TEXTS},
    )


def _read_percent(text: str) -> int:
    number = read_number(text)
    return 50 if number is None else min(100, number)

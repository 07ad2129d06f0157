"""A form of a model: errors beside their fields, and two tabs that know what each other has changed."""

from dataclasses import dataclass

import pytest

from mailer.fields import FieldKind, FieldTextError, ask, list_fields
from mailer.i18n import load_translator
from mailer.web.forms import Form
from mailer.web.studio.model_form import ModelForm

ENGLISH = load_translator("en")


@dataclass(frozen=True, kw_only=True)
class Picnic:
    """What is decided about a picnic."""

    guests: int | None = ask("Guests", "Nothing for nobody.", empty=0, least=0, most=40)
    hours: float | None = ask("Hours", fault="Write a number of hours.", above=0)
    outside: bool | None = ask("Where", choices={"true": ("Outside", ""), "false": ("Inside", "")})
    note: str = ask("Note", kind=FieldKind.note, default="", max_length=20)
    weather: str = "unknown"


SHOWN = ModelForm.show(Picnic(guests=4, hours=2.0, outside=True))


def send(**fields: str) -> ModelForm:
    return SHOWN.read(Form([*fields.items()]), ENGLISH)


def test_a_model_says_what_its_fields_show() -> None:
    assert SHOWN.texts == {"guests": "4", "hours": "2", "outside": "true", "note": ""}
    assert ModelForm.show(Picnic(guests=0)).texts["guests"] == ""
    assert [one.kind.value for one in list_fields(Picnic)] == ["whole_number", "number", "switch", "note"]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("guests", "many", "Write a whole number."),
        ("guests", "٣", "Write a whole number."),
        ("guests", "+6", "Write a whole number."),
        ("guests", "1_0", "Write a whole number."),
        ("guests", "-1", "Write a number of at least 0."),
        ("guests", "41", "Write a number of at most 40."),
        ("hours", "0", "Write a number of hours."),
        ("hours", "nan", "Write a number of hours."),
        ("hours", "+6", "Write a number of hours."),
        ("hours", "1_0", "Write a number of hours."),
        ("outside", "perhaps", "Choose one of these."),
        ("note", "x" * 21, "Write at most 20 letters."),
    ],
)
def test_what_is_no_value_is_kept_beside_its_words(name: str, text: str, words: str) -> None:
    form = send(**{name: text})
    assert (form.errors, form.status) == ([(name, words)], 422)
    assert form.texts[name] == text


def test_only_what_a_tab_has_changed_is_decided() -> None:
    now = Picnic(guests=7, weather="fine")
    sent = send(**{"guests": "4", "was-guests": "4", "hours": "2,5", "note": "Bring\r\ncake "})
    before, wanted = sent.decide(now, SHOWN)
    assert (before, wanted) == (now, Picnic(guests=7, hours=2.5, note="Bring\ncake", weather="fine"))


def test_a_tab_that_was_overtaken_changes_what_it_began_from() -> None:
    """What it showed is not what is decided now; that is written into what it began from, and seen there."""
    before, wanted = send(**{"was-guests": "3", "guests": "5"}).decide(Picnic(guests=4), SHOWN)
    assert (before.guests, wanted.guests) == (3, 5)


def test_fields_that_are_one_decision_are_decided_together() -> None:
    """Neither is left to what the settings say, which may become something else."""
    undecided, one_decision = Picnic(), [("guests", "hours"), ("note",)]
    for typed in ({"guests": "5"}, {"hours": "3"}):
        before, wanted = send(**typed).decide(undecided, SHOWN, one_decision)
        expected = Picnic(guests=int(typed.get("guests", 4)), hours=float(typed.get("hours", 2)))
        assert (before, wanted) == (undecided, expected)
    assert send(note="Cake").decide(undecided, SHOWN, one_decision)[1] == Picnic(note="Cake")


def test_an_empty_field_means_what_its_model_says() -> None:
    _, wanted = send(guests="", hours="").decide(Picnic(guests=4, hours=2.0), SHOWN)
    assert (wanted.guests, wanted.hours) == (0, None)


def test_what_others_have_saved_is_shown_and_known_from_then_on() -> None:
    form = send(guests="5").overtake(ModelForm.show(Picnic(guests=6, outside=False)), "Ann was quicker.")
    assert (form.status, form.errors, form.texts["guests"]) == (409, [("", "Ann was quicker.")], "5")
    assert form.theirs == form.was == {"guests": "6", "hours": "", "outside": "false", "note": ""}
    assert form.fields["outside"].say("false") == "Inside"
    assert form.fields["hours"].say("") == "–"


def test_nonsense_about_what_was_shown_changes_nothing() -> None:
    now = Picnic(guests=4)
    assert send(**{"was-guests": "x", "guests": "x"}).decide(now, SHOWN) == (now, now)


def test_a_field_says_what_is_wrong_by_its_kind() -> None:
    guests = list_fields(Picnic)[0]
    with pytest.raises(FieldTextError) as refused:
        guests.parse("41")
    assert refused.value.kind == "less_than_equal"

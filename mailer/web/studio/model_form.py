"""A form of what people decide: what was shown and typed, what is wrong with it, what others have saved.

The fields are those of a model, by :func:`mailer.fields.ask`. A page has what it showed of each in a hidden
field beside it, ``was-`` and its name: so a tab changes only what was changed in it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self, TypeVar

from mailer.fields import FAULTS, Field, FieldTextError, list_fields
from mailer.i18n import Translator, gettext_noop
from mailer.web.forms import Form

_Model = TypeVar("_Model")
_BY_ANOTHER = gettext_noop(
    "Somebody else has changed this meanwhile, to “%(theirs)s”. What you wrote is still here: save again to "
    "keep it."
)
_IN_ANOTHER_TAB = gettext_noop(
    "You have changed this in another tab, to “%(theirs)s”. What you wrote is still here: save again to keep "
    "it."
)


@dataclass(frozen=True, kw_only=True)
class ModelForm:
    """The ``fields`` of a model, by name: ``texts`` are what they say, ``was`` what they said when the page
    was opened, and ``theirs`` what somebody else has saved since. ``errors`` are pairs of a name and
    words."""

    fields: Mapping[str, Field]
    texts: Mapping[str, str]
    was: Mapping[str, str]
    theirs: Mapping[str, str] | None = None
    errors: Sequence[tuple[str, str]] = ()
    status: int = 200

    @classmethod
    def show(cls, model: Any) -> Self:
        fields = {one.name: one for one in list_fields(type(model))}
        texts = {name: one.format(getattr(model, name)) for name, one in fields.items()}
        return cls(fields=fields, texts=texts, was=texts)

    def read(self, sent: Form, translator: Translator) -> Self:
        """Return the form as it was sent. A field that was not sent says what it did."""
        given = dict(sent.fields)
        was = {name: _clean(given.get(f"was-{name}", text)) for name, text in self.texts.items()}
        texts = {name: _clean(given.get(name, text)) for name, text in was.items()}
        read = replace(self, texts=texts, was=was)
        for name, one in self.fields.items():
            try:
                one.parse(texts[name])
            except FieldTextError as error:
                read = read.refuse(name, explain_fault(translator, one, error))
        return read

    def refuse(self, name: str, words: str, status: int = 422) -> Self:
        return replace(self, errors=[*self.errors, (name, words)], status=status)

    def overtake(self, theirs: Self, words: str) -> Self:
        """Return the form beside what somebody else has saved meanwhile. The page then knows that, so that
        saving again is a choice."""
        return replace(self, was=theirs.texts, theirs=theirs.texts).refuse("", words, 409)

    def decide(
        self, now: _Model, shown: Self, together: Collection[Collection[str]] = ()
    ) -> tuple[_Model, _Model]:
        """Return what the form began from, and what it asks for: both are ``now``, which would be ``shown``,
        but for what differs from it. Each of ``together`` are fields that are one decision: with one of them
        the others are decided too, as they were seen beside it."""
        before = self._change(now, shown.texts, self.was, together)
        return before, self._change(before, self.was, self.texts, together)

    def _change(
        self,
        model: _Model,
        before: Mapping[str, str],
        after: Mapping[str, str],
        together: Collection[Collection[str]],
    ) -> _Model:
        changed = {name for name in self.fields if before[name] != after[name]}
        decided = changed.union(*(names for names in together if not changed.isdisjoint(names)))
        changes = {}
        for name, one in self.fields.items():
            if name in decided:
                try:
                    changes[name] = one.parse(after[name])
                except FieldTextError:
                    continue
        return replace(model, **changes)  # type: ignore[type-var]


def explain_fault(translator: Translator, field: Field, error: FieldTextError) -> str:
    limits = {"gt": field.above, "ge": field.least, "le": field.most, "max_length": field.max_length}
    return translator.translate(field.fault or FAULTS[error.kind], number=field.max_length, **limits)


def _clean(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def describe_overtaken_field(translator: Translator, theirs: str, *, is_own: bool) -> str:
    """The words beside a field that says ``theirs`` by now; ``is_own`` if the same member has changed it."""
    return translator.translate(_IN_ANOTHER_TAB if is_own else _BY_ANOTHER, theirs=theirs)

"""Generate parts of docs/ from the program; cog inserts them."""

import ast
import configparser
import inspect
import types
from collections.abc import Iterator, Mapping
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import click
from json_schemas import list_schemas
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from mailer.checks.registry import list_pages
from mailer.cli import mailer
from mailer.database.models import CampaignState, DeliveryState
from mailer.dispatch.deliveries import CAMPAIGN_TRANSITIONS, DELIVERY_TRANSITIONS
from mailer.doctor.diagnosis import describe_findings as describe_findings  # for docs/doctor.md
from mailer.feedback.simulator.returned_mails import SimulatedRecipient
from mailer.providers.provider_table import Level, Provider, Source, load_providers
from mailer.reasons.reason import USUAL_FAULTS, Reason
from mailer.settings import FeedbackSettings, Settings

_WIDTH = 100
_CONTRACTS = Path(__file__).resolve().parent.parent / ".importlinter"


def walk_commands(
    command: click.Command = mailer, name: str = "mailer"
) -> Iterator[tuple[str, click.Command]]:
    """Yield ``command`` and every command below it with its full name; groups before their members."""
    yield name, command
    if isinstance(command, click.Group):
        for word, member in command.commands.items():
            yield from walk_commands(member, f"{name} {word}")


def describe_commands() -> str:
    """Return Markdown: a section per command, with its help as shown in a terminal."""
    sections = []
    for name, command in walk_commands():
        # Parent groups affect the help of a command only through its name.
        context = click.Context(command, info_name=name, terminal_width=_WIDTH, max_content_width=_WIDTH)
        context.help_option_names = ["-h", "--help"]
        sections.append(f"## {name}\n\n```text\n{command.get_help(context).rstrip()}\n```")
    return "\n\n".join(sections)


def describe_layers() -> str:
    """Return Markdown: the layers of the distribution and those of ``mailer``, the highest first."""
    contracts = configparser.ConfigParser()
    contracts.read(_CONTRACTS, encoding="utf-8")
    shown = (contracts[f"importlinter:contract:{name}"] for name in ("house", "rooms"))
    return "\n\n".join(f"“{contract['name']}”:\n\n```text{contract['layers']}\n```" for contract in shown)


def describe_campaigns() -> str:
    """Return Markdown: the states of a campaign, what each means, and the possible transitions."""
    return _describe_states(CampaignState, CAMPAIGN_TRANSITIONS)


def describe_deliveries() -> str:
    """Return Markdown: the states of a delivery, what each means, and the possible transitions."""
    return _describe_states(DeliveryState, DELIVERY_TRANSITIONS)


def describe_reasons() -> str:
    """Return Markdown: every reason for which a message comes back, what it means, and what happens then."""
    meanings = read_meanings(Reason)
    rows = [
        f"| `{reason}` | {meanings[reason.name]} | {USUAL_FAULTS[reason].label} | "
        f"{_describe_consequence(reason)} |"
        for reason in Reason
    ]
    head = ["| reason | what it means | whose fault, usually | what happens |", "|---|---|---|---|"]
    return "\n".join([*head, *rows])


def describe_providers() -> str:
    """Return Markdown: every known provider, what it accepts and what it asks for, with the sources."""
    table = load_providers().by_key.values()
    rows = ["| key | provider | at most | requires | recommends |", "|---|---|---|---|---|"]
    rows += [_describe_provider(provider) for provider in table]
    notes = [
        f"- {provider.name}: {limit.note} ([source]({limit.source.url}), {limit.source.date})"
        for provider in table
        for limit in provider.limits
        if limit.note
    ]
    return "\n".join([*rows, "", "Where the numbers are from:", "", *notes])


def _describe_provider(provider: Provider) -> str:
    name = f"[{provider.name}]({provider.postmaster})" if provider.postmaster else provider.name
    limits = ", ".join(f"{limit.messages:,} a {limit.per}" for limit in provider.limits) or "–"
    return f"| `{provider.key}` | {name} | {limits} | {_list_asks(provider, Level.required)} | " + (
        f"{_list_asks(provider, Level.recommended)} |"
    )


def _list_asks(provider: Provider, level: Level) -> str:
    """What it asks for on this level, each group with its source and date."""
    groups: dict[Source, list[str]] = {}
    for ask in provider.asks:
        if ask.level is level:
            groups.setdefault(ask.source, []).append(ask.requirement.label)
    return (
        "; ".join(f"{', '.join(labels)} ([{source.date}]({source.url}))" for source, labels in groups.items())
        or "–"
    )


def describe_simulated_readers() -> str:
    """Return Markdown: the addresses of the simulator, and what each does with a mail."""
    meanings = read_meanings(SimulatedRecipient)
    rows = [f"| `{reader.address}` | {meanings[reader.name]} |" for reader in SimulatedRecipient]
    return "\n".join(["| address | what happens |", "|---|---|", *rows])


def _describe_consequence(reason: Reason) -> str:
    fields = FeedbackSettings.model_fields
    number, days = fields["soft_bounces"].default, fields["soft_bounce_days"].default
    if reason is Reason.complaint:
        return "The reader gets no more mail, and comes back only by their own choice."
    if reason.is_dead:
        return "The reader is marked as bounced at once, and the address gets no more mail."
    if reason.may_die:
        return (
            f"Nothing at first. After {number} such bounces over at least {days} days, with nothing that "
            "arrived in between, as for a dead address (`soft_bounces`, `soft_bounce_days`)."
        )
    if reason.concerns_us:
        return "An alarm for your team: it is about you, not about the reader, who stays on the list."
    return "It is recorded. The reader stays on the list."


def _describe_states(states: type[StrEnum], moves: Mapping[Any, frozenset[Any]]) -> str:
    meanings = read_meanings(states)
    rows = [
        f"| `{state}` | {meanings[state.name]} | "
        + (", ".join(f"`{target}`" for target in states if target in moves[state]) or "nothing")
        + " |"
        for state in states
    ]
    return "\n".join(["| state | what it means | may become |", "|---|---|---|", *rows])


def read_meanings(states: type[StrEnum]) -> dict[str, str]:
    """Return the docstring below each member of an enum, which Python does not keep."""
    (body,) = (
        node.body for node in ast.parse(inspect.getsource(states)).body if isinstance(node, ast.ClassDef)
    )
    return {
        ast.unparse(member.targets[0]): " ".join(str(sentence.value.value).replace("``", "`").split())
        for member, sentence in pairwise(body)
        if isinstance(member, ast.Assign)
        and isinstance(sentence, ast.Expr)
        and isinstance(sentence.value, ast.Constant)
    }


def describe_settings() -> str:
    """Return Markdown: a section per table of ``mailer.toml``, including nested ones, with a row per key."""
    return "\n\n".join(
        _describe_table(heading, table)
        for name, field in Settings.model_fields.items()
        if (section := _model(field.annotation)) is not None
        for heading, table in _walk_tables(f"[{name}]", section)
    )


def _walk_tables(heading: str, model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield the table ``heading`` and those inside it as in TOML: ``[a.b]``, and ``[[a.b]]`` for a list.

    Tables inside a list are the same as those of its parent, and are not listed twice.
    """
    yield heading, model
    if heading.startswith("[["):
        return
    for key, field in model.model_fields.items():
        if (inner := _model(field.annotation)) is not None:
            name = f"{heading.strip('[]')}.{key}"
            yield from _walk_tables(f"[[{name}]]" if _is_list(field.annotation) else f"[{name}]", inner)


def _describe_table(heading: str, model: type[BaseModel]) -> str:
    rows = [_describe_key(heading, key, field) for key, field in model.model_fields.items()]
    return "\n".join(
        [
            f"## {heading}",
            "",
            " ".join((model.__doc__ or "").replace("``", "`").split()),
            "",
            "| key | value | default | what it does | environment |",
            "|---|---|---|---|---|",
            *rows,
        ]
    )


def _describe_key(heading: str, key: str, field: FieldInfo) -> str:
    section = heading.strip("[]")
    # Environment variables can only set single values of top-level tables.
    has_variable = "." not in section and not _is_list(field.annotation) and not _model(field.annotation)
    variable = f"`MAILER_{section}__{key}`".upper() if has_variable else "–"
    cells = (f"`{key}`", _kind(field.annotation), _default(field), field.description or "", variable)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _parts(annotation: Any) -> tuple[Any, ...]:
    """Return the parts of ``annotation``: the members of a union, the item of a list, or itself."""
    if get_origin(annotation) in {Union, types.UnionType}:
        return tuple(part for part in get_args(annotation) if part is not type(None))
    return get_args(annotation)[:1] if _is_list(annotation) else (annotation,)


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) is tuple


def _model(annotation: Any) -> type[BaseModel] | None:
    """Return the model that ``annotation`` accepts, alone or in a list; None if there is none."""
    models = [part for part in _parts(annotation) if isinstance(part, type) and issubclass(part, BaseModel)]
    return models[0] if models else None


def _kind(annotation: Any) -> str:
    """Describe the kind of value a key takes."""
    if _model(annotation) is not None:
        return "tables" if _is_list(annotation) else "table"
    if _is_list(annotation):
        return f"list of {_kind(get_args(annotation)[0])}"
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(annotation))
    if get_origin(annotation) in {Union, types.UnionType}:
        return " or ".join(_kind(part) for part in _parts(annotation))
    words = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false", "Path": "path"}
    return words.get(getattr(annotation, "__name__", ""), getattr(annotation, "__name__", str(annotation)))


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined and field.default_factory is None:
        return "**required**"
    value = field.get_default(call_default_factory=True)
    if value is None or value in ("", ()) or isinstance(value, BaseModel):
        return "none"
    if isinstance(value, bool):
        return f"`{value}`".lower()
    return f"`{list(value)}`".replace("'", '"') if isinstance(value, tuple) else f"`{value}`"


def list_files() -> dict[str, str]:
    """Return every fully generated file of docs/, by its path from the root."""
    checks = {f"docs/checks/{name}": page for name, page in list_pages().items()}
    return checks | {f"docs/{name}": text for name, text in list_schemas(read_meanings).items()}

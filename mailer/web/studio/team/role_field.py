"""The field of a form that chooses a role."""

from mailer.database.team_models import Role
from mailer.i18n import Translator
from mailer.team.members import ROLE_HINTS, ROLE_NAMES
from mailer.web.forms import Form


def list_role_choices(translator: Translator) -> list[tuple[str, str, str]]:
    """The roles as triples of value, name and what a member of it may do."""
    translate = translator.translate
    return [(role.value, translate(ROLE_NAMES[role]), translate(ROLE_HINTS[role])) for role in Role]


def read_role(form: Form) -> Role | None:
    """The role that was chosen; None if none was."""
    chosen = form.get("role")
    return Role(chosen) if chosen in list(Role) else None

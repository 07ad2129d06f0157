"""What can go wrong in the mailer, as data. A class's docstring is its message where none is given."""

from pathlib import Path


class MailerError(Exception):
    """The mailer could not do what was asked."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or "").strip().splitlines()[0])


class ConfigurationError(Exception):
    """The workspace is not set up as it must be.

    Deliberately outside :class:`MailerError`, so that nothing which tolerates a failed message can swallow
    a wrong setting.
    """


class WorkspaceNotFoundError(ConfigurationError):
    """There is no workspace here."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            f"{path}: no mailer.toml here, so this is no workspace. "
            f"Make one with `mailer init {path}`, or name another with -C DIR or MAILER_HOME."
        )


class StaleSchemaError(ConfigurationError):
    """The database is older or newer than this program."""


class TemplateError(MailerError):
    """A template or its output is wrong; the message names the template and the line."""


class MjmlError(TemplateError):
    """A template's MJML is not well-formed, or asks for what the renderer does not do well."""


class BuildError(MailerError):
    """One message could not be built; the message says why."""

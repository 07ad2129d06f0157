"""The exceptions of the mailer. The docstring of a class is its default message."""

from pathlib import Path

from locales.phrase import fill_in


class MailerError(Exception):
    """The mailer could not complete the operation."""

    def __init__(self, message: str | None = None, /, **values: object) -> None:
        words = message or (self.__doc__ or "").strip().splitlines()[0]
        super().__init__(fill_in(words, values))


class ConfigurationError(Exception):
    """The workspace is not set up correctly.

    Deliberately not a :class:`MailerError`, so that code which tolerates a failed message cannot hide a wrong
    setting.
    """


class WorkspaceNotFoundError(ConfigurationError):
    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            f"{path} is not a workspace: it has no mailer.toml. Create one with `mailer init {path}`, or "
            "choose another folder with -C DIR or MAILER_HOME."
        )


class StaleSchemaError(ConfigurationError):
    """The database has an older or newer schema than this program."""


class TemplateError(MailerError):
    """A template or its output is wrong; the message names the template and the line."""


class MjmlError(TemplateError):
    """A template's MJML is not well-formed, or uses something the renderer does not support."""


class BuildError(MailerError):
    """A message could not be built; the error's text says why."""

"""Build messages in the conventional way, one reader at a time: Jinja2, MJML, premailer, the email
package."""

from email.message import EmailMessage

from jinja2 import Environment
from mjml import mjml2html
from premailer import Premailer

from mailer.rendering.compiled_edition import CompiledEdition
from mailer.rendering.mail_merge import Reader


class ConventionalMailer:
    """Makes messages from the MJML of the sample, whose holes are the variables of a template here."""

    def __init__(self, compiled: CompiledEdition, mjml: str, css: str) -> None:
        environment = Environment(variable_start_string="@@", variable_end_string="@@", autoescape=True)
        sheet = f"<mj-head><mj-raw><style>{css}</style></mj-raw>"
        self.compiled = compiled
        self._html = environment.from_string(mjml.replace("<mj-head>", sheet, 1))
        self._text = environment.from_string(compiled.assemble(compiled.full_variant).text)

    def build(self, reader: Reader) -> bytes:
        compiled = self.compiled
        values = {
            "greeting": compiled.greeting.format(name=reader.name),
            "unsubscribe_url": reader.unsubscribe_url,
            "preferences_url": reader.preferences_url,
            "archive_url": reader.archive_url(compiled.slug, compiled.language, compiled.digest),
            "stories": "",
            "number": "",
        }
        html = mjml2html(self._html.render(values), fonts={})
        message = EmailMessage()
        message["Subject"] = compiled.subject
        message["To"] = reader.envelope
        message.set_content(self._text.render(values))
        message.add_alternative(Premailer(html, allow_network=False).transform(), subtype="html")
        return message.as_bytes()

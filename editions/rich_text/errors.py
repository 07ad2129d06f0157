"""Why a document does not become Markdown."""


class UnwritableError(Exception):
    """Markdown cannot say what the document shows. The message says what and what to do, for the writer.

    ``block`` is the place of the block among the document's own, from zero; None if it is about all of them.
    """

    def __init__(self, message: str, *, block: int | None = None) -> None:
        super().__init__(message)
        self.block = block


class DocumentSchemaError(Exception):
    """This is no document of the editor: another program made it, or somebody who means harm."""

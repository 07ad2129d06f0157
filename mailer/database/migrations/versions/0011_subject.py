"""The subject of each campaign, so that a list of campaigns need not read their content."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0011_subject"
down_revision = "0010_approval"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Both databases add a column with a constant default without copying the table.
    op.add_column("campaign", sa.Column("subject", sa.String(), nullable=False, server_default=""))
    _read_subjects(op.get_bind())


def _read_subjects(connection: sa.Connection) -> None:
    """Take the subject of earlier campaigns from their content in the edition's own language."""
    campaigns = connection.execute(sa.text("SELECT id, language FROM campaign")).all()
    # One after the other, because a content may have some hundred kilobytes.
    for number, language in campaigns:
        content = sa.text(
            "SELECT body FROM campaign_content WHERE campaign_id = :id AND language = :language"
        )
        body = connection.execute(content, {"id": number, "language": language}).scalar()
        if subject := _find_subject(body):
            change = sa.text("UPDATE campaign SET subject = :subject WHERE id = :id")
            connection.execute(change, {"subject": subject, "id": number})


def _find_subject(body: bytes | None) -> str:
    try:
        found = json.loads(bytes(body or b"{}")).get("subject", "")
    except (ValueError, AttributeError):
        return ""
    return found if isinstance(found, str) else ""

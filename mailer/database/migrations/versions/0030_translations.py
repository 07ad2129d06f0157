"""Which text a translation was made from."""

import sqlalchemy as sa
from alembic import op

revision = "0030_translations"
down_revision = "0029_comments"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "translation_base",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("edition", sa.String(200), nullable=False),
        sa.Column("story", sa.String(200), nullable=False),
        sa.Column("language", sa.String(35), nullable=False),
        sa.Column("digest", sa.String(12), nullable=False),
        sa.Column("text", sa.LargeBinary(), nullable=False),
        sa.Column("same_texts", sa.LargeBinary(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_translation_base")),
        sa.UniqueConstraint(
            "edition", "story", "language", name=op.f("uq_translation_base_edition_story_language")
        ),
    )

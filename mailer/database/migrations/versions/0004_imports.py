"""Imports that can be named and taken back, and tables that a million rows go into quickly."""

import sqlalchemy as sa
from alembic import op

revision = "0004_imports"
down_revision = "0003_tickets"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "import_batch",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(300), nullable=False),
        sa.Column("form", sa.String(300), nullable=False),
        sa.Column("basis", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("added", sa.Integer(), nullable=False),
        sa.Column("updated", sa.Integer(), nullable=False),
        sa.Column("unchanged", sa.Integer(), nullable=False),
        sa.Column("suppressed", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.Column("rolled_back_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_batch")),
    )
    op.create_table(
        "import_change",
        sa.Column("import_id", sa.Integer(), nullable=False),
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column("before", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["import_id"], ["import_batch.id"], name=op.f("fk_import_change_import_id_import_batch")
        ),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscriber.id"],
            name=op.f("fk_import_change_subscriber_id_subscriber"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("import_id", "subscriber_id", name=op.f("pk_import_change")),
    )
    op.create_index(op.f("ix_import_change_subscriber_id"), "import_change", ["subscriber_id"], unique=False)
    with op.batch_alter_table("consent_record") as table:
        table.add_column(sa.Column("import_id", sa.Integer(), nullable=True))
        table.create_foreign_key(
            op.f("fk_consent_record_import_id_import_batch"), "import_batch", ["import_id"], ["id"]
        )
    with op.batch_alter_table("subscriber") as table:
        table.drop_constraint(op.f("uq_subscriber_email"), type_="unique")
    op.create_index("uq_subscriber_email", "subscriber", ["email"], unique=True)
    if op.get_bind().dialect.name == "sqlite":
        # Only SQLite has rows that are numbered beside their key; the tables are copied without.
        for name in ("subscriber_sector", "subscriber_tag"):
            with op.batch_alter_table(name, recreate="always", table_kwargs={"sqlite_with_rowid": False}):
                pass

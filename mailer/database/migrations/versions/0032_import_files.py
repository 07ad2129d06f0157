"""Files of subscribers that wait to be imported."""

import sqlalchemy as sa
from alembic import op

revision = "0032_import_files"
down_revision = "0031_partners"
branch_labels = None
depends_on = None

# Written out, not imported: a step of the history must not change when the program does.
_STATES = ("checking", "checked", "importing", "imported", "discarded")
_HITCHES = ("changed", "interrupted", "failed")


def _is_one_of(column: str, values: tuple[str, ...]) -> sa.CheckConstraint:
    condition = " OR ".join(f"{column} = '{value}'" for value in values)
    return sa.CheckConstraint(condition, name=op.f(f"ck_import_file_{column}"))


def _refer_to(column: str, table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{table}.id"], name=op.f(f"fk_import_file_{column}_{table}"))


def upgrade() -> None:
    op.create_table(
        "import_file",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(300), nullable=False),
        sa.Column("stored_as", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=False),
        sa.Column("asked_by", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("hitch", sa.String(32), nullable=True),
        sa.Column("choices", sa.Text(), nullable=False),
        sa.Column("result", sa.LargeBinary(), nullable=True),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("uploaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("import_id", sa.Integer(), nullable=True),
        _is_one_of("state", _STATES),
        _is_one_of("hitch", _HITCHES),
        _refer_to("member_id", "team_member"),
        _refer_to("asked_by", "team_member"),
        _refer_to("import_id", "import_batch"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_file")),
    )
    op.create_index(op.f("ix_import_file_state"), "import_file", ["state"])
    op.create_index(op.f("ix_import_file_import_id"), "import_file", ["import_id"])

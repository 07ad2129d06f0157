"""The team that uses Studio, and where its members are signed in."""

import sqlalchemy as sa
from alembic import op

revision = "0025_team"
down_revision = "0024_reconfirmation"
branch_labels = None
depends_on = None

# Written out, not imported: a step of the history must not change when the program does.
_ROLES = ("guest", "author", "approver", "manager")
_METHODS = ("link", "password", "passkey", "organisation")


def _is_one_of(table: str, column: str, values: tuple[str, ...]) -> sa.CheckConstraint:
    condition = " OR ".join(f"{column} = '{value}'" for value in values)
    return sa.CheckConstraint(condition, name=op.f(f"ck_{table}_{column}"))


def upgrade() -> None:
    op.create_table(
        "team_member",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("email", sa.String(320), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("role", sa.String(32), nullable=False),
        sa.Column("language", sa.String(35), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        _is_one_of("team_member", "role", _ROLES),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_team_member")),
        sa.UniqueConstraint("email", name=op.f("uq_team_member_email")),
    )
    op.create_table(
        "team_session",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=False),
        sa.Column("method", sa.String(32), nullable=False),
        sa.Column("browser", sa.String(300), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        _is_one_of("team_session", "method", _METHODS),
        sa.ForeignKeyConstraint(
            ["member_id"],
            ["team_member.id"],
            ondelete="CASCADE",
            name=op.f("fk_team_session_member_id_team_member"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_team_session")),
        sa.UniqueConstraint("digest", name=op.f("uq_team_session_digest")),
    )
    op.create_index(op.f("ix_team_session_member_id"), "team_session", ["member_id"])

"""What a campaign is planned to be, before it is launched."""

import sqlalchemy as sa
from alembic import op

revision = "0034_campaign_drafts"
down_revision = "0033_counts"
branch_labels = None
depends_on = None


def _make_key(table: str, column: str, target: str, ondelete: str | None) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{target}.id"], ondelete=ondelete, name=op.f(f"fk_{table}_{column}_{target}")
    )


def upgrade() -> None:
    _create_preparations()
    _create_seen_variants()


def _create_preparations() -> None:
    table = "campaign_preparation"
    op.create_table(
        table,
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("segment", sa.String(), nullable=True),
        sa.Column("again", sa.Boolean(), nullable=False),
        sa.Column("count_clicks", sa.Boolean(), nullable=True),
        sa.Column("start_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("start_zone", sa.String(64), nullable=False),
        sa.Column("canary", sa.Integer(), nullable=True),
        sa.Column("canary_minutes", sa.Float(), nullable=True),
        sa.Column("archived", sa.Boolean(), nullable=True),
        sa.Column("in_doubt_policy", sa.String(32), nullable=True),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("prepared_by", sa.Integer(), nullable=True),
        sa.Column("prepared_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.Integer(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("canary IS NULL OR canary >= 0", name=op.f(f"ck_{table}_canary")),
        sa.CheckConstraint(
            "canary_minutes IS NULL OR canary_minutes > 0", name=op.f(f"ck_{table}_canary_minutes")
        ),
        # NULL passes a CHECK, so where the settings decide nothing more need be said.
        sa.CheckConstraint(
            "in_doubt_policy = 'hold' OR in_doubt_policy = 'resend'", name=op.f(f"ck_{table}_in_doubt_policy")
        ),
        _make_key(table, "campaign_id", "campaign", "CASCADE"),
        _make_key(table, "prepared_by", "team_member", None),
        _make_key(table, "changed_by", "team_member", None),
        sa.PrimaryKeyConstraint("campaign_id", name=op.f(f"pk_{table}")),
    )
    op.create_index(op.f(f"ix_{table}_start_at"), table, ["start_at"])


def _create_seen_variants() -> None:
    table = "seen_variant"
    op.create_table(
        table,
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        _make_key(table, "campaign_id", "campaign", "CASCADE"),
        _make_key(table, "member_id", "team_member", "CASCADE"),
        sa.PrimaryKeyConstraint("campaign_id", "member_id", "digest", name=op.f(f"pk_{table}")),
    )
    op.create_index(op.f(f"ix_{table}_member_id"), table, ["member_id"])

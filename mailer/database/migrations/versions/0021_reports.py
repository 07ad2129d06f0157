"""The figures of campaigns that cost too much to count for every look, and reports to be mailed."""

import sqlalchemy as sa
from alembic import op

revision = "0021_reports"
down_revision = "0020_clicks"
branch_labels = None
depends_on = None

# Written out, not imported: a step of the history must not change when the program does.
_PARTS = (
    *("ledger", "reasons", "in_doubt", "breakdown", "hand_over", "departures", "lost_organisations"),
    *("clicks", "months", "warnings", "mailed"),
)


def upgrade() -> None:
    _create_parts()
    _create_mails()


def _create_parts() -> None:
    table = "campaign_report"
    # Comparisons, for SQLite: see step 0008.
    is_part = " OR ".join(f"part = '{part}'" for part in _PARTS)
    op.create_table(
        table,
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=True),
        sa.Column("part", sa.String(32), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("fingerprint", sa.String(200), nullable=False),
        sa.Column("cost", sa.Float(), nullable=False),
        sa.CheckConstraint(is_part, name=op.f("ck_campaign_report_part")),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["campaign.id"],
            name=op.f("fk_campaign_report_campaign_id_campaign"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign_report")),
    )
    for name, columns, condition in (
        ("uq_campaign_report_part", ["campaign_id", "part"], "campaign_id IS NOT NULL"),
        ("uq_campaign_report_list_part", ["part"], "campaign_id IS NULL"),
    ):
        where = sa.text(condition)
        op.create_index(name, table, columns, unique=True, sqlite_where=where, postgresql_where=where)


def _create_mails() -> None:
    op.create_table(
        "report_mail",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(320), nullable=False),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(1000), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["campaign.id"],
            name=op.f("fk_report_mail_campaign_id_campaign"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_mail")),
    )
    op.create_index(op.f("ix_report_mail_campaign_id"), "report_mail", ["campaign_id"], unique=False)
    op.create_index(op.f("ix_report_mail_not_before"), "report_mail", ["not_before"], unique=False)

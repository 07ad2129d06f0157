"""Sending fast and from many machines: partial indexes, shared lanes, schedules and canaries."""

import sqlalchemy as sa
from alembic import op

revision = "0002_dispatch"
down_revision = "0001_first"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("campaign") as campaign:
        campaign.drop_column("next_slot_at")
        campaign.add_column(sa.Column("again", sa.Boolean(), nullable=False, server_default=sa.false()))
        campaign.add_column(sa.Column("scheduled_at", sa.DateTime(timezone=True), nullable=True))
        campaign.add_column(sa.Column("canary", sa.Integer(), nullable=True))
        campaign.add_column(sa.Column("canary_minutes", sa.Float(), nullable=True))
        campaign.add_column(sa.Column("canary_until", sa.DateTime(timezone=True), nullable=True))
    with op.batch_alter_table("dispatcher") as dispatcher:
        dispatcher.add_column(sa.Column("notice", sa.String(), nullable=False, server_default=""))
    op.create_table(
        "lane",
        sa.Column("name", sa.String(300), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("day", sa.Date(), nullable=True),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lane")),
    )
    op.drop_index(op.f("ix_delivery_campaign_id_state_attempts_id"), "delivery")
    op.drop_index(op.f("ix_delivery_campaign_id_not_before"), "delivery")
    _create_partial_index("queued", "state = 'queued'", ["campaign_id", "attempts", "id"])
    _create_partial_index("deferred", "state = 'deferred'", ["campaign_id", "not_before"])
    _create_partial_index("in_hand", "owner IS NOT NULL", ["campaign_id"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE delivery SET (fillfactor = 70)")


def _create_partial_index(name: str, condition: str, columns: list[str]) -> None:
    where = sa.text(condition)
    op.create_index(f"ix_delivery_{name}", "delivery", columns, sqlite_where=where, postgresql_where=where)

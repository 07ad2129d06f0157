"""The links of a campaign, and how often they were opened."""

import sqlalchemy as sa
from alembic import op

revision = "0020_clicks"
down_revision = "0019_trial"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("campaign") as campaign:
        campaign.add_column(
            sa.Column("counts_clicks", sa.Boolean(), nullable=False, server_default=sa.false())
        )
        campaign.add_column(sa.Column("click_sectors", sa.String(), nullable=False, server_default=""))
    op.create_table(
        "campaign_link",
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("story", sa.String(100), nullable=False),
        sa.Column("label", sa.String(300), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaign.id"], name=op.f("fk_campaign_link_campaign_id_campaign")
        ),
        sa.PrimaryKeyConstraint("campaign_id", "number", name=op.f("pk_campaign_link")),
    )
    op.create_table(
        "click",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("link_number", sa.Integer(), nullable=False),
        sa.Column("country", sa.String(2), nullable=False),
        sa.Column("sectors", sa.String(1000), nullable=False),
        sa.Column("subscriber_id", sa.Integer(), nullable=True),
        sa.Column("clicked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("visitor", sa.LargeBinary(16), nullable=False),
        sa.Column("signs", sa.String(200), nullable=False),
        sa.Column("clicker", sa.String(32), nullable=True),
        sa.CheckConstraint("clicker = 'person' OR clicker = 'scanner'", name=op.f("ck_click_clicker")),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_click_campaign_id_campaign")),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscriber.id"],
            name=op.f("fk_click_subscriber_id_subscriber"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_click")),
    )
    op.create_index(op.f("ix_click_campaign_id_visitor"), "click", ["campaign_id", "visitor"], unique=False)
    op.create_index(op.f("ix_click_clicked_at"), "click", ["clicked_at"], unique=False)
    op.create_index(op.f("ix_click_subscriber_id"), "click", ["subscriber_id"], unique=False)
    op.create_table(
        "click_count",
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("link_number", sa.Integer(), nullable=False),
        sa.Column("country", sa.String(2), nullable=False),
        sa.Column("sectors", sa.String(1000), nullable=False),
        sa.Column("clicker", sa.String(32), nullable=False),
        sa.Column("clicks", sa.Integer(), nullable=False),
        sa.CheckConstraint("clicks > 0", name=op.f("ck_click_count_clicks_positive")),
        sa.CheckConstraint("clicker = 'person' OR clicker = 'scanner'", name=op.f("ck_click_count_clicker")),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaign.id"], name=op.f("fk_click_count_campaign_id_campaign")
        ),
        sa.PrimaryKeyConstraint(
            "campaign_id", "link_number", "country", "sectors", "clicker", name=op.f("pk_click_count")
        ),
    )
    op.create_table(
        "click_key",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("key", sa.LargeBinary(32), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_click_key")),
    )
    op.create_table(
        "reader_click",
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column("link_number", sa.Integer(), nullable=False),
        sa.Column("clicked_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaign.id"], name=op.f("fk_reader_click_campaign_id_campaign")
        ),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscriber.id"],
            name=op.f("fk_reader_click_subscriber_id_subscriber"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("campaign_id", "subscriber_id", "link_number", name=op.f("pk_reader_click")),
    )
    op.create_index(op.f("ix_reader_click_subscriber_id"), "reader_click", ["subscriber_id"], unique=False)
    # Nobody has agreed to anything yet.
    op.add_column(
        "subscriber", sa.Column("click_consent", sa.Boolean(), nullable=False, server_default=sa.false())
    )

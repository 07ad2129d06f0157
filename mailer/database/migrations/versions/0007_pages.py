"""The pages: countries somebody follows, letters to be mailed, limits for strangers, an archive by choice."""

import sqlalchemy as sa
from alembic import op

revision = "0007_pages"
down_revision = "0006_consent"
branch_labels = None
depends_on = None

# Written out, not imported: a step of the history must not change when the program does.
_KINDS = "'confirm', 'already', 'link', 'export', 'erase', 'address', 'new_address'"


def upgrade() -> None:
    _create_followed_countries()
    _create_letters()
    op.create_table(
        "throttle",
        sa.Column("key", sa.String(100), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_throttle")),
    )
    op.create_index(op.f("ix_throttle_since"), "throttle", ["since"], unique=False)
    with op.batch_alter_table("campaign") as campaign:
        campaign.add_column(sa.Column("archived", sa.Boolean(), nullable=False, server_default=sa.false()))
    # Until now every edition that was sent could be read by anybody, at an address that is in every mail.
    op.execute(sa.text("UPDATE campaign SET archived = :yes").bindparams(yes=True))


def _create_followed_countries() -> None:
    op.create_table(
        "subscriber_country",
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column("country", sa.String(2), nullable=False),
        sa.CheckConstraint("length(country) = 2", name=op.f("ck_subscriber_country_country_alpha_2")),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscriber.id"],
            name=op.f("fk_subscriber_country_subscriber_id_subscriber"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("subscriber_id", "country", name=op.f("pk_subscriber_country")),
    )
    op.create_index(
        op.f("ix_subscriber_country_country_subscriber_id"),
        "subscriber_country",
        ["country", "subscriber_id"],
        unique=False,
    )


def _create_letters() -> None:
    op.create_table(
        "letter",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("email", sa.String(320), nullable=False),
        sa.Column("subscriber_id", sa.Integer(), nullable=True),
        sa.Column("detail", sa.String(320), nullable=False),
        sa.Column("token", sa.String(64), nullable=False),
        sa.Column("language", sa.String(35), nullable=False),
        sa.Column("wording", sa.String(), nullable=False),
        sa.Column("wording_version", sa.String(32), nullable=False),
        sa.Column("origin", sa.String(300), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.CheckConstraint(f"kind IN ({_KINDS})", name=op.f("ck_letter_kind")),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscriber.id"],
            name=op.f("fk_letter_subscriber_id_subscriber"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_letter")),
    )
    op.create_index(op.f("ix_letter_not_before"), "letter", ["not_before"], unique=False)

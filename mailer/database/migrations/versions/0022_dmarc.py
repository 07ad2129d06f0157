"""Who sends as us: the aggregate reports of DMARC."""

import sqlalchemy as sa
from alembic import op

revision = "0022_dmarc"
down_revision = "0021_reports"
branch_labels = None
depends_on = None

# Written out, not imported: a step of the history must not change when the program does.
_KINDS = ("bounce", "complaint", "auto-reply", "reply", "leave", "other", "dmarc")


def upgrade() -> None:
    _allow_kind()
    op.create_table(
        "dmarc_report",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("organisation", sa.String(255), nullable=False),
        sa.Column("report_id", sa.String(255), nullable=False),
        sa.Column("domain", sa.String(255), nullable=False),
        sa.Column("policy", sa.String(255), nullable=False),
        sa.Column("begins_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dmarc_report")),
        sa.UniqueConstraint(
            "organisation", "report_id", "domain", name=op.f("uq_dmarc_report_organisation_report_id_domain")
        ),
    )
    op.create_index(op.f("ix_dmarc_report_ends_at"), "dmarc_report", ["ends_at"], unique=False)
    op.create_table(
        "dmarc_source",
        sa.Column("report_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("source_ip", sa.String(45), nullable=False),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.Column("header_from", sa.String(255), nullable=False),
        sa.Column("dkim", sa.Boolean(), nullable=False),
        sa.Column("spf", sa.Boolean(), nullable=False),
        sa.Column("disposition", sa.String(255), nullable=False),
        sa.Column("override", sa.String(255), nullable=False),
        sa.Column("dkim_domains", sa.String(1000), nullable=False),
        sa.Column("spf_domain", sa.String(255), nullable=False),
        sa.ForeignKeyConstraint(
            ["report_id"],
            ["dmarc_report.id"],
            name=op.f("fk_dmarc_source_report_id_dmarc_report"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("report_id", "position", name=op.f("pk_dmarc_source")),
    )


def _allow_kind() -> None:
    """Allow the kind of these reports. On SQLite in the schema's own text, as an earlier step does."""
    connection = op.get_bind()
    name = op.f("ck_feedback_message_kind")
    if connection.dialect.name != "sqlite":
        op.drop_constraint(name, "feedback_message", type_="check")
        condition = " OR ".join(f"kind = '{kind}'" for kind in _KINDS)
        op.create_check_constraint(name, "feedback_message", sa.text(condition))
        return
    version = connection.execute(sa.text("PRAGMA schema_version")).scalar_one()
    connection.execute(sa.text("PRAGMA writable_schema=ON"))
    last = f"kind = '{_KINDS[-2]}'"
    changed = sa.text(
        "UPDATE sqlite_master SET sql = replace(sql, :last, :longer) "
        "WHERE type = 'table' AND name = 'feedback_message' AND sql LIKE '%' || :last || '%'"
    )
    values = {"last": last, "longer": f"{last} OR kind = '{_KINDS[-1]}'"}
    assert connection.execute(changed, values).rowcount == 1  # noqa: S101 - an older step made it
    connection.execute(sa.text(f"PRAGMA schema_version={int(version) + 1}"))
    connection.execute(sa.text("PRAGMA writable_schema=OFF"))

"""Consent: records that nobody changes, their declared basis, and links that are mailed and work once."""

import sqlalchemy as sa
from alembic import op

revision = "0006_consent"
down_revision = "0005_segments"
branch_labels = None
depends_on = None

# Written out, not imported: a step of the history must not change when the program does.
_PURPOSES = "'subscription', 'confirm', 'export', 'erase', 'address', 'new_address'"


_EVENTS = (
    "'imported', 'requested', 'subscribed', 'updated', 'paused', 'resumed', "
    "'unsubscribed', 'bounced', 'complained', 'suppressed', 'erased'"
)
# What an import wrote before there was a column for the declared basis, where nobody had declared one.
_UNDECLARED = "whoever imported the file vouches that everybody in it agreed to get the newsletter"


def upgrade() -> None:
    _allow_requests()
    with op.batch_alter_table("consent_record") as record:
        record.add_column(sa.Column("basis", sa.String(300), nullable=False, server_default=""))
    _move_declared_basis()
    _create_links()
    # After the last change of the table: SQLite changes one by copying it, and a copy has no triggers.
    if op.get_bind().dialect.name == "sqlite":
        _keep_records_on_sqlite()
    else:
        _keep_records_on_postgresql()


def _allow_requests() -> None:
    for table, column in (("consent_record", "event"), ("suppression", "reason")):
        with op.batch_alter_table(table) as batch:
            batch.drop_constraint(op.f(f"ck_{table}_{column}"), type_="check")
            batch.create_check_constraint(op.f(f"ck_{table}_{column}"), sa.text(f"{column} IN ({_EVENTS})"))


def _move_declared_basis() -> None:
    """``row 7; why they may be written to`` becomes ``row 7`` and its basis."""
    place = "instr(evidence, '; ')" if op.get_bind().dialect.name == "sqlite" else "strpos(evidence, '; ')"
    op.execute(
        sa.text(
            "UPDATE consent_record SET "  # noqa: S608 - no value of a person becomes part of it
            f"basis = CASE WHEN substr(evidence, {place} + 2) = :undeclared THEN '' "
            f"ELSE substr(evidence, {place} + 2, 300) END, "
            f"evidence = substr(evidence, 1, {place} - 1) "
            f"WHERE event = 'imported' AND {place} > 1"
        ).bindparams(undeclared=_UNDECLARED)
    )


def _create_links() -> None:
    op.create_table(
        "mailed_link",
        sa.Column("id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.String(32), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("detail", sa.String(320), nullable=False),
        sa.CheckConstraint(f"purpose IN ({_PURPOSES})", name=op.f("ck_mailed_link_purpose")),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscriber.id"],
            name=op.f("fk_mailed_link_subscriber_id_subscriber"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mailed_link")),
    )
    op.create_index(op.f("ix_mailed_link_expires_at"), "mailed_link", ["expires_at"], unique=False)
    op.create_index(
        op.f("ix_mailed_link_subscriber_id_purpose_issued_at"),
        "mailed_link",
        ["subscriber_id", "purpose", "issued_at"],
        unique=False,
    )


# A record may change in one way: its words are emptied after its subscriber was erased.
_EMPTIED = (
    "new.id = old.id AND new.subscriber_id = old.subscriber_id AND new.event = old.event "
    "AND new.at = old.at AND new.method = old.method AND new.wording_version = old.wording_version "
    "AND new.source = '' AND new.wording = '' AND new.language = '' AND new.evidence = '' AND new.basis = '' "
    "AND EXISTS (SELECT 1 FROM subscriber WHERE id = old.subscriber_id AND status = 'erased')"
)
# And it goes in one way: with its subscriber, whose row is gone by then.
_ORPHANED = "NOT EXISTS (SELECT 1 FROM subscriber WHERE id = old.subscriber_id)"
_REFUSAL = "consent records are only ever added to"


def _keep_records_on_sqlite() -> None:
    for verb, exception in (("UPDATE", _EMPTIED), ("DELETE", _ORPHANED)):
        op.execute(
            f"CREATE TRIGGER consent_record_{verb.lower()} BEFORE {verb} ON consent_record "
            f"WHEN NOT ({exception}) BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
        )


def _keep_records_on_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION consent_record_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF TG_OP = 'UPDATE' AND ({_EMPTIED}) THEN RETURN new; END IF; "
        f"IF TG_OP = 'DELETE' AND ({_ORPHANED}) THEN RETURN old; END IF; "
        f"RAISE EXCEPTION '{_REFUSAL}' USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    op.execute(
        "CREATE TRIGGER consent_record_kept BEFORE UPDATE OR DELETE ON consent_record "
        "FOR EACH ROW EXECUTE FUNCTION consent_record_is_kept()"
    )
    op.execute(
        "CREATE TRIGGER consent_record_not_truncated BEFORE TRUNCATE ON consent_record "
        "FOR EACH STATEMENT EXECUTE FUNCTION consent_record_is_kept()"
    )

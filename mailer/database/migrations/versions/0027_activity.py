"""Who did what, in Studio and on the command line."""

import sqlalchemy as sa
from alembic import op

revision = "0027_activity"
down_revision = "0026_sign_in"
branch_labels = None
depends_on = None

# Written out, not imported: a step of the history must not change when the program does.
_MASK = "<…>"
_TEXTS = ("name", "act", "edition", "subject", "detail")
# A record may change in one way: a text that quotes an erased person's address becomes the mask, whole.
_MASKED = " AND ".join(
    [
        "new.id = old.id AND new.at = old.at",
        "coalesce(new.member_id, 0) = coalesce(old.member_id, 0)",
        *(f"(new.{name} = old.{name} OR new.{name} = '{_MASK}')" for name in _TEXTS),
    ]
)
_REFUSAL = "records of who did what are only ever added to"


def upgrade() -> None:
    op.create_table(
        "activity_record",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("act", sa.String(64), nullable=False),
        sa.Column("edition", sa.String(200), nullable=False),
        sa.Column("subject", sa.String(400), nullable=False),
        sa.Column("detail", sa.String(1000), nullable=False),
        sa.ForeignKeyConstraint(
            ["member_id"], ["team_member.id"], name=op.f("fk_activity_record_member_id_team_member")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activity_record")),
    )
    for column in ("member_id", "edition", "at"):
        op.create_index(op.f(f"ix_activity_record_{column}"), "activity_record", [column])
    if op.get_bind().dialect.name == "sqlite":
        _keep_records_on_sqlite()
    else:
        _keep_records_on_postgresql()


def _keep_records_on_sqlite() -> None:
    for verb, condition in (("UPDATE", f" WHEN NOT ({_MASKED})"), ("DELETE", "")):
        op.execute(
            f"CREATE TRIGGER activity_record_{verb.lower()} BEFORE {verb} ON activity_record"
            f"{condition} BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
        )
    # INSERT OR REPLACE deletes without the trigger above, unless recursive triggers are on.
    op.execute(
        "CREATE TRIGGER activity_record_insert BEFORE INSERT ON activity_record "  # noqa: S608
        "WHEN EXISTS (SELECT 1 FROM activity_record WHERE id = new.id) "
        f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
    )


def _keep_records_on_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION activity_record_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF TG_OP = 'UPDATE' AND ({_MASKED}) THEN RETURN new; END IF; "
        f"RAISE EXCEPTION '{_REFUSAL}' USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    op.execute(
        "CREATE TRIGGER activity_record_kept BEFORE UPDATE OR DELETE ON activity_record "
        "FOR EACH ROW EXECUTE FUNCTION activity_record_is_kept()"
    )
    op.execute(
        "CREATE TRIGGER activity_record_not_truncated BEFORE TRUNCATE ON activity_record "
        "FOR EACH STATEMENT EXECUTE FUNCTION activity_record_is_kept()"
    )

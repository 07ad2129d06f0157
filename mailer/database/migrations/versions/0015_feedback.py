"""What comes back: messages, what each says of whom, replies to forward, and proposed successors."""

import sqlalchemy as sa
from alembic import op

revision = "0015_feedback"
down_revision = "0014_tests"
branch_labels = None
depends_on = None

# Written out, not imported: a step of the history must not change when the program does.
_KINDS = ("bounce", "complaint", "auto-reply", "reply", "leave", "other")
_REASONS = (
    *("no_such_user", "no_such_host", "has_moved", "does_not_accept", "unconfirmed"),
    *("full", "over_quota", "greylisted"),
    *("too_big", "content", "spam", "policy", "authentication", "blocked", "network", "suspended"),
    *("expired", "other", "complaint"),
)
_STATES = ("recorded", "held", "forwarding", "forwarded", "judged")
_EVIDENCE = ("token", "message_id", "address", "person", "refusal", "nothing")
_CONSEQUENCES = (
    *("recorded", "bounced", "complained", "unsubscribed", "alarm", "held", "unproven", "outdated", "gone"),
)
_SUCCESSOR_STATES = ("proposed", "accepted", "refused")


def upgrade() -> None:
    _create_messages()
    _create_events()
    _create_replies()
    _create_successors()


def _is_one_of(table: str, column: str, values: tuple[str, ...]) -> sa.CheckConstraint:
    # Comparisons, for SQLite: see step 0008.
    condition = " OR ".join(f"{column} = '{value}'" for value in values)
    return sa.CheckConstraint(condition, name=op.f(f"ck_{table}_{column}"))


def _create_index(table: str, name: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, unique=False, sqlite_where=where, postgresql_where=where)


def _create_messages() -> None:
    table = "feedback_message"
    op.create_table(
        table,
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.String(100), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("sender", sa.String(320), nullable=False),
        sa.Column("subject", sa.String(500), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=True),
        sa.Column("note", sa.String(500), nullable=False),
        sa.Column("judgement", sa.String(32), nullable=False),
        sa.Column("judged_by", sa.String(200), nullable=False),
        sa.Column("judged_at", sa.DateTime(timezone=True), nullable=True),
        _is_one_of(table, "kind", _KINDS),
        _is_one_of(table, "state", _STATES),
        sa.CheckConstraint(
            "state <> 'judged' OR judged_by <> ''", name=op.f("ck_feedback_message_judged_by_somebody")
        ),
        sa.CheckConstraint(
            "state <> 'forwarding' OR raw IS NOT NULL", name=op.f("ck_feedback_message_forwarding_has_raw")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedback_message")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_feedback_message_fingerprint")),
    )
    _create_index(table, "ix_feedback_message_held", ["id"], "state = 'held'")
    op.create_index(op.f("ix_feedback_message_received_at"), table, ["received_at"], unique=False)


def _create_events() -> None:
    table = "feedback_event"
    op.create_table(
        table,
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("subscriber_id", sa.Integer(), nullable=True),
        sa.Column("campaign_id", sa.Integer(), nullable=True),
        sa.Column("evidence", sa.String(32), nullable=False),
        sa.Column("address", sa.String(320), nullable=False),
        sa.Column("reason", sa.String(32), nullable=True),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("code", sa.String(32), nullable=False),
        sa.Column("words", sa.String(1000), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("consequence", sa.String(32), nullable=False),
        sa.Column("settled_doubt", sa.Boolean(), nullable=False),
        _is_one_of(table, "evidence", _EVIDENCE),
        _is_one_of(table, "reason", _REASONS),
        _is_one_of(table, "consequence", _CONSEQUENCES),
        sa.ForeignKeyConstraint(
            ["message_id"],
            ["feedback_message.id"],
            name=op.f("fk_feedback_event_message_id_feedback_message"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscriber.id"],
            name=op.f("fk_feedback_event_subscriber_id_subscriber"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["campaign.id"],
            name=op.f("fk_feedback_event_campaign_id_campaign"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedback_event")),
        sa.UniqueConstraint("message_id", "position", name=op.f("uq_feedback_event_message_id_position")),
    )
    of_somebody, of_a_campaign = "subscriber_id IS NOT NULL", "campaign_id IS NOT NULL"
    _create_index(table, "ix_feedback_event_subscriber_id", ["subscriber_id", "at"], of_somebody)
    _create_index(table, "ix_feedback_event_campaign_id", ["campaign_id", "reason"], of_a_campaign)
    _create_index(table, "ix_feedback_event_alarm", ["at"], "consequence = 'alarm'")


def _create_replies() -> None:
    op.create_table(
        "feedback_reply",
        sa.Column("message_id", sa.Integer(), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(1000), nullable=False),
        sa.ForeignKeyConstraint(
            ["message_id"],
            ["feedback_message.id"],
            name=op.f("fk_feedback_reply_message_id_feedback_message"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_feedback_reply")),
    )
    op.create_index(op.f("ix_feedback_reply_not_before"), "feedback_reply", ["not_before"], unique=False)


def _create_successors() -> None:
    table = "feedback_successor"
    op.create_table(
        table,
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.Integer(), nullable=True),
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column("email", sa.String(320), nullable=False),
        sa.Column("name", sa.String(300), nullable=False),
        sa.Column("words", sa.String(1000), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.String(200), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        _is_one_of(table, "state", _SUCCESSOR_STATES),
        sa.CheckConstraint(
            "state = 'proposed' OR decided_by <> ''", name=op.f("ck_feedback_successor_decided_by_somebody")
        ),
        sa.ForeignKeyConstraint(
            ["message_id"],
            ["feedback_message.id"],
            name=op.f("fk_feedback_successor_message_id_feedback_message"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscriber.id"],
            name=op.f("fk_feedback_successor_subscriber_id_subscriber"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedback_successor")),
        sa.UniqueConstraint("subscriber_id", "email", name=op.f("uq_feedback_successor_subscriber_id_email")),
    )
    _create_index(table, "ix_feedback_successor_proposed", ["id"], "state = 'proposed'")

"""The steps of an approval, and who answered."""

import sqlalchemy as sa
from alembic import op

revision = "0035_approval_steps"
down_revision = "0034_campaign_drafts"
branch_labels = None
depends_on = None

# Written out, not imported: a step of the history must not change when the program does.
_STATES = ("open", "approved", "changes_requested", "withdrawn", "replaced")
_VERDICTS = ("approved", "changes_requested")
_MAIL_KINDS = ("asked", "answered")


def _is_one_of(table: str, column: str, values: tuple[str, ...]) -> sa.CheckConstraint:
    condition = " OR ".join(f"{column} = '{value}'" for value in values)
    return sa.CheckConstraint(condition, name=op.f(f"ck_{table}_{column}"))


def _make_key(table: str, column: str, target: str, ondelete: str | None = None) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{target}.id"], ondelete=ondelete, name=op.f(f"fk_{table}_{column}_{target}")
    )


def upgrade() -> None:
    _create_rounds()
    _create_people()
    _create_comments()
    _create_mails()


def _create_rounds() -> None:
    op.create_table(
        "approval_round",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("edition", sa.String(100), nullable=False),
        sa.Column("segment", sa.String(), nullable=False),
        sa.Column("again", sa.Boolean(), nullable=False),
        sa.Column("counts_clicks", sa.Boolean(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("settings", sa.String(), nullable=False),
        sa.Column("steps", sa.String(), nullable=False),
        sa.Column("has_own_steps", sa.Boolean(), nullable=False),
        sa.Column("facts", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("asked_by", sa.String(200), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        _is_one_of("approval_round", "state", _STATES),
        _make_key("approval_round", "campaign_id", "campaign", "CASCADE"),
        _make_key("approval_round", "member_id", "team_member"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval_round")),
    )
    for column in ("campaign_id", "edition", "state", "digest"):
        op.create_index(op.f(f"ix_approval_round_{column}"), "approval_round", [column])
    op.create_table(
        "approval_content",
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("language", sa.String(35), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        _make_key("approval_content", "round_id", "approval_round", "CASCADE"),
        sa.PrimaryKeyConstraint("round_id", "language", name=op.f("pk_approval_content")),
    )


def _create_people() -> None:
    op.create_table(
        "approval_reviewer",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("email", sa.String(320), nullable=False),
        sa.Column("digest", sa.String(64), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        _make_key("approval_reviewer", "round_id", "approval_round", "CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval_reviewer")),
        sa.UniqueConstraint("digest", name=op.f("uq_approval_reviewer_digest")),
    )
    op.create_index(op.f("ix_approval_reviewer_round_id"), "approval_reviewer", ["round_id"])
    op.create_table(
        "approval_answer",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("person", sa.String(220), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=True),
        sa.Column("reviewer_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("verdict", sa.String(32), nullable=False),
        sa.Column("words", sa.String(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False),
        _is_one_of("approval_answer", "verdict", _VERDICTS),
        _make_key("approval_answer", "round_id", "approval_round", "CASCADE"),
        _make_key("approval_answer", "member_id", "team_member"),
        _make_key("approval_answer", "reviewer_id", "approval_reviewer"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval_answer")),
        sa.UniqueConstraint("round_id", "person", name=op.f("uq_approval_answer_round_id_person")),
    )


def _create_comments() -> None:
    op.create_table(
        "approval_comment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("answer_id", sa.Integer(), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("request", sa.String(64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        _make_key("approval_comment", "answer_id", "approval_answer", "CASCADE"),
        _make_key("approval_comment", "member_id", "team_member"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval_comment")),
        sa.UniqueConstraint("request", name=op.f("uq_approval_comment_request")),
    )
    op.create_index(op.f("ix_approval_comment_answer_id"), "approval_comment", ["answer_id"])


def _create_mails() -> None:
    op.create_table(
        "approval_mail",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=True),
        sa.Column("reviewer_id", sa.Integer(), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        _is_one_of("approval_mail", "kind", _MAIL_KINDS),
        _make_key("approval_mail", "round_id", "approval_round", "CASCADE"),
        _make_key("approval_mail", "member_id", "team_member"),
        _make_key("approval_mail", "reviewer_id", "approval_reviewer", "CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval_mail")),
    )
    op.create_index(op.f("ix_approval_mail_round_id"), "approval_mail", ["round_id"])
    op.create_index(op.f("ix_approval_mail_not_before"), "approval_mail", ["not_before"])

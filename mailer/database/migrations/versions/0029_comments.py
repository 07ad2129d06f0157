"""What the team says to each other about stories."""

import sqlalchemy as sa
from alembic import op

revision = "0029_comments"
down_revision = "0028_revisions"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "comment_thread",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("edition", sa.String(200), nullable=False),
        sa.Column("story", sa.String(200), nullable=False),
        sa.Column("title", sa.String(300), nullable=False),
        sa.Column("language", sa.String(35), nullable=False),
        sa.Column("quote", sa.String(1000), nullable=False),
        sa.Column("block_digest", sa.String(64), nullable=False),
        sa.Column("block", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_by", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["resolved_by"], ["team_member.id"], name=op.f("fk_comment_thread_resolved_by_team_member")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comment_thread")),
    )
    op.create_index(op.f("ix_comment_thread_edition_story"), "comment_thread", ["edition", "story"])
    op.create_index(op.f("ix_comment_thread_resolved_at"), "comment_thread", ["resolved_at"])
    op.create_table(
        "comment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("thread_id", sa.Integer(), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("request", sa.String(64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("edited_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["thread_id"],
            ["comment_thread.id"],
            ondelete="CASCADE",
            name=op.f("fk_comment_thread_id_comment_thread"),
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["team_member.id"], name=op.f("fk_comment_member_id_team_member")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comment")),
        sa.UniqueConstraint("request", name=op.f("uq_comment_request")),
    )
    op.create_index(op.f("ix_comment_thread_id"), "comment", ["thread_id"])
    op.create_index(op.f("ix_comment_member_id"), "comment", ["member_id"])
    _create_mentions()


def _create_mentions() -> None:
    op.create_table(
        "comment_mention",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("comment_id", sa.Integer(), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["comment_id"],
            ["comment.id"],
            ondelete="CASCADE",
            name=op.f("fk_comment_mention_comment_id_comment"),
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["team_member.id"], name=op.f("fk_comment_mention_member_id_team_member")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comment_mention")),
        sa.UniqueConstraint("comment_id", "member_id", name=op.f("uq_comment_mention_comment_id_member_id")),
    )
    op.create_index(op.f("ix_comment_mention_member_id"), "comment_mention", ["member_id"])
    op.create_table(
        "comment_mail",
        sa.Column("mention_id", sa.Integer(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["mention_id"],
            ["comment_mention.id"],
            ondelete="CASCADE",
            name=op.f("fk_comment_mail_mention_id_comment_mention"),
        ),
        sa.PrimaryKeyConstraint("mention_id", name=op.f("pk_comment_mail")),
    )
    op.create_index(op.f("ix_comment_mail_not_before"), "comment_mail", ["not_before"])

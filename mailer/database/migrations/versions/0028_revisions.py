"""The earlier texts of the files of editions, and who is editing them."""

import sqlalchemy as sa
from alembic import op

revision = "0028_revisions"
down_revision = "0027_activity"
branch_labels = None
depends_on = None

# Written out, not imported: a step of the history must not change when the program does.
_KINDS = (
    *("found", "written", "outside", "merged", "set-aside"),
    *("restored", "added", "removed", "moved", "imported"),
)
_REASONS = ("changed", "removed", "not-written")


def _is_one_of(table: str, column: str, values: tuple[str, ...]) -> sa.CheckConstraint:
    condition = " OR ".join(f"{column} = '{value}'" for value in values)
    return sa.CheckConstraint(condition, name=op.f(f"ck_{table}_{column}"))


def _place() -> tuple[sa.Column[str], ...]:
    """The columns that say which file of which edition."""
    return (
        sa.Column("edition", sa.String(200), nullable=False),
        sa.Column("story", sa.String(200), nullable=False),
        sa.Column("language", sa.String(35), nullable=False),
    )


def _member(
    table: str, *, nullable: bool = False, ondelete: str | None = None
) -> tuple[sa.Column[int], sa.ForeignKeyConstraint]:
    return (
        sa.Column("member_id", sa.Integer(), nullable=nullable),
        sa.ForeignKeyConstraint(
            ["member_id"],
            ["team_member.id"],
            ondelete=ondelete,
            name=op.f(f"fk_{table}_member_id_team_member"),
        ),
    )


def _index_place(table: str) -> None:
    op.create_index(op.f(f"ix_{table}_edition_story_language"), table, ["edition", "story", "language"])


def upgrade() -> None:
    op.create_table(
        "edition_revision",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("edition", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        *_member("edition_revision", nullable=True),
        sa.Column("sitting", sa.String(64), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        _is_one_of("edition_revision", "kind", _KINDS),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_edition_revision")),
    )
    op.create_index(op.f("ix_edition_revision_edition"), "edition_revision", ["edition"])
    op.create_table(
        "revision_text",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("edition", sa.String(200), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("text", sa.LargeBinary(), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revision_text")),
        sa.UniqueConstraint("edition", "digest", name=op.f("uq_revision_text_edition_digest")),
    )
    op.create_table(
        "revision_file",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("revision_id", sa.Integer(), nullable=False),
        *_place(),
        sa.Column("name", sa.String(300), nullable=False),
        sa.Column("text_id", sa.Integer(), nullable=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("words_added", sa.Integer(), nullable=False),
        sa.Column("words_removed", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["revision_id"],
            ["edition_revision.id"],
            ondelete="CASCADE",
            name=op.f("fk_revision_file_revision_id_edition_revision"),
        ),
        sa.ForeignKeyConstraint(
            ["text_id"], ["revision_text.id"], name=op.f("fk_revision_file_text_id_revision_text")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revision_file")),
    )
    _index_place("revision_file")
    op.create_index(op.f("ix_revision_file_revision_id"), "revision_file", ["revision_id"])
    op.create_index(op.f("ix_revision_file_text_id"), "revision_file", ["text_id"])
    op.create_table(
        "unsaved_text",
        sa.Column("id", sa.Integer(), nullable=False),
        *_place(),
        sa.Column("name", sa.String(300), nullable=False),
        *_member("unsaved_text"),
        sa.Column("sitting", sa.String(64), nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("detail", sa.String(300), nullable=False),
        sa.Column("base_digest", sa.String(64), nullable=False),
        sa.Column("base", sa.LargeBinary(), nullable=True),
        sa.Column("mine", sa.LargeBinary(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        _is_one_of("unsaved_text", "reason", _REASONS),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unsaved_text")),
    )
    _index_place("unsaved_text")
    op.create_index(op.f("ix_unsaved_text_member_id"), "unsaved_text", ["member_id"])
    op.create_table(
        "story_presence",
        sa.Column("sitting", sa.String(64), nullable=False),
        *_member("story_presence", ondelete="CASCADE"),
        *_place(),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("sitting", name=op.f("pk_story_presence")),
    )
    _index_place("story_presence")

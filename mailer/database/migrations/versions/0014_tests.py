"""The tests of editions, and the digest of a campaign's content, by which its tests are found."""

import sqlalchemy as sa
from alembic import op

revision = "0014_tests"
down_revision = "0013_correction"
branch_labels = None
depends_on = None

# Written out, not imported: a step of the history must not change when the program does.
_PURPOSES = ("subscription", "confirm", "export", "erase", "address", "new_address", "test")


def upgrade() -> None:
    op.create_table(
        "test_send",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("edition", sa.String(100), nullable=False),
        sa.Column("content_digest", sa.String(64), nullable=False),
        sa.Column("address", sa.String(320), nullable=False),
        sa.Column("sent_by", sa.String(200), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_test_send")),
    )
    op.create_index(
        op.f("ix_test_send_edition_content_digest"),
        "test_send",
        ["edition", "content_digest"],
        unique=False,
    )
    # Both databases add a column with a constant default without copying the table. Campaigns of before have
    # no digest and no tests.
    op.add_column("campaign", sa.Column("content_digest", sa.String(64), nullable=False, server_default=""))
    _allow_purpose_of_tests()


def _allow_purpose_of_tests() -> None:
    """Allow the purpose of a test's links, as that of a newsletter's, though no such link is mailed alone."""
    connection = op.get_bind()
    name = op.f("ck_mailed_link_purpose")
    if connection.dialect.name != "sqlite":
        op.drop_constraint(name, "mailed_link", type_="check")
        is_purpose = " OR ".join(f"purpose = '{purpose}'" for purpose in _PURPOSES)
        op.create_check_constraint(name, "mailed_link", sa.text(is_purpose))
        return
    # In the schema's own text, as an earlier step does: nothing changes on the disk.
    version = connection.execute(sa.text("PRAGMA schema_version")).scalar_one()
    connection.execute(sa.text("PRAGMA writable_schema=ON"))
    last = f"purpose = '{_PURPOSES[-2]}'"
    changed = sa.text(
        "UPDATE sqlite_master SET sql = replace(sql, :last, :longer) "
        "WHERE type = 'table' AND name = 'mailed_link' AND sql LIKE '%' || :last || '%'"
    )
    values = {"last": last, "longer": f"{last} OR purpose = '{_PURPOSES[-1]}'"}
    assert connection.execute(changed, values).rowcount == 1  # noqa: S101 - every older step made it
    connection.execute(sa.text(f"PRAGMA schema_version={int(version) + 1}"))
    connection.execute(sa.text("PRAGMA writable_schema=OFF"))

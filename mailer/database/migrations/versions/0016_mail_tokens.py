"""The purposes of the tokens in addresses of mail."""

import sqlalchemy as sa
from alembic import op

revision = "0016_mail_tokens"
down_revision = "0015_feedback"
branch_labels = None
depends_on = None

# Written out, not imported: a step of the history must not change when the program does.
_BEFORE = ("subscription", "confirm", "export", "erase", "address", "new_address", "test")
_ADDED = ("bounce", "leave")


def upgrade() -> None:
    """Allow the purposes among those of links, as that of a test, though no such link is mailed alone."""
    connection = op.get_bind()
    name = op.f("ck_mailed_link_purpose")
    if connection.dialect.name != "sqlite":
        op.drop_constraint(name, "mailed_link", type_="check")
        is_purpose = " OR ".join(f"purpose = '{purpose}'" for purpose in (*_BEFORE, *_ADDED))
        op.create_check_constraint(name, "mailed_link", sa.text(is_purpose))
        return
    # In the schema's own text, as earlier steps do: nothing changes on the disk.
    version = connection.execute(sa.text("PRAGMA schema_version")).scalar_one()
    connection.execute(sa.text("PRAGMA writable_schema=ON"))
    last = f"purpose = '{_BEFORE[-1]}'"
    changed = sa.text(
        "UPDATE sqlite_master SET sql = replace(sql, :last, :longer) "
        "WHERE type = 'table' AND name = 'mailed_link' AND sql LIKE '%' || :last || '%'"
    )
    longer = " OR ".join((last, *(f"purpose = '{purpose}'" for purpose in _ADDED)))
    assert connection.execute(changed, {"last": last, "longer": longer}).rowcount == 1  # noqa: S101 - every older step made it
    connection.execute(sa.text(f"PRAGMA schema_version={int(version) + 1}"))
    connection.execute(sa.text("PRAGMA writable_schema=OFF"))

"""How people sign in to Studio: links, passwords, passkeys, an organisation's own sign-in."""

import sqlalchemy as sa
from alembic import op

revision = "0026_sign_in"
down_revision = "0025_team"
branch_labels = None
depends_on = None

# Written out, not imported: a step of the history must not change when the program does.
_PURPOSES = ("first", "sign_in", "invitation")


def _is_one_of(table: str, column: str, values: tuple[str, ...]) -> sa.CheckConstraint:
    condition = " OR ".join(f"{column} = '{value}'" for value in values)
    return sa.CheckConstraint(condition, name=op.f(f"ck_{table}_{column}"))


def _make_member_key(
    table: str, column: str = "member_id", ondelete: str = "CASCADE"
) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], ["team_member.id"], ondelete=ondelete, name=op.f(f"fk_{table}_{column}_team_member")
    )


def upgrade() -> None:
    _create_links()
    _create_credentials()


def _create_links() -> None:
    op.create_table(
        "sign_in_link",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("purpose", sa.String(32), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=True),
        sa.Column("browser_digest", sa.String(64), nullable=False),
        sa.Column("next_path", sa.String(1000), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        _is_one_of("sign_in_link", "purpose", _PURPOSES),
        _make_member_key("sign_in_link"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_link")),
        sa.UniqueConstraint("digest", name=op.f("uq_sign_in_link_digest")),
    )
    op.create_index(op.f("ix_sign_in_link_member_id"), "sign_in_link", ["member_id"])
    op.create_index(op.f("ix_sign_in_link_expires_at"), "sign_in_link", ["expires_at"])
    op.create_table(
        "sign_in_mail",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.String(32), nullable=False),
        sa.Column("email", sa.String(320), nullable=False),
        sa.Column("browser_digest", sa.String(64), nullable=False),
        sa.Column("next_path", sa.String(1000), nullable=False),
        sa.Column("language", sa.String(35), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        _is_one_of("sign_in_mail", "purpose", _PURPOSES),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_mail")),
    )
    op.create_index(op.f("ix_sign_in_mail_not_before"), "sign_in_mail", ["not_before"])
    op.create_table(
        "team_invitation",
        sa.Column("member_id", sa.Integer(), nullable=False),
        sa.Column("invited_by", sa.Integer(), nullable=True),
        sa.Column("invited_at", sa.DateTime(timezone=True), nullable=False),
        _make_member_key("team_invitation"),
        _make_member_key("team_invitation", "invited_by", "SET NULL"),
        sa.PrimaryKeyConstraint("member_id", name=op.f("pk_team_invitation")),
    )


def _create_credentials() -> None:
    op.create_table(
        "member_password",
        sa.Column("member_id", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(300), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        _make_member_key("member_password"),
        sa.PrimaryKeyConstraint("member_id", name=op.f("pk_member_password")),
    )
    op.create_table(
        "member_passkey",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=False),
        sa.Column("credential_id", sa.String(1400), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        _make_member_key("member_passkey"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_member_passkey")),
        sa.UniqueConstraint("credential_id", name=op.f("uq_member_passkey_credential_id")),
    )
    op.create_index(op.f("ix_member_passkey_member_id"), "member_passkey", ["member_id"])
    op.create_table(
        "organisation_account",
        sa.Column("member_id", sa.Integer(), nullable=False),
        sa.Column("issuer", sa.String(300), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("linked_at", sa.DateTime(timezone=True), nullable=False),
        _make_member_key("organisation_account"),
        sa.PrimaryKeyConstraint("member_id", name=op.f("pk_organisation_account")),
        sa.UniqueConstraint("issuer", "subject", name=op.f("uq_organisation_account_issuer_subject")),
    )

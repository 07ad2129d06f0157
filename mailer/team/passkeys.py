"""Passkeys of members (W3C Web Authentication, level 3): made, checked, named and removed.

A passkey is kept by the member's own device, which asks for a finger or a code; so it is enough by itself.
It only answers to the name of our host, so a page that imitates ours gets nothing.
"""

import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlmodel import Session, col, select

from mailer.database.team_models import MemberPasskey
from mailer.errors import MailerError
from mailer.team.members import Member, find_member
from subscribers.consent.suppression import SuppressionKey

if TYPE_CHECKING:
    from webauthn.helpers.structs import PublicKeyCredentialDescriptor

MAX_NAME_LENGTH = 100
MAX_PASSKEYS = 20
_MAX_RESPONSE_LENGTH = 20_000
_MAX_NUMBER = 2**31
_TIMEOUT_MILLISECONDS = 300_000


class PasskeyError(MailerError):
    """This passkey was not accepted."""


@dataclass(frozen=True, kw_only=True)
class RelyingParty:
    """Who asks for a passkey: the name of our host, its origin as browsers write it, and our name."""

    host: str
    origin: str
    name: str


PasskeyRequest = tuple[str, str]
"""What a browser is asked, as JSON for its script, and the challenge in base64url, which we remember."""


def ask_for_new_passkey(
    session: Session, member: Member, party: RelyingParty, key: SuppressionKey
) -> PasskeyRequest:
    """Ask a browser to make a passkey for a member, on a device that has none of theirs yet."""
    import webauthn
    from webauthn.helpers import bytes_to_base64url, options_to_json
    from webauthn.helpers.structs import (
        AuthenticatorSelectionCriteria,
        ResidentKeyRequirement,
        UserVerificationRequirement,
    )

    options = webauthn.generate_registration_options(
        rp_id=party.host,
        rp_name=party.name,
        user_id=_make_handle(member.id, key),
        user_name=member.email,
        user_display_name=member.name,
        timeout=_TIMEOUT_MILLISECONDS,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=_list_descriptors(session, member.id),
    )
    return options_to_json(options), bytes_to_base64url(options.challenge)


def add_passkey(
    session: Session,
    member: Member,
    response: str,
    challenge: str,
    party: RelyingParty,
    *,
    name: str,
    now: datetime,
) -> None:
    """Keep a passkey that a browser has made. The caller commits. Raise PasskeyError if the browser's answer
    is not right, or there are too many already.
    """
    import webauthn
    from webauthn.helpers import base64url_to_bytes, bytes_to_base64url
    from webauthn.helpers.exceptions import WebAuthnException

    try:
        made = webauthn.verify_registration_response(
            credential=_parse_response(response),
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=party.host,
            expected_origin=party.origin,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError) as error:
        raise PasskeyError from error
    credential_id = bytes_to_base64url(made.credential_id)
    taken = session.exec(select(MemberPasskey.id).where(MemberPasskey.credential_id == credential_id)).first()
    if taken is not None or len(list_passkeys(session, member.id)) >= MAX_PASSKEYS:
        raise PasskeyError
    row = MemberPasskey(
        member_id=member.id,
        credential_id=credential_id,
        public_key=made.credential_public_key,
        sign_count=made.sign_count,
        name=_clean_name(name),
        created_at=now,
    )
    session.add(row)
    session.flush()


def ask_for_passkey(party: RelyingParty) -> PasskeyRequest:
    """Ask a browser to sign in with any passkey that it has for us."""
    import webauthn
    from webauthn.helpers import bytes_to_base64url, options_to_json
    from webauthn.helpers.structs import UserVerificationRequirement

    options = webauthn.generate_authentication_options(
        rp_id=party.host,
        timeout=_TIMEOUT_MILLISECONDS,
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return options_to_json(options), bytes_to_base64url(options.challenge)


def find_passkey_member(
    session: Session,
    response: str,
    challenge: str,
    party: RelyingParty,
    key: SuppressionKey,
    *,
    now: datetime,
) -> Member:
    """Find out who signs in with a passkey, and note that it was used. The caller commits. Raise PasskeyError
    if the answer is not right, or its passkey is nobody's who belongs to the team.
    """
    import webauthn
    from webauthn.helpers import base64url_to_bytes
    from webauthn.helpers.exceptions import WebAuthnException

    answer = _parse_response(response)
    found = select(MemberPasskey).where(MemberPasskey.credential_id == str(answer.get("id", "")))
    row = session.exec(found).one_or_none()
    member = find_member(session, row.member_id) if row is not None else None
    if row is None or member is None:
        raise PasskeyError
    try:
        used = webauthn.verify_authentication_response(
            credential=answer,
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=party.host,
            expected_origin=party.origin,
            credential_public_key=row.public_key,
            credential_current_sign_count=row.sign_count,
            require_user_verification=True,
        )
        handle = answer["response"].get("userHandle")
        if handle and base64url_to_bytes(handle) != _make_handle(member.id, key):
            raise PasskeyError
    except (WebAuthnException, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PasskeyError from error
    row.sign_count, row.last_used_at = used.new_sign_count, now
    session.add(row)
    session.flush()
    return member


def list_passkeys(session: Session, member_id: int) -> Sequence[MemberPasskey]:
    """List the passkeys of a member, the oldest first."""
    found = select(MemberPasskey).where(MemberPasskey.member_id == member_id)
    return session.exec(found.order_by(col(MemberPasskey.id))).all()


def rename_passkey(session: Session, member_id: int, passkey_id: int, name: str) -> bool:
    """Rename a passkey; return False if the member has none with this number. The caller commits."""
    row = _find_own(session, member_id, passkey_id)
    if row is None:
        return False
    row.name = _clean_name(name)
    session.add(row)
    session.flush()
    return True


def delete_passkey(session: Session, member_id: int, passkey_id: int) -> bool:
    """Delete a passkey; return False if the member has none with this number. The caller commits."""
    row = _find_own(session, member_id, passkey_id)
    if row is None:
        return False
    session.delete(row)
    session.flush()
    return True


def _find_own(session: Session, member_id: int, passkey_id: int) -> MemberPasskey | None:
    # SQLite takes no number of more than 64 bits, and PostgreSQL none of more than 32.
    row = session.get(MemberPasskey, passkey_id) if passkey_id < _MAX_NUMBER else None
    return row if row is not None and row.member_id == member_id else None


def _list_descriptors(session: Session, member_id: int) -> "list[PublicKeyCredentialDescriptor]":
    from webauthn.helpers import base64url_to_bytes
    from webauthn.helpers.structs import PublicKeyCredentialDescriptor

    found = select(MemberPasskey.credential_id).where(MemberPasskey.member_id == member_id)
    return [PublicKeyCredentialDescriptor(id=base64url_to_bytes(one)) for one in session.exec(found).all()]


def _make_handle(member_id: int, key: SuppressionKey) -> bytes:
    """Return what authenticators call a member: it tells nothing about them (level 3 §14.6.1)."""
    return hmac.digest(key.key, f"studio passkey\0{member_id}".encode(), "sha256")


def _parse_response(text: str) -> dict[str, Any]:
    try:
        answer = json.loads(text) if len(text) <= _MAX_RESPONSE_LENGTH else None
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict) or not isinstance(answer.get("response"), dict):
        raise PasskeyError
    return answer


def _clean_name(name: str) -> str:
    return " ".join(name.split())[:MAX_NAME_LENGTH] or "Passkey"

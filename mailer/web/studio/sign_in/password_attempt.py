"""Trying a password: counted before it is checked, and checked while the database waits for nobody."""

from mailer.database.engine import open_session
from mailer.team.members import Member, find_member_by_address
from mailer.team.passwords import find_password, is_outdated, store_password
from mailer.web.studio.page import Visit
from mailer.web.studio.sign_in.arrival import make_limiter


def try_password(visit: Visit, email: str, password: str) -> Member | None:
    """Return the member with a normalised address if ``password`` is theirs; None if it is not, if they have
    none, and if there is nobody with the address, all in the same time.

    Raises:
        TooManyAttemptsError: it was not tried.
    """
    state = visit.state
    with open_session(state.engine) as session:
        limiter = make_limiter(visit, session, email)
        try:
            limiter.count_network()
            limiter.count_password(email)
        finally:
            # A refused attempt counts, too.
            session.commit()
    with state.read_session() as session:
        member = find_member_by_address(session, email)
        stored = find_password(session, member.id) if member is not None else None
    if not state.passwords.check(password, stored) or member is None or stored is None:
        return None
    hashed = state.passwords.hash(password) if is_outdated(stored) else ""
    with state.write_session() as session:
        make_limiter(visit, session, email).forget_passwords(email)
        if hashed:
            store_password(session, member.id, hashed, now=state.clock())
    return member

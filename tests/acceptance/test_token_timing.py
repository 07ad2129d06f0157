"""Wrong tokens teach nothing by the time they take: shown by how they are compared and by the work done.

Times themselves are not measured: on a machine that others use, a difference of microseconds is noise.
"""

import ast
import base64
import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

import mailer
import subscribers
from mailer.web.app import create_app
from mailer.workspace import Workspace
from subscribers.click_tokens import ClickToken, sign_click_token
from subscribers.tokens import LinkPurpose, TokenSigner
from tests.web.site import (
    add_counted_campaign,
    add_reader,
    issue_link_token,
    opened_engine,
    send_request,
    served,
    sign_click,
)

SECRETS = {
    "selfservice/confirmation.py": {"check_form_token"},
    "selfservice/rate_limit.py": set(),
    "consent/status_changes.py": set(),
    "consent/suppression.py": set(),
    "clicks/click_recorder.py": set(),
    "oauth/browser_sign_in.py": {"is_answered_by"},
    "subscribers/tokens.py": {"_check", "_fits_code", "verify_payload"},
    "verification/submitted_mail.py": {"_read_message_id"},
    "web/access.py": {"_is_token"},
    "feedback/identification.py": {"find_by_message_id"},
    "webhooks/request.py": {"check_authorization", "is_hmac"},
    "mailer/site_proof.py": {"is_question", "read_answer"},
    "team/passkeys.py": set(),
    "team/sessions.py": {"read"},
    "sign_in/ways.py": {"come_back"},
}
"""The modules that compute a keyed digest, and their functions that compare one. The others only write theirs
down or look them up: as the key of a row, which nobody without our key can choose."""

PATHS = ("/u/{}", "/u/{}/undo", "/u/{}/reason", "/p/{}", "/p/{}/look", "/p/{}/data")
ONE_TIME_PATHS = {
    "/confirm/{}": LinkPurpose.confirm,
    "/d/export/{}": LinkPurpose.export,
    "/d/erase/{}": LinkPurpose.erase,
    "/d/address/{}": LinkPurpose.address,
    "/d/move/{}": LinkPurpose.new_address,
}
OWN_PAGE = {"content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin"}


def find_modules() -> dict[str, ast.Module]:
    """Every module that uses hmac, by the end of its path."""
    found = {}
    for package in (mailer, subscribers):
        for path in Path(package.__path__[0]).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            if "import hmac" in text or "from hmac" in text:
                found["/".join(path.parts[-2:])] = ast.parse(text)
    return found


def find_functions(module: ast.Module, name: str) -> Iterator[ast.FunctionDef]:
    """The functions that name an attribute or a function ``name``."""
    for function in ast.walk(module):
        if isinstance(function, ast.FunctionDef):
            names = {node.attr for node in ast.walk(function) if isinstance(node, ast.Attribute)}
            names |= {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
            if name in names:
                yield function


def test_every_digest_that_comes_from_outside_is_compared_in_constant_time() -> None:
    modules = find_modules()
    assert set(modules) == set(SECRETS), (
        "a module that computes keyed digests is new: say how it compares them"
    )
    for name, module in modules.items():
        comparing = {function.name for function in find_functions(module, "compare_digest")}
        assert comparing == SECRETS[name], name


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_no_digest_is_compared_with_an_operator(name: str) -> None:
    """``==`` on bytes ends at the first difference. A comparison of a column is the database's look-up."""
    for node in ast.walk(find_modules()[name]):
        if isinstance(node, ast.Compare) and any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops):
            names = {part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute)}
            names |= {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
            is_column = bool({"col", "Suppression", "LiftedSuppression", "TeamSession"} & names)
            assert is_column or not {"signature", "digest", "_sign"} & names, ast.unparse(node)


@contextmanager
def counted_statements() -> Iterator[list[str]]:
    """A list that fills with every statement that any engine executes."""
    statements: list[str] = []

    def note(*arguments: object) -> None:
        statements.append(str(arguments[2]))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def list_wrong_tokens(good: str, others: list[str]) -> list[str]:
    """Well-formed tokens, wrong in each part: key, subscriber or link, campaign, signature, purpose."""
    data = base64.urlsafe_b64decode(good + "=")
    wrong = []
    for place in (0, 1, 8, 9, 12, 13, 20, 28):
        changed = bytearray(data)
        changed[place] ^= 1
        wrong.append(base64.urlsafe_b64encode(bytes(changed)).decode().rstrip("="))
    return [*wrong, "A" * 39, *others]


def test_every_wrong_token_costs_the_same_work_and_gets_the_same_page(workspace: Workspace) -> None:
    keys, mei = workspace.keys, "mei@example.org"
    stranger = TokenSigner(keys={keys.tokens.current: b"s" * 32}, current=keys.tokens.current)
    with opened_engine(workspace) as engine, served(create_app(workspace)) as running:
        newsletter = add_reader(engine, keys, mei)
        mailed = {
            purpose: issue_link_token(engine, keys, mei, purpose)
            for purpose in LinkPurpose
            if purpose.is_mailed
        }
        forged = stranger.sign(LinkPurpose.subscription, subscriber_id=1, campaign_id=7)
        for path in PATHS:
            wrong = list_wrong_tokens(newsletter, [forged, *mailed.values()])
            hold_to_the_same(running.url, path, wrong)
        for path, purpose in ONE_TIME_PATHS.items():
            others = [newsletter, forged, *(token for other, token in mailed.items() if other is not purpose)]
            hold_to_the_same(running.url, path, list_wrong_tokens(mailed[purpose], others))


def hold_to_the_same(url: str, path: str, wrong: list[str]) -> None:
    """Hold every wrong token to no look at the database, by both methods, and to one answer by each."""
    for method, body in (("GET", None), ("POST", b"lang=en&wish=export")):
        answers = set()
        for token in wrong:
            with counted_statements() as statements:
                answer = send_request(url, method, path.format(token), body, OWN_PAGE)
            answers.add((answer.status, answer.body, tuple(statements)))
        assert len(answers) == 1, (method, path)
        status, _, statements = answers.pop()
        assert (status, set(statements) - {"BEGIN", "BEGIN IMMEDIATE"}) == (404, set()), (method, path)


def test_every_wrong_token_of_a_click_costs_no_look_at_the_database(workspace: Workspace) -> None:
    stranger = TokenSigner(keys={workspace.keys.tokens.current: b"s" * 32}, current=1)
    with opened_engine(workspace) as engine, served(create_app(workspace)) as running:
        good = sign_click(workspace, add_counted_campaign(engine))
        data = base64.urlsafe_b64decode(good + "=" * (-len(good) % 4))
        wrong = [
            sign_click_token(stranger, ClickToken(campaign_id=7)),
            add_reader(engine, workspace.keys, "m@x.example"),
        ]
        for place in range(len(data)):
            changed = bytearray(data)
            changed[place] ^= 1
            wrong.append(base64.urlsafe_b64encode(bytes(changed)).decode().rstrip("="))
        answers = set()
        for token in wrong:
            with counted_statements() as statements:
                answer = send_request(running.url, "GET", f"/c/{token}/1")
            answers.add((answer.status, answer.body, tuple(statements)))
        assert [(status, statements) for status, _, statements in answers] == [(404, ())]


def test_a_link_that_is_used_expired_or_of_nobody_gets_the_page_of_a_wrong_one(workspace: Workspace) -> None:
    """All of them take the same look at the database. Only whoever holds our key can make such a link."""
    keys = workspace.keys
    with opened_engine(workspace) as engine, served(create_app(workspace)) as running:
        add_reader(engine, keys, "mei@example.org")
        used = issue_link_token(engine, keys, "mei@example.org", LinkPurpose.export)
        newest = issue_link_token(engine, keys, "mei@example.org", LinkPurpose.export)
        _, expires_at = keys.tokens.read_link(newest, LinkPurpose.export)
        nobody = keys.tokens.sign_link(LinkPurpose.export, link_id=12345, expires_at=expires_at)
        wrong = send_request(running.url, "GET", f"/d/export/{'A' * 39}")
        work = []
        for token in (used, nobody):
            with counted_statements() as statements:
                assert send_request(running.url, "GET", f"/d/export/{token}").body == wrong.body
            work.append(statements)
        assert work[0] == work[1] != []


def test_a_signature_has_128_bits(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the whole of both is what is compared."""
    lengths = set()

    def compare(one: bytes, other: bytes) -> bool:
        lengths.add((len(one), len(other)))
        return False

    monkeypatch.setattr(hmac, "compare_digest", compare)
    with served(create_app(workspace)) as running:
        for path in (*PATHS, *ONE_TIME_PATHS):
            token = workspace.keys.tokens.sign(LinkPurpose.subscription, subscriber_id=1, campaign_id=1)
            assert send_request(running.url, "GET", path.format(token)).status == 404
    assert lengths == {(16, 16)}

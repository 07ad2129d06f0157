"""What the log says of each act: one function an act, for pages, commands and whoever else asks for it.

Whoever changes something records its deed in the same transaction, by
:func:`~mailer.activity.record.record_activity`; only who acts, and when, is theirs to say. What is done to a
campaign names it by its edition and its number. No function here takes a secret, nor more of a person than
their address and tags.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mailer.activity.acts import Act
from mailer.utc import format_utc

if TYPE_CHECKING:
    from mailer.campaigns.correction_notes import NotePlace
    from mailer.campaigns.lifecycle import Rescheduled
    from mailer.database.edition_models import CommentThread
    from mailer.database.team_models import Role
    from subscribers.imports.import_report import ImportReport
    from subscribers.imports.rollback import RollbackReport


@dataclass(frozen=True, kw_only=True)
class Deed:
    """What somebody did. ``edition`` is the slug of the edition that it was about, if any; ``subject`` is
    what else: a story's slug, an address, a campaign's number, a file's name. ``detail`` is for what a person
    who reads the log later would ask, such as "author → approver". Never put a secret in it, nor the address
    of an erased person."""

    act: Act
    edition: str = ""
    subject: str = ""
    detail: str = ""


# The workspace.


def created_workspace(edition: str) -> Deed:
    """``edition`` is the one that it begins with; "" for none."""
    return Deed(act=Act.created_workspace, edition=edition)


def upgraded_database() -> Deed:
    return Deed(act=Act.upgraded_database)


def backed_up_database(file: str) -> Deed:
    return Deed(act=Act.backed_up_database, subject=file)


def changed_settings(keys: str) -> Deed:
    """``keys`` are their names; a value may be a secret."""
    return Deed(act=Act.changed_settings, subject=keys)


def changed_secret(name: str) -> Deed:
    return Deed(act=Act.changed_secret, subject=name)


def tried_relay(name: str) -> Deed:
    return Deed(act=Act.tried_relay, subject=name)


def signed_in_relay(name: str, account: str = "") -> Deed:
    """``account`` is who the provider says has signed in, once that is known."""
    return Deed(act=Act.signed_in_relay, subject=name, detail=account)


def signed_out_relay(name: str) -> Deed:
    return Deed(act=Act.signed_out_relay, subject=name)


def rotated_keys() -> Deed:
    return Deed(act=Act.rotated_keys)


def retired_key(number: int) -> Deed:
    return Deed(act=Act.retired_key, subject=str(number))


def asked_doctor() -> Deed:
    return Deed(act=Act.asked_doctor)


def ended_trial() -> Deed:
    return Deed(act=Act.ended_trial)


def began_trial() -> Deed:
    return Deed(act=Act.began_trial)


# The team.


def invited_member(address: str, role: Role, *, again: bool = False) -> Deed:
    detail = f"{role.value}, again" if again else role.value
    return Deed(act=Act.invited_member, subject=address, detail=detail)


def joined_team() -> Deed:
    return Deed(act=Act.joined_team)


def changed_password() -> Deed:
    return Deed(act=Act.changed_password)


def changed_passkeys() -> Deed:
    return Deed(act=Act.changed_passkeys)


def forgot_account() -> Deed:
    return Deed(act=Act.forgot_account)


def changed_role(address: str, before: Role, after: Role) -> Deed:
    return Deed(act=Act.changed_role, subject=address, detail=f"{before.value} → {after.value}")


def removed_member(address: str, role: Role) -> Deed:
    return Deed(act=Act.removed_member, subject=address, detail=role.value)


def ended_sessions(address: str) -> Deed:
    return Deed(act=Act.ended_sessions, subject=address)


def exported_log(chosen: Iterable[tuple[str, str]]) -> Deed:
    """``chosen`` is which lines: pairs of a field and its value."""
    detail = "; ".join(f"{name}: {value}" for name, value in chosen)
    return Deed(act=Act.exported_log, detail=detail)


# Editions.


def created_edition(edition: str) -> Deed:
    return Deed(act=Act.created_edition, edition=edition)


def imported_edition(edition: str, *, file: str = "", feed: str = "") -> Deed:
    """Of a ``file``, by its name, or of a ``feed``, by the host of its address: the rest of that may have a
    password in it."""
    return Deed(act=Act.imported_edition, edition=edition, subject=file or _find_host(feed))


def _find_host(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:  # no address that a server could have
        return ""


def changed_details(edition: str) -> Deed:
    return Deed(act=Act.changed_details, edition=edition)


def wrote_text(edition: str, file: str) -> Deed:
    return Deed(act=Act.wrote_text, edition=edition, subject=file)


def restored_text(edition: str, file: str) -> Deed:
    return Deed(act=Act.restored_text, edition=edition, subject=file)


def confirmed_translation(edition: str, file: str) -> Deed:
    return Deed(act=Act.confirmed_translation, edition=edition, subject=file)


def imported_translations(edition: str, source: str, files: Iterable[str]) -> Deed:
    return Deed(act=Act.imported_translations, edition=edition, subject=source, detail=", ".join(files))


def added_story(edition: str, story: str) -> Deed:
    return Deed(act=Act.added_story, edition=edition, subject=story)


def moved_story(edition: str, story: str) -> Deed:
    return Deed(act=Act.moved_story, edition=edition, subject=story)


def removed_story(edition: str, story: str) -> Deed:
    return Deed(act=Act.removed_story, edition=edition, subject=story)


def restored_story(edition: str, story: str) -> Deed:
    return Deed(act=Act.restored_story, edition=edition, subject=story)


def commented(thread: CommentThread) -> Deed:
    return _about_thread(Act.commented, thread)


def deleted_comment(thread: CommentThread) -> Deed:
    return _about_thread(Act.deleted_comment, thread)


def resolved_comment(thread: CommentThread) -> Deed:
    return _about_thread(Act.resolved_comment, thread)


def reopened_comment(thread: CommentThread) -> Deed:
    return _about_thread(Act.reopened_comment, thread)


def _about_thread(act: Act, thread: CommentThread) -> Deed:
    return Deed(act=act, edition=thread.edition, subject=thread.story or thread.title)


def wrote_correction(place: NotePlace) -> Deed:
    return _about_correction(Act.wrote_correction, place)


def discarded_correction(place: NotePlace) -> Deed:
    return _about_correction(Act.discarded_correction, place)


def prepared_correction(place: NotePlace) -> Deed:
    return _about_correction(Act.prepared_correction, place)


def _about_correction(act: Act, place: NotePlace) -> Deed:
    return Deed(act=act, edition=place.edition, subject=place.story, detail=str(place.number))


# Campaigns.


def sent_test(edition: str, campaign: int | None, number: int) -> Deed:
    """``number`` is to how many addresses; ``campaign`` is None for a test of an edition of which there is no
    campaign to be."""
    subject = "" if campaign is None else str(campaign)
    return Deed(act=Act.sent_test, edition=edition, subject=subject, detail=f"to {number}")


def prepared_campaign(edition: str, campaign: int) -> Deed:
    return _about_campaign(Act.prepared_campaign, edition, campaign)


def changed_campaign(edition: str, campaign: int, decisions: str) -> Deed:
    return _about_campaign(Act.changed_campaign, edition, campaign, decisions)


def asked_for_approval(edition: str, campaign: int) -> Deed:
    return _about_campaign(Act.asked_for_approval, edition, campaign)


def withdrew_request(edition: str, campaign: int) -> Deed:
    return _about_campaign(Act.withdrew_request, edition, campaign)


def changed_approval_steps(edition: str, campaign: int, before: int, after: int) -> Deed:
    """``before`` and ``after`` are the numbers of steps."""
    return _about_campaign(Act.changed_approval_steps, edition, campaign, f"{before} → {after}")


def approved_campaign(edition: str, campaign: int, *, name: str = "", is_outside: bool = False) -> Deed:
    """``name`` is who approves it, if they are not who acts."""
    detail = f"as {name}" if name else _name_outside(is_outside)
    return _about_campaign(Act.approved_campaign, edition, campaign, detail)


def requested_changes(edition: str, campaign: int, *, is_outside: bool = False) -> Deed:
    return _about_campaign(Act.requested_changes, edition, campaign, _name_outside(is_outside))


def commented_on_answer(edition: str, campaign: int) -> Deed:
    return _about_campaign(Act.commented_on_answer, edition, campaign)


def asked_launch(edition: str, campaign: int, audience: str) -> Deed:
    """``audience`` is who gets it, as they asked who launch it."""
    return _about_campaign(Act.asked_launch, edition, campaign, audience)


def launched_campaign(edition: str, campaign: int, audience: str, *, is_confirmation: bool = False) -> Deed:
    """With ``is_confirmation``, somebody else has asked for the launch before."""
    detail = f"confirmed: {audience}" if is_confirmation else audience
    return _about_campaign(Act.launched_campaign, edition, campaign, detail)


def undid_launch(edition: str, campaign: int) -> Deed:
    return _about_campaign(Act.undid_launch, edition, campaign)


def scheduled_campaign(edition: str, campaign: int, at: datetime) -> Deed:
    return _about_campaign(Act.scheduled_campaign, edition, campaign, f"at {format_utc(at)}")


def rescheduled_campaign(edition: str, campaign: int, done: Rescheduled) -> Deed:
    return _about_campaign(Act.rescheduled_campaign, edition, campaign, str(done))


def paused_campaign(edition: str, campaign: int) -> Deed:
    return _about_campaign(Act.paused_campaign, edition, campaign)


def resumed_campaign(edition: str, campaign: int, reason: str, *, sends_again: bool = False) -> Deed:
    """``reason`` is why it was paused, which the campaign forgets; with ``sends_again``, readers in doubt are
    sent the mail again."""
    again = "sending again to readers in doubt" if sends_again else ""
    detail = "; ".join(part for part in (reason, again) if part)
    return _about_campaign(Act.resumed_campaign, edition, campaign, detail)


def cancelled_campaign(edition: str, campaign: int) -> Deed:
    return _about_campaign(Act.cancelled_campaign, edition, campaign)


def resolved_doubts(edition: str, campaign: int, number: int, *, arrived: bool | None) -> Deed:
    """``number`` is how many doubts; ``arrived`` is what a person knows of them, None where a relay's log
    has decided."""
    how = "by the relay’s log"
    if arrived is not None:
        how = "they have it" if arrived else "send again"
    return _about_campaign(Act.resolved_doubts, edition, campaign, f"{how}: {number:,}")


def archived_campaign(edition: str, campaign: int, *, is_in: bool) -> Deed:
    return _about_campaign(Act.archived_campaign, edition, campaign, "in" if is_in else "out")


def exported_report(edition: str, campaign: int, file: str) -> Deed:
    return _about_campaign(Act.exported_report, edition, campaign, file)


def mailed_report(edition: str, campaign: int, number: int) -> Deed:
    """``number`` is to how many addresses."""
    return _about_campaign(Act.mailed_report, edition, campaign, f"to {number}")


def _about_campaign(act: Act, edition: str, campaign: int, detail: str = "") -> Deed:
    return Deed(act=act, edition=edition, subject=str(campaign), detail=detail)


def _name_outside(is_outside: bool) -> str:
    return "outside reviewer" if is_outside else ""


# The list.


def added_subscriber(address: str) -> Deed:
    return Deed(act=Act.added_subscriber, subject=address)


def edited_subscriber(
    address: str,
    changed: Collection[str] = (),
    *,
    added: Collection[str] = (),
    removed: Collection[str] = (),
) -> Deed:
    """``changed`` are the names of the details that changed, without what they say of a person; where tags
    alone were ``added`` and ``removed``, these."""
    tags = [*(f"+{tag}" for tag in sorted(added)), *(f"-{tag}" for tag in sorted(removed))]
    detail = " ".join(tags) or ", ".join(sorted(changed))
    return Deed(act=Act.edited_subscriber, subject=address, detail=detail)


def paused_subscriber(address: str, until: date | None) -> Deed:
    """``until`` is the day on which mail resumes; None ends the pause."""
    detail = "ended" if until is None else f"until {until.isoformat()}"
    return Deed(act=Act.paused_subscriber, subject=address, detail=detail)


def unsubscribed_subscriber(address: str) -> Deed:
    return Deed(act=Act.unsubscribed_subscriber, subject=address)


def merged_subscribers(address: str, other: str) -> Deed:
    return Deed(act=Act.merged_subscribers, subject=address, detail=f"with {other}")


def suppressed_address(address: str) -> Deed:
    return Deed(act=Act.suppressed_address, subject=address)


def unsuppressed_address(address: str) -> Deed:
    return Deed(act=Act.unsuppressed_address, subject=address)


def exported_person(address: str) -> Deed:
    return Deed(act=Act.exported_person, subject=address)


def erased_person() -> Deed:
    """Of a reader, or of a member of the team. The address is to be nowhere."""
    return Deed(act=Act.erased_person)


def pruned_list(*, is_complete: bool = True) -> Deed:
    return Deed(act=Act.pruned_list, detail="" if is_complete else "stopped before its end")


def admitted_sign_up(address: str) -> Deed:
    return Deed(act=Act.admitted_sign_up, subject=address)


def declined_sign_up(address: str) -> Deed:
    return Deed(act=Act.declined_sign_up, subject=address)


def imported_subscribers(file: str, report: ImportReport) -> Deed:
    detail = (
        f"import {report.import_id}: {report.added} added, {report.updated} updated, "
        f"{report.suppressed} suppressed, {len(report.refused)} refused"
    )
    return Deed(act=Act.imported_subscribers, subject=file, detail=detail)


def discarded_import_file(file: str) -> Deed:
    return Deed(act=Act.discarded_import_file, subject=file)


def rolled_back_import(report: RollbackReport) -> Deed:
    detail = f"{report.removed} removed, {report.restored} restored, {report.kept} kept"
    return Deed(act=Act.rolled_back_import, subject=str(report.import_id), detail=detail)


def exported_subscribers(query: str, form: str) -> Deed:
    whom = query if query.strip() else "everybody"
    return Deed(act=Act.exported_subscribers, detail=f"{whom}, as {form}")


def saved_segment(name: str, text: str, before: str = "") -> Deed:
    """``before`` is the query that was saved under this name, if there was one."""
    return Deed(act=Act.saved_segment, subject=name, detail=f"{before} → {text}" if before else text)


def renamed_segment(before: str, after: str) -> Deed:
    return Deed(act=Act.renamed_segment, subject=before, detail=after)


def deleted_segment(name: str, text: str) -> Deed:
    return Deed(act=Act.deleted_segment, subject=name, detail=text)


# What comes back.


def judged_feedback(number: int, judgement: str) -> Deed:
    return Deed(act=Act.judged_feedback, subject=str(number), detail=f"{number} as {judgement}")


def accepted_successor(number: int) -> Deed:
    return Deed(act=Act.accepted_successor, subject=str(number))


def refused_successor(number: int) -> Deed:
    return Deed(act=Act.refused_successor, subject=str(number))

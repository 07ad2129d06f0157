"""What a page says after an act: named in its address, so that reloading repeats no act."""

from enum import Enum
from typing import Self

from locales.phrase import gettext_noop


class Notice(Enum):
    """An act that the page before has done, with its words."""

    words: str

    def __new__(cls, words: str) -> Self:
        member = object.__new__(cls)
        # By number: two may have the same words.
        member._value_, member.words = len(cls.__members__), words
        return member

    @property
    def key(self) -> str:
        """The notice as an address names it."""
        return self.name.replace("_", "-")

    campaign_paused = gettext_noop(
        "The campaign is paused. What is being sent at this moment is finished; nothing more is begun."
    )
    campaign_resumed = gettext_noop("The campaign goes on.")
    campaign_halted = gettext_noop("The campaign went on, and stopped again. Below is why.")
    campaign_cancelled = gettext_noop("The campaign is cancelled. Nothing more is sent.")
    campaign_changed = gettext_noop(
        "Nothing was changed: the campaign is no longer what it was when you opened the page."
    )
    launch_undone = gettext_noop("The launch is undone. Nothing was sent.")
    launch_begun = gettext_noop(
        "It is too late to undo the launch: the campaign has begun. If it must stop, pause it."
    )
    launch_confirmed = gettext_noop("You have confirmed the launch.")
    doubts_settled = gettext_noop("They count as having got it now.")
    doubts_requeued = gettext_noop(
        "They get it again. The message is the same, so that mail programs can tell a second copy."
    )
    doubts_gone = gettext_noop("Nothing was changed: they were no longer in doubt.")
    trial_ended = gettext_noop("Trial mode has ended. Campaigns go to everybody they are for.")
    trial_begun = gettext_noop("Trial mode is on. Campaigns go to test readers alone.")
    commented = gettext_noop("Your comment is there.")
    comment_changed = gettext_noop("Your comment is changed.")
    comment_deleted = gettext_noop("Your comment is deleted.")
    comment_resolved = gettext_noop("The comment is resolved.")
    comment_reopened = gettext_noop("The comment is open again.")
    comment_gone = gettext_noop("The comment had been deleted in the meantime.")
    picture_saved = gettext_noop("The picture is saved.")
    picture_removed = gettext_noop("The picture is no longer in the story.")
    details_saved = gettext_noop("The details are saved.")
    story_removed = gettext_noop("The story is removed. Its history has it, and brings it back.")
    story_restored = gettext_noop("The story is back.")
    text_restored = gettext_noop("The text is restored. What was there before is in the history.")
    text_set_aside = gettext_noop("The text is set aside. It stays in the history.")
    conflict_settled = gettext_noop("Both texts are put together and saved.")
    account_saved = gettext_noop("Your account is saved.")
    password_changed = gettext_noop("Your password is saved, and you are signed out in all other browsers.")
    password_removed = gettext_noop("Your password is removed, and you are signed out in all other browsers.")
    passkey_added = gettext_noop("Your passkey is added, and you are signed out in all other browsers.")
    passkey_renamed = gettext_noop("The passkey has its new name.")
    passkey_removed = gettext_noop("The passkey is removed, and you are signed out in all other browsers.")
    account_forgotten = gettext_noop(
        "Your account at the organisation is forgotten, and you are signed out in all other browsers."
    )
    session_ended = gettext_noop("That session has ended.")
    other_sessions_ended = gettext_noop("All your other sessions have ended.")
    translation_saved = gettext_noop("The translation is saved.")
    translation_adjusted = gettext_noop(
        "The translation is saved. Bold or italic beside a space or a punctuation mark was moved a little."
    )
    translation_confirmed = gettext_noop("The translation is saved, and is up to date.")
    translations_imported = gettext_noop("The translations are saved.")
    original_changed = gettext_noop(
        "The translation is saved. It is not marked as up to date, because the original was changed "
        "while you translated. Look at what has changed."
    )
    approval_asked = gettext_noop("The approval is asked for. Those who are asked now get an email.")
    approval_withdrawn = gettext_noop("The request is taken back. Nobody is asked any more.")
    approval_given = gettext_noop("Your approval is written down. Others still have to answer.")
    approval_complete = gettext_noop("It is approved, and can be launched exactly as it is.")
    changes_requested = gettext_noop("What you ask for is written down. Whoever asked is told.")
    approval_steps_changed = gettext_noop("The steps are changed. Who is asked now gets an email.")
    signed_out = gettext_noop("You have signed out.")
    saved = gettext_noop("Saved.")
    saved_adjusted = gettext_noop(
        "Saved. Bold or italic that ended beside a space or a punctuation mark was moved a little."
    )
    settings_saved = gettext_noop("The settings are saved and in use.")
    settings_unchanged = gettext_noop("Nothing was changed.")
    partner_added = gettext_noop("They are on the list, and get the next edition.")
    partner_saved = gettext_noop("The details are saved.")
    partner_paused = gettext_noop("Their mail is paused. It goes on by itself on that day.")
    partner_resumed = gettext_noop("The pause has ended: they get mail again.")
    partner_unsubscribed = gettext_noop("They are unsubscribed and get no more mail.")
    partner_blocked = gettext_noop("The address is blocked. Nothing is sent to it any more.")
    partner_unblocked = gettext_noop("The block is lifted. They get no mail until they come back themselves.")
    partners_merged = gettext_noop("The two are one partner now.")
    partner_erased = gettext_noop("They are erased.")
    nothing_changed = gettext_noop("Nothing had to be changed.")
    relay_removed = gettext_noop("The relay is taken out.")
    secret_kept = gettext_noop("It is kept, and in use.")
    secret_removed = gettext_noop("It is removed.")
    signed_in_relay = gettext_noop("Signed in. From now on, it is renewed by itself.")
    signed_out_relay = gettext_noop("The sign-in has ended.")
    campaign_begun = gettext_noop("The campaign is begun. Nothing is sent until somebody launches it.")
    decisions_saved = gettext_noop("Your choice is saved.")
    preparation_over = gettext_noop("This campaign is no longer being prepared, so nothing was changed.")
    test_sent = gettext_noop("The test is sent.")
    version_changed = gettext_noop("This version has changed meanwhile. Here is what it is now.")
    versions_seen = gettext_noop("You have looked at every version.")
    campaign_discarded = gettext_noop("The campaign is discarded. Nobody got anything of it.")
    campaign_started = gettext_noop(
        "The campaign has started meanwhile, so it was not discarded. You can pause or cancel it."
    )
    archived = gettext_noop("The edition is in the public archive.")
    unarchived = gettext_noop("The edition is no longer in the public archive.")
    invited = gettext_noop("The invitation is on its way. Its link works for a week.")
    invited_again = gettext_noop(
        "A new invitation is on its way. The link in the one before no longer works."
    )
    role_changed = gettext_noop("The role is changed. They have to sign in again.")
    member_removed = gettext_noop(
        "They no longer belong to the team and are signed out. What they did stays in the history."
    )
    segment_saved = gettext_noop("The segment is saved.")
    segment_renamed = gettext_noop("The segment has its new name.")
    segment_deleted = gettext_noop("The segment is deleted.")
    sessions_ended = gettext_noop("They are signed out everywhere else.")
    import_undone = gettext_noop("The import is undone.")
    import_file_discarded = gettext_noop("The file is deleted. Nothing of it was imported.")
    sign_ups_admitted = gettext_noop("They are admitted, and get the next newsletter.")
    sign_ups_declined = gettext_noop("They are declined, and get no mail.")
    correction_saved = gettext_noop("The correction is saved. Nothing is sent yet.")
    correction_discarded = gettext_noop("The correction is thrown away.")
    correction_prepared = gettext_noop(
        "The correction is a campaign now, to be tested, approved and launched like the others."
    )
    message_judged = gettext_noop("The message is judged, and what follows from it is done.")
    successor_added = gettext_noop("They are on the list and get the next mail.")
    successor_refused = gettext_noop("They are not added, and not proposed again.")
    successor_decided = gettext_noop("This was decided before. Nothing was changed.")


def find_notice(key: str) -> str:
    """Return the words for the notice with this key; empty if there is none."""
    return next((notice.words for notice in Notice if notice.key == key), "")

"""What a stranger may ask for on a page: to join, or for the link to their own preferences."""

from mailer.rendering.tongue import mark

NO_ADDRESS = mark("Write the address as name@example.org.")
ONCE_MORE = mark("Please press the button once more.")
ASKED_TO_JOIN = mark(
    "If we may write to the address you gave, a mail is on its way there. Open it and press the button in it."
)
ASKED_FOR_LINK = mark("If the address you gave is on our list, a mail with your link is on its way there.")
ASKED_FOR_ERRAND = mark("A mail with the link is on its way.")
ASKED_TO_MOVE = mark("A mail is on its way to the new address. Open it and press the button in it.")

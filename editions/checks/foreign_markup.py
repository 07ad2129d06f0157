"""Checks of what was written for another program: merge tags, task lists, names of emoji."""

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from editions.errors import Problem
from editions.markdown.dialect import mask_code, mask_code_spans
from editions.source.document import AnyDocument, make_warning
from editions.source.yaml_parser import KeyPath
from locales.phrase import gettext_noop

_NAMES = """
👍 +1 thumbsup
👎 -1 thumbsdown
⏰ alarm_clock
🎨 art
🏅 medal
👶 baby
🎈 balloon
📊 bar_chart
🍺 beer
🔔 bell
🚲 bike
🎂 birthday
💙 blue_heart
📖 book
🔖 bookmark
📚 books
💥 boom
💐 bouquet
💡 bulb
🚌 bus
📅 calendar date
📷 camera
🌸 cherry_blossom
👏 clap
☁️ cloud
☕ coffee
🎉 tada
🎊 confetti_ball
🚧 construction
👑 crown
😢 cry
📉 chart_with_downwards_trend
📈 chart_with_upwards_trend
✅ white_check_mark
✔️ heavy_check_mark
☑️ ballot_box_with_check
💃 dancer
🎯 dart
🌍 earth_africa
🌎 earth_americas
🌏 earth_asia
📧 e-mail
✉️ email envelope
❗ exclamation heavy_exclamation_mark
👀 eyes
🏁 checkered_flag
🔥 fire
🎆 fireworks
💪 muscle
🤞 crossed_fingers
🎁 gift
🌐 globe_with_meridians
💚 green_heart
😀 grinning
😁 grin
🙌 raised_hands
✋ raised_hand hand
🤝 handshake
❤️ heart
😍 heart_eyes
🐝 bee
🏠 house
⌛ hourglass
🤗 hugs hugging_face
ℹ️ information_source
😂 joy
🔑 key
💋 kiss
😆 laughing satisfied
🍃 leaves
🔗 link
🔒 lock
📢 loudspeaker
📣 mega
🔍 mag
📫 mailbox
🗺️ world_map
📝 memo pencil
🎤 microphone
🔬 microscope
💰 moneybag
🎓 mortar_board
🎵 musical_note
🎶 notes
🆕 new
📰 newspaper
🌃 night_with_stars
🚫 no_entry_sign
⛔ no_entry
👌 ok_hand
👐 open_hands
📦 package
📄 page_facing_up
📎 paperclip
🎭 performing_arts
☎️ phone telephone
📌 pushpin
📍 round_pushpin
👉 point_right
👈 point_left
👇 point_down
👆 point_up_2
☝️ point_up
🙏 pray
💜 purple_heart
❓ question
🌈 rainbow
♻️ recycle
🔴 red_circle
🎗️ reminder_ribbon
🎀 ribbon
🚀 rocket
🌹 rose
🚨 rotating_light
🏫 school
🌱 seedling
🙈 see_no_evil
✨ sparkles
💬 speech_balloon
⭐ star
🌟 star2
🤩 star_struck
😄 smile
😃 smiley
😊 blush
😉 wink
😎 sunglasses
🙂 slightly_smiling_face
😅 sweat_smile
😭 sob
☀️ sunny
🌅 sunrise
🌻 sunflower
🤔 thinking thinking_face
🎫 ticket
🌳 deciduous_tree
🌲 evergreen_tree
🏆 trophy
🌷 tulip
☂️ umbrella
🔓 unlock
✌️ v
📹 video_camera
⚠️ warning
🌊 ocean
👋 wave
🏳️ white_flag
✍️ writing_hand
❌ x
💛 yellow_heart
⚡ zap
💯 100
"""

EMOJI_BY_NAME: Mapping[str, str] = MappingProxyType(
    {name: line.split()[0] for line in _NAMES.strip().splitlines() for name in line.split()[1:]}
)

_MERGE_TAG = re.compile(
    r"""(?<!\\)(?:
      \*\|[A-Z]{2}[\w:=.,/\ -]*\|\*                               # Mailchimp
    | \{\{\{?\s*[\#/^&]?\s*[A-Za-z_][^{}\n]*\}\}\}?               # Brevo, HubSpot, Klaviyo, Handlebars
    | \{%-?\s*[A-Za-z_]+\b[^%\n]*%\}                               # Liquid, HubL
    | %%=?[A-Za-z_][^%\n]{0,60}%%                                 # Salesforce
    | (?<![\w%])%(?:[A-Z][A-Z_]{2,}|[A-Za-z]+_[A-Za-z_]+)%(?![\w%])   # ActiveCampaign
    | \[\[[A-Za-z][\w.:"'-]*\]\](?![(\[])                         # Constant Contact, Mailjet
    | \[(?:NAME|FIRST_?NAME|LAST_?NAME|EMAIL|USERID|UNSUBSCRIBE(?:URL)?|PREFERENCES(?:URL)?|FORWARD(?:URL)?)\]
      (?![(\[:])                                                  # phpList
    | \[[A-Za-z]+,\s?fallback=[^\]\n]*\]                          # Campaign Monitor
    | \[(?:subscriber|newsletter|link):\w+[^\]\n]*\](?![(\[])     # MailPoet
    | \{\$[A-Za-z_][\w.]*\}                                       # MailerLite
    | [$\#]\{[A-Za-z_][\w.]*\}                                    # scripts
    | <%[=-]?\s*[\w@][^%\n]*%>                                    # ERB
    | \{![A-Za-z$][\w.$]*\}                                       # Salesforce
    | «\w+_\w+»                                                   # Word
    )""",
    re.VERBOSE,
)
# Each of those tags has one of these signs, and few lines have any.
_TAG_SIGN = re.compile(r"[{%\[|«]")
_TASK = re.compile(r"\s*(?:>\s*)*(?:[-*+]|\d{1,9}[.)])\s+(?P<box>\[[ xX]\])(?=\s|$)")
_EMOJI = re.compile(r"(?<![\w:/\\])(?<!\]):(?P<name>[a-z0-9_+-]+):(?![\w:/])")
_MARKUP = re.compile(
    r"(?P<ticks>`+)(?!`)[^`]+(?P=ticks)(?!`)|\*\*[^*\s][^*]*\*\*|\[[^\]]+\]\((?:https?:|mailto:)[^)]*\)"
)
# What is sent as it is written, without Markdown.
_TITLES: Sequence[KeyPath] = (("title",), ("subject",), ("preheader",), ("period",), ("letter", "title"))


def check_foreign_markup(document: AnyDocument) -> Iterator[Problem]:
    body_line = document.front_matter.body_line
    for number, line in enumerate(read_prose(document), start=1):
        if _TAG_SIGN.search(line):
            yield from _check_merge_tags(document, number, line)
        if line.count(":") > 1:
            yield from _check_emoji(document, number, line)
        if number >= body_line and (task := _TASK.match(line)):
            yield make_warning(
                document,
                number,
                "task-list",
                gettext_noop(
                    "readers would see `%(box)s` as it is, because an email has no boxes to tick. Delete "
                    "the brackets, or say in words what is done."
                ),
                box=task["box"],
            )
    yield from _check_titles(document)


def read_prose(document: AnyDocument) -> list[str]:
    """Return the lines of a file as far as readers see them: without code, and comments in front matter."""
    first = document.front_matter.body_line - 1
    front = document.text.split("\n")[:first]
    front = ["" if line.lstrip().startswith("#") else line for line in front]
    return [
        *mask_code_spans("\n".join(front)).split("\n")[:first],
        *mask_code(document.front_matter.body).split("\n"),
    ]


def _check_merge_tags(document: AnyDocument, number: int, line: str) -> Iterator[Problem]:
    for tag in dict.fromkeys(found[0] for found in _MERGE_TAG.finditer(line)):
        yield make_warning(
            document,
            number,
            "foreign-merge-tag",
            gettext_noop(
                "`%(tag)s` looks like a merge tag of another program, and readers would see it as it is. "
                "Delete it: the greeting with the reader's name and the links to unsubscribe are added "
                "for you. If readers are meant to see it, put it between backticks in the body."
            ),
            tag=tag,
        )


def _check_emoji(document: AnyDocument, number: int, line: str) -> Iterator[Problem]:
    names = dict.fromkeys(found["name"] for found in _EMOJI.finditer(line))
    for name in names:
        if emoji := EMOJI_BY_NAME.get(name):
            yield make_warning(
                document,
                number,
                "emoji-name",
                gettext_noop(
                    "readers would see the letters `:%(name)s:`. Write the character %(emoji)s itself, or "
                    "leave it out."
                ),
                name=name,
                emoji=emoji,
            )


def _check_titles(document: AnyDocument) -> Iterator[Problem]:
    front_matter = document.front_matter
    for key_path in _TITLES:
        text = front_matter.text(*key_path)
        if found := _MARKUP.search(text):
            yield make_warning(
                document,
                front_matter.line_of(*key_path),
                "markup-in-title",
                gettext_noop(
                    "`%(key)s` is sent as it is written, so readers would see the signs in %(signs)s. "
                    "Write the words alone."
                ),
                key=".".join(map(str, key_path)),
                signs=f"{found[0]!r}",
            )

"""The names that chat programs turn into emoji, such as ``:tada:``, with the character each stands for.

Only names in common use: an unknown word between colons is probably not meant as one.
"""

from collections.abc import Mapping
from types import MappingProxyType

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
"""The emoji by its name, without the colons."""

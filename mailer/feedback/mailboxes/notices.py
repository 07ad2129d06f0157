"""What a mailbox has to tell the operator: every trouble once, not once a minute."""

from collections.abc import Callable


class Notices:
    """Messages about one mailbox, called ``name``, for ``say``. Not thread-safe."""

    def __init__(self, name: str, say: Callable[[str], None]) -> None:
        self._name = name
        self._say = say
        self._troubles: dict[str, str] = {}

    def say(self, words: str) -> None:
        """Say something that is worth a line every time."""
        self._say(f"{self._name}: {words}")

    def report_trouble(self, subject: str, words: str) -> None:
        """Say what is wrong with ``subject``, unless that was the last thing said of it."""
        if self._troubles.get(subject) != words:
            self._troubles[subject] = words
            self.say(words)

    def clear_trouble(self, subject: str, words: str = "") -> None:
        """Forget the trouble with ``subject``, and say ``words`` if there was one."""
        if self._troubles.pop(subject, "") and words:
            self.say(words)

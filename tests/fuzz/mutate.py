"""Makes inputs that are nearly right: changed copies of good ones."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import Literal

Kind = Literal["stream", "offsets", "text"]

# Larger inputs would test the speed of the machine.
MAX_BYTES = 1 << 18
# Where lengths, signs and types end.
_BYTES = (0, 1, 0x20, 0x7F, 0x80, 0xFE, 0xFF)
_WORDS = (0, 1, 0x7F, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_NUMBERS = (
    *(b"0", b"-0", b"-1", b"1", b"7", b"255", b"256", b"65536", b"2147483648", b"-2147483649"),
    *(
        b"18446744073709551616",
        b"1e999",
        b"-1e999",
        b"nan",
        b"inf",
        b"0.0000001",
        b"1_0",
        b"0x10",
        b"9" * 5000,
    ),
)
_TOKEN = re.compile(rb'"[^"\n]*"|[\w.+-]+')
_NUMBER = re.compile(rb"\d+(?:\.\d+)?")


class Mutator:
    """Draws inputs; the same seed and the same corpus give the same inputs."""

    def __init__(self, seed: int | str, dictionary: Sequence[bytes] = (), kind: Kind = "stream") -> None:
        """Starts a sequence of inputs.

        Args:
            seed: Seed of all choices.
            dictionary: Words that mean something in the format.
            kind: Which changes come furthest: those that keep the length, in a format whose parts are found
                by their distance, or of words, in a text.
        """
        self._random = random.Random(seed)
        self._dictionary = tuple(dictionary)
        self._changes = (
            *(self._flip, self._flip, self._set_byte, self._set_word, self._number),
            *((self._flip, self._set_word, self._overwrite_word) * (60 if kind == "offsets" else 0)),
            *((self._replace_token, self._replace_token, self._remove_token) * (20 if kind == "text" else 0)),
            *(self._truncate, self._remove, self._repeat, self._move, self._noise),
            *((self._insert_word, self._insert_word, self._overwrite_word) if dictionary else ()),
        )

    def mutate(self, corpus: Sequence[bytes]) -> bytes:
        """Returns a changed copy of one of the inputs of a corpus, `MAX_BYTES` at most."""
        content = self._random.choice(corpus)
        if self._random.random() < 0.1:
            content = self._splice(content, self._random.choice(corpus))
        # Mostly one change, which is what comes furthest.
        for _ in range(self._random.choice((1, 1, 1, 2, 2, 3, 5, 9))):
            content = self._random.choice(self._changes)(content)
        return content[:MAX_BYTES]

    def _range(self, content: bytes, longest: int = 64) -> tuple[int, int]:
        start = self._random.randrange(len(content) + 1)
        return start, min(len(content), start + self._random.randint(1, longest))

    def _flip(self, content: bytes) -> bytes:
        if not content:
            return content
        at = self._random.randrange(len(content))
        return content[:at] + bytes((content[at] ^ 1 << self._random.randrange(8),)) + content[at + 1 :]

    def _set_byte(self, content: bytes) -> bytes:
        at = self._random.randrange(len(content) + 1)
        return content[:at] + bytes((self._random.choice(_BYTES),)) + content[at + 1 :]

    def _set_word(self, content: bytes) -> bytes:
        width = self._random.choice((2, 4))
        word = self._random.choice(_WORDS) + self._random.choice((0, 0, -1, 1))
        order = self._random.choice(("little", "big"))
        encoded = (word % (1 << 8 * width)).to_bytes(width, "little" if order == "little" else "big")
        at = self._random.randrange(len(content) + 1)
        return content[:at] + encoded + content[at + width :]

    def _number(self, content: bytes) -> bytes:
        """Replaces a number that is written in digits."""
        found = list(_NUMBER.finditer(content))
        if not found:
            return self._flip(content)
        match = self._random.choice(found)
        return content[: match.start()] + self._random.choice(_NUMBERS) + content[match.end() :]

    def _replace_token(self, content: bytes) -> bytes:
        """Replaces a word, number or quoted text by a word of the format or by another token."""
        found = list(_TOKEN.finditer(content))
        if not found:
            return self._insert_word(content)
        match, other = self._random.choice(found), self._random.choice(found)[0]
        word = self._random.choice((other, *(self._random.choice(self._dictionary) for _ in range(4))))
        if match[0].startswith(b'"') and not word.startswith(b'"') and self._random.random() < 0.9:
            word = b'"' + word + b'"'
        return content[: match.start()] + word + content[match.end() :]

    def _remove_token(self, content: bytes) -> bytes:
        """Removes what is between two tokens, and one of them."""
        found = list(_TOKEN.finditer(content))
        if len(found) < 2:
            return content
        number = self._random.randrange(len(found) - 1)
        return content[: found[number].start()] + content[found[number + 1].start() :]

    def _truncate(self, content: bytes) -> bytes:
        return content[: self._random.randrange(len(content) + 1)]

    def _remove(self, content: bytes) -> bytes:
        start, end = self._range(content)
        return content[:start] + content[end:]

    def _repeat(self, content: bytes) -> bytes:
        start, end = self._range(content)
        times = self._random.choice((1, 1, 2, 9, 100, 3000))
        return (content[:end] + content[start:end] * times)[:MAX_BYTES] + content[end:]

    def _move(self, content: bytes) -> bytes:
        start, end = self._range(content, 512)
        rest = content[:start] + content[end:]
        at = self._random.randrange(len(rest) + 1)
        return rest[:at] + content[start:end] + rest[at:]

    def _noise(self, content: bytes) -> bytes:
        start, end = self._range(content, 16)
        return content[:start] + self._random.randbytes(self._random.randint(0, 16)) + content[end:]

    def _insert_word(self, content: bytes) -> bytes:
        at = self._random.randrange(len(content) + 1)
        return content[:at] + self._random.choice(self._dictionary) + content[at:]

    def _overwrite_word(self, content: bytes) -> bytes:
        word = self._random.choice(self._dictionary)
        at = self._random.randrange(len(content) + 1)
        return content[:at] + word + content[at + len(word) :]

    def _splice(self, first: bytes, second: bytes) -> bytes:
        return (
            first[: self._random.randrange(len(first) + 1)]
            + second[self._random.randrange(len(second) + 1) :]
        )

"""Words in both languages, and how a page shows one of them."""

from __future__ import annotations

from html import escape
from typing import Final, Literal, NamedTuple

Language = Literal["en", "zh-CN"]
LANGUAGES: Final[tuple[Language, ...]] = ("en", "zh-CN")


class Words(NamedTuple):
    """The same in English and Simplified Chinese."""

    en: str
    zh: str

    def to(self, language: Language) -> str:
        """Return the words of one language.

        >>> Words("head", "模型头").to("zh-CN")
        '模型头'
        """
        return self.en if language == "en" else self.zh

    def fill(self, **values: object) -> Words:
        """Return the words with `{names}` replaced by values."""
        return Words(self.en.format(**values), self.zh.format(**values))


def same(text: str) -> Words:
    """Return a name or number that is written alike in both languages."""
    return Words(text, text)


def tag(name: str, words: Words, attributes: str = "") -> str:
    """Return an element in both languages; the page's switch shows one of them.

    >>> tag("b", Words("a < b", "甲 < 乙"))
    '<b lang="en">a &lt; b</b><b lang="zh-CN">甲 &lt; 乙</b>'
    """
    if words.en == words.zh:
        return f"<{name}{attributes}>{escape(words.en)}</{name}>"
    return "".join(
        f'<{name} lang="{language}"{attributes}>{escape(words.to(language))}</{name}>'
        for language in LANGUAGES
    )


def span(words: Words) -> str:
    """Return words inside a line, in both languages."""
    return escape(words.en) if words.en == words.zh else tag("span", words)

"""A text as clauses: the smallest parts that a model can be asked about, and that can go without the others.

A sentence is a row of parts, each behind what joins it to the one before: "Navy top | with | a hood, | a zip | and |
two pockets." Cutting is by its joints alone, so that it works in every language whose joints ``clauses.yaml`` names.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict

from listing.languages import ENGLISH
from listing.lexicon import words as lexicon_words

_QUOTED = re.compile(r"[\"“”„«‘][^\"“”„«»’]{1,80}[\"“”»’]|(?<!\w)'[^']{1,60}'(?!\w)")
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_UNCHECKED = lexicon_words("unchecked")
_PLACE = re.compile(r"(?:on|in|at|of|around|across|down|along|for|from|to|under|over|inside)\b")
_VERB = re.compile(rf"(?:{'|'.join(lexicon_words('verbs'))})\b")
_JOINT_BEFORE, _JOINT_BEHIND = re.compile(r"(?:\s*,|\s+(?:and|or))+$"), re.compile(r"^(?:,|and\b|or\b)\s*")
_ARTICLE_BEFORE = re.compile(r"\b(?:an?|the)$", re.I)
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_SENTENCE = re.compile(r"(?:\"[^\"\n]*\"|[.!?](?=\w)|[^.!?\n])*[.!?\n]*\s*")  # print in quotation marks ends none
Joint = Literal["first", "list", "with", "own"]  # how a part stands to the one before it


class Joints(BaseModel):
    """The joints of one language, as regular expressions of whole words.

    lists: of equals. withs: what hangs on the part before it. leads: what opens a sentence about the thing without a
    claim of its own. articles, verbs, small: words of no weight. empty: nouns that say nothing without a word before
    them. has: (one thing, several) what a list may open with. always, never: a claim that is true of every photo of a
    thing, and some that are of none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    lists: str
    withs: str
    leads: str
    articles: str
    verbs: str
    small: str
    empty: str = ""
    has: tuple[str, str]
    always: str
    never: tuple[str, ...]


@lru_cache(maxsize=1)
def _languages() -> dict[str, Joints]:
    raw = yaml.safe_load(Path(__file__).with_name("clauses.yaml").read_text(encoding="utf-8"))
    return {name: Joints.model_validate(entry) for name, entry in raw.items()}


def joints(language: str = ENGLISH) -> Joints:
    """The joints of a language, those of English where it has none of its own."""
    return _languages().get(language, _languages()[ENGLISH])


@dataclass(frozen=True)
class Part:
    """A clause of a sentence: ``text`` behind its ``joint``, which stands there as ``between``."""

    between: str
    text: str
    joint: Joint
    start: int = 0  # of ``text`` in the whole text

    @property
    def end(self) -> int:
        """Behind its last character."""
        return self.start + len(self.text)


@dataclass(frozen=True)
class Sentence:
    """Parts in a row; ``stop``: what ends it, with the blanks behind."""

    parts: tuple[Part, ...]
    stop: str
    language: str = ENGLISH

    def __str__(self) -> str:
        return "".join(part.between + part.text for part in self.parts) + self.stop


def split(text: str) -> list[tuple[int, int]]:
    """Spans of the sentences, each with the blanks behind it."""
    return [match.span() for match in _SENTENCE.finditer(text) if match[0]]


def letters(text: str) -> str:
    """Letters and digits alone, in lower case: how print is compared."""
    return re.sub(r"[\W_]+", "", text.lower())


def sentences(text: str, language: str = ENGLISH) -> list[Sentence]:
    """The sentences of a text; joined again they are the text."""
    found = []
    for at, end in split(text):
        whole = text[at:end]
        body = whole.rstrip().rstrip(".!?")
        found.append(Sentence(tuple(_parts(body, at, language)), whole[len(body) :], language))
    return found


@lru_cache(maxsize=32)
def _border(language: str) -> re.Pattern[str]:
    words = joints(language)
    either = rf"{words.lists}|{words.withs}"
    return re.compile(
        rf"(?:\s*[,;:](?!\d)(?:\s+(?:{either})(?=\s))?|\s+[–—-](?=\s)|\s*[()]|\s+(?:{either})(?=\s))\s*", re.IGNORECASE
    )


def _parts(body: str, at: int, language: str) -> list[Part]:
    """The parts of a sentence without its stop; no joint inside quotation marks, none between two colours of one."""
    words, quoted = joints(language), [m.span() for m in _QUOTED.finditer(body)]
    lead = re.match(rf"\s*(?:(?:{words.leads})\s+)?(?=\S)", body, re.IGNORECASE)
    begin = lead.end() if lead else 0
    parts = [Part(body[:begin], "", "first", at + begin)]
    for match in _border(language).finditer(body, begin):
        if any(a < match.end() and match.start() < b for a, b in quoted):
            continue
        text = body[parts[-1].start - at : match.start()]
        if not text or _open(text, body[match.end() :], match[0], words):
            continue
        parts[-1] = replace(parts[-1], text=text)
        parts.append(Part(match[0], "", _joint(match[0], words), at + match.end()))
    parts[-1] = replace(parts[-1], text=body[parts[-1].start - at :])
    return parts


def _joint(between: str, words: Joints) -> Joint:
    if re.search(rf"\b(?:{words.withs})\b", between, re.IGNORECASE):
        return "with"
    return "own" if re.search(r"[;:()–—]|\s-\s", between) else "list"


def _open(before: str, after: str, between: str, words: Joints) -> bool:
    """True if the words before a joint have no noun of their own: "black and white stripes", "soft, thin wool"."""
    if not re.fullmatch(rf"\s*(?:,|(?:{words.lists}))\s*", between, re.IGNORECASE):
        return False
    last = (_WORD.findall(before) or [""])[-1].lower()
    following = _WORD.findall(re.split(r"[.,;:!?]", after)[0])
    return last in adjectives() and len(following) > 1 and not re.match(rf"(?:{words.articles})\b", after, re.I)


@lru_cache(maxsize=1)
def adjectives() -> frozenset[str]:
    """English words that stand before a noun and not for one."""
    raw = yaml.safe_load(Path(__file__).with_name("adjectives.yaml").read_text(encoding="utf-8"))
    return frozenset(word for line in raw for word in line.split())


def claim_of(part: Part, language: str = ENGLISH, without: Collection[tuple[int, int]] = ()) -> str:
    """A part as a claim to ask about: one line, without print, figures and what opens it.

    ``without``: characters of the text (start, end) that need no asking, names and print.
    """
    text = "".join(
        " " if any(a <= part.start + i < b for a, b in without) else letter for i, letter in enumerate(part.text)
    )
    text = _QUOTED.sub(" ", text)
    text = re.sub(r"\b(\d{1,2})\b(?! ?[.,%/])", lambda m: _NUMBERS[int(m[1])] if int(m[1]) <= 10 else " ", text)
    text = re.sub(r"\d+\S*", " ", text)
    words = joints(language)
    opening = rf"^(?:(?:{words.articles}|{words.lists}|{words.leads})\s+)+"
    text = re.sub(opening, "", re.sub(r"\s+", " ", text).strip(" ,.;:!?-–—()"), flags=re.IGNORECASE)
    return text if content(text, language) else ""


def content(text: str, language: str = ENGLISH) -> list[str]:
    """The words of a text that carry meaning, in lower case."""
    small = set(joints(language).small.split())
    return [w for w in _words(text) if w not in small and len(w) > 1]


def says_nothing(text: str, language: str = ENGLISH) -> bool:
    """True of a text without a word that says something by itself: "a pattern"."""
    return {*content(text, language)} <= {*joints(language).empty.split()}


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def bare(text: str) -> str:
    """A claim's words that can be checked, without those that say where and how: "white drawstring hood"."""
    return " ".join(word for word in content(text) if not set(re.split("[-’']", word)) <= _UNCHECKED)


def shorter(text: str) -> list[tuple[str, str]]:
    """A claim's words that can be checked left out one by one: (what is left, the word).

    So that the one false word of "a white drawstring hood" can go alone.
    """
    words = bare(text).split()
    if not 2 <= len(words) <= 7:
        return []
    return [(" ".join(w for j, w in enumerate(words) if j != i), word) for i, word in enumerate(words)]


def without_parts(sentence: Sentence, gone: Collection[int], *, plural: bool = False) -> str:
    """The sentence without some of its parts (by number), as a whole sentence; "" where nothing is left to say."""
    if not gone:
        return str(sentence)
    words, left = joints(sentence.language), [*_left(sentence, gone)]
    if not left:
        return ""
    stay = {part.start for part in left}
    joined = any(re.search(rf"\b(?:{words.lists})\b", p.between, re.I) for p in sentence.parts if p.start not in stay)
    parts = _listed(left, words) if joined else left  # a list without "and" gets none
    first = parts[0]
    lead = first.between if first.joint == "first" else ""
    article = re.match(rf"(?:{words.articles})\s", first.text, re.IGNORECASE)
    if first.joint == "with" or (first.joint == "list" and article and not _own_verb(first.text, words)):
        lead = f"{words.has[plural]} "
    body = lead + first.text + "".join(part.between + part.text for part in parts[1:])
    body = body.strip(" ,;:–—-")
    if not content(body, sentence.language):
        return ""
    opening = body[:1].upper() if str(sentence)[:1].isupper() or first.joint != "first" else body[:1]
    return opening + body[1:] + sentence.stop


def _own_verb(text: str, words: Joints) -> bool:
    return re.search(rf"\b(?:{words.verbs})\b", text, re.IGNORECASE) is not None


def _left(sentence: Sentence, gone: Collection[int]) -> list[Part]:
    """The parts that stay: what hangs on a part goes with it, the next of a list takes the joint of the first."""
    left: list[Part] = []
    opener: Part | None = None  # the joint of a part that went, for the next of its list
    dropped_head = False
    for number, here in enumerate(sentence.parts):
        part = here
        hangs = part.joint == "with" and number > 0 and number - 1 in gone and number - 1 > 0
        if number in gone or (hangs and dropped_head):
            if part.joint in ("first", "with") and opener is None:
                opener = part
            dropped_head = part.joint != "first"
            continue
        dropped_head = False
        if opener is not None and part.joint == "list" and (opener.joint == "first" or _equal(sentence, part)):
            keeps_lead = opener.joint == "with" or bool(opener.between.strip())
            part = replace(part, between=opener.between, joint=opener.joint if keeps_lead else "list")
        opener = None
        left.append(part)
    return left


def _equal(sentence: Sentence, part: Part) -> bool:
    """True if a part hangs on what its list hangs on: not the "size M" of "with a hood, size M"."""
    words = joints(sentence.language)
    joined = any(re.search(rf"\b(?:{words.lists})\b", p.between, re.I) for p in sentence.parts if p.start >= part.start)
    return joined or re.match(rf"(?:{words.articles})\s", part.text, re.I) is not None


def _listed(parts: Sequence[Part], words: Joints) -> list[Part]:
    """A list whose last "and" went gets one again: "a hood, a zip" is "a hood and a zip"."""
    joint = re.split(r"\||\\", words.lists)[0]
    out = list(parts)
    for number, part in enumerate(out):
        ends = number + 1 == len(out) or out[number + 1].joint != "list"
        begun = number > 0 and out[number - 1].joint in ("with", "first", "list")
        joined = re.search(rf"\b(?:{words.lists})\b", part.between, re.IGNORECASE)
        in_list = number > 1 and out[number - 1].joint in ("with", "list") and out[number - 1] is not out[0]
        if part.joint == "list" and ends and begun and not joined and in_list:
            out[number] = replace(part, between=f" {joint} ")
    return out


def without_word(text: str, start: int, end: int) -> str:
    """``text`` without the word at ``start``..``end``; the article before it follows the next word."""
    before = _JOINT_BEFORE.sub("", text[:start].rstrip(" -"))
    after = text[end:].lstrip(" -")
    first = before == text[:start].rstrip(" -")  # of a list, or alone
    other = re.match(r"(?:and|or)\s+([\w-]+)", after)
    if not before or _ARTICLE_BEFORE.search(before) or (first and other and other[1].lower() in adjectives()):
        after = _JOINT_BEHIND.sub("", after)
    left = f"{before} {after}" if before and after and after[:1] not in ",.;:!?)" else before + after
    article = re.search(r"\b([Aa])(n?)$", before)
    if article and after[:1].isalpha():
        vowel = after[:1].lower() in "aeiou"
        left = f"{before[: article.start()]}{article[1]}{'n' if vowel else ''} {after}"
    elif not before and text[:1].isupper():
        left = left[:1].upper() + left[1:]
    return left


@dataclass
class Cut:
    """What is to go from a text: whole parts by sentence, and single words as characters (start, end)."""

    parts: dict[int, set[int]] = field(default_factory=dict)
    words: list[tuple[int, int]] = field(default_factory=list)


def _without_words(part: Part, words: Sequence[tuple[int, int]]) -> Part:
    text = part.text
    for start, end in sorted((w for w in words if part.start <= w[0] and w[1] <= part.end), reverse=True):
        text = without_word(text, start - part.start, end - part.start)
    return replace(part, text=text)


def cut(text: str, gone: Cut, language: str = ENGLISH, *, plural: bool = False) -> str:
    """The text without them; a sentence of which nothing is left goes as a whole."""
    out = ""
    for number, sentence in enumerate(sentences(text, language)):
        left = replace(sentence, parts=tuple(_without_words(part, gone.words) for part in sentence.parts))
        husks = {
            n for n, part in enumerate(left.parts) if part != sentence.parts[n] and says_nothing(part.text, language)
        }
        words = without_parts(left, husks | gone.parts.get(number, set()), plural=plural)
        if not words and "\n" in sentence.stop and out[-1:] not in ("", "\n"):  # its paragraph ends here
            words, out = sentence.stop.lstrip(" .!?"), out.rstrip()
        out += words
    return out.strip()


def without_span(text: str, start: int, end: int, *, plural: bool = False) -> str:
    """``text`` without the words at ``start``..``end`` (characters); a clause that would break goes as a whole."""
    start, end = _whole_words(text, start, end)
    small, gone = set(joints().small.split()), Cut()
    for number, sentence in enumerate(sentences(text)):
        for n, part in enumerate(sentence.parts):
            a, b = max(start, part.start), min(end, part.end)
            if a >= b:
                continue
            left = without_word(part.text, a - part.start, b - part.start)
            stump = bool({*_words(left)[-1:]} & small)  # it would end in a word of no weight
            bare_opening = not n and not part.between.strip() and _words(left) == content(left)  # "Navy with a hood"
            maker = not text[b : part.end].strip() and re.search(r"\w(\s+(?:by|from|for)\s+)$", text[part.start : a])
            if maker:
                gone.words.append((a - len(maker[1]), b))
                continue
            headless = has_no_noun_behind(part.text, b - part.start) and not bare_opening
            if headless or stump or says_nothing(left):
                gone.parts.setdefault(number, set()).add(n)
            else:
                gone.words.append((a, b))
    return cut(text, gone, plural=plural)


def _whole_words(text: str, start: int, end: int) -> tuple[int, int]:
    """Half a word, or half of "wool-blend", says something else: it goes with its other half."""
    while start > 0 and text[start].isalnum() and re.search(r"(?:\w|\w-)$", text[:start]):
        start -= 1
    while end < len(text) and text[end - 1].isalnum() and re.match(r"\w|-\w", text[end:]):
        end += 1 + (text[end] == "-")
    return start, end


def has_no_noun_behind(text: str, end: int) -> bool:
    """True if nothing stands behind a word that it could belong to: without it a phrase has no noun."""
    rest = text[end:].strip(" -")
    return not rest or _PLACE.match(rest) is not None or _VERB.match(rest) is not None

"""Handles by a score: the shape of a word (``lea_moreau``, ``tomas88``) plus what announces it (a network, however it is
misspelt, a verb of finding, an icon). Each feature has a weight of its own in ``WEIGHTS``; a word is a handle from ``ENOUGH``.

This is the second opinion beside the patterns of ``contacts_messengers``: it needs no list of phrases.
"""

# ruff: noqa: E501  (a pattern or a list is read in one piece)
from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path

import yaml

from listing.lexicon import load_lexicon
from listing.safety.fold import ContactSpan, Folded

WEIGHTS = {
    "underscore": 2.0,
    "dot": 1.0,
    "letters-and-digits": 1.0,
    "at-sign": 1.0,
    "network": 1.5,
    "asking": 1.0,
    "naming": 1.5,
    "icon": 1.5,
    "colon": 0.5,
    "behind": 1.5,
    "pointing": 0.5,
    "unheard": 0.5,
    "announced": 1.0,
}
ENOUGH = 2.5
_WINDOW, _AHEAD = 34, 24
_WORD_CHARS = "abcdefghijklmnopqrstuvwxyz"
# 'my snap is', 'meu insta é': networks are taken out before this is asked.
_MINE = r"(?:my|mein|mon|mi|mio|meu|minha|moj|mijn|мой|моя)\W{1,3}(?:s|is|ist|est|es|e|to)"
_PLACED = re.compile(r"\b(?:(?:on|at|auf|bei|su|sur|en|em|no|na|w|op|di|de|do|в|на)\s)?([^\W\d_]+)")
_NOT_A_NETWORK = re.compile(r"\b(?:north|poker|baby|smiley) face\b|\bsignal (?:red|blue|orange|yellow|green)\b")
_CANDIDATE = re.compile(
    r"(?<![\w.@/#$-])@?(?=[\w.]*[a-z])[a-z0-9_][\w.]{2,30}[a-z0-9_](?:(?![\w@/-])|-[a-z]+(?:-[a-z]+)?(?![\w@/.-]))"
)
_FILE = re.compile(
    r"^(?:img|dsc|pic|photo|image|file|screenshot|vid)_?\d|\.(?:jpe?g|png|webp|pdf|gif|mp4)$|^v?\d+(?:\.\d+)+$"
)
# 'size38', '100ml', 'y2k', 'ps4': letters and figures that describe.
_MEASURE = re.compile(
    r"\d+(?:[a-z]{1,4}|inch|piece)|(?:size|gr|uk|us|eu|no|nr|vol|part|step|level|art|style|lot|ref|summer|winter|spring|autumn|"
    r"aw|ss|fw|mod|model|type|gen|page|room|set|top|age|class|grade|iphone|galaxy|ipad|throwback|est)\d+\w?|[a-z]{1,2}\d{1,3}\w?"
)
_DECADE_OR_BRAND = re.compile(
    r"(?:[a-z]\.){2,}[a-z]?\.?|(?:e\.g|i\.e|a\.m|p\.m|approx|incl|excl|etc|vs|dr|st|no|nr|mr|mrs)\..*"
)
# 'the paper plane app', 'ghost app': what people call a network that they do not want to name.
_APP = re.compile(
    r"\b(?:plane|ghost|green|blue|bird|camera|clock|yellow|purple|chat|photo|dance|video)\W+(?:\w+\W+)?app\W"
)
_SPACED = re.compile(r"(?<![\w'])(?:[a-z0-9_.] ){4,}[a-z0-9_](?![\w'])")
_SURE = re.compile(r"(?<![\w/])u/[\w.-]{3,}|@[\w.]{2,}@[\w-]+(?:\.[\w-]+)+")
_SAME = re.compile(r"same\s+(?:as\s+)?(?:my\s+|the\s+)?(?:user\s?|shop\s?|profile\s?)?(?:name|nick|handle|as here)(?:\s+(?:as\s+)?(?:here|on here))?|"
                   r"(?:is|=|like)\s+(?:the\s+same|my\s+(?:user\s?|shop\s?|profile\s?)name)(?:\s+(?:as|on|here|my|user\s?name|name|shop))*")  # fmt: skip


@cache
def _lists() -> dict[str, frozenset[str]]:
    raw = yaml.safe_load(Path(__file__).with_name("contacts_words.yaml").read_text(encoding="utf-8"))
    return {name: frozenset(words.split()) for name, words in raw.items()}


def word_list(name: str) -> frozenset[str]:
    """A list of ``contacts_words.yaml`` by its name."""
    return _lists()[name]


def spaced(name: str) -> frozenset[str]:
    """``word_list`` as parts of a pattern: an underscore stands for a blank."""
    return frozenset(word.replace("_", r"\s") for word in word_list(name))


@lru_cache(maxsize=4096)
def is_network(word: str) -> bool:
    """Whether a word is a network's name, a nickname of one, or one slip of the pen away ('telegrm', 'wechatt')."""
    from rapidfuzz.distance import OSA

    lists = _lists()
    if word in lists["networks"] or word in lists["nicknames"]:
        return True
    if len(word) < 6 or word in lists["not_networks"]:
        return False
    plain = word.translate(str.maketrans("01345@$", "oieasas"))
    allowed = 1 if len(plain) < 8 else 2
    return any(n[0] == plain[0] and OSA.distance(plain, n, score_cutoff=allowed) <= allowed for n in lists["networks"])


def misspelt_networks(text: str) -> list[str]:
    """Words of a folded text that are a network's name only with one or two slips."""
    known = _lists()
    return [w for w in set(re.findall(r"[a-z][a-z0-9@$]{5,12}", text)) if w not in known["networks"] and is_network(w)]


@cache
def _joined() -> re.Pattern[str]:
    """Handles whose joints are words: 'lea underscore moreau 7'."""
    joints = "|".join(sorted(spaced("joint") | word_list("dot"), key=len, reverse=True))
    return re.compile(rf"(?<!\w)[a-z0-9]{{2,}}(?:\s(?:{joints})\s[a-z0-9]{{1,20}}){{1,3}}(?:\s\d{{1,4}})?(?!\w)")


def _shape(word: str) -> dict[str, bool]:
    bare = word.lstrip("@")
    return {
        "underscore": "_" in bare.strip("_") or (bare[0] == "_" and len(bare.strip("_")) > 3),
        "dot": bool(re.search(r"[a-z]{2,}\.[a-z]{2,}", bare)),
        "letters-and-digits": bool(re.search(r"[a-z]{2,}.*\d|\d.*[a-z]{3,}", bare)) and not _MEASURE.fullmatch(bare),
        "at-sign": word[0] == "@",
    }


_CLAUSE_ENDS = re.compile(
    r"\W{0,2}(?:$|[.,;:!?)\n(/|&]|[-–] |(?:on|at|over|auf|bei|sur|chez|en|em|su|op|w|na|no|на|в|and|und|et|y|e|i|и)\b)"
)


def _unheard(word: str, before: str, after: str) -> bool:
    """A plain word that no description of things has, at the end of a clause: announced, it is a name."""
    lexicon = load_lexicon()
    known = any(
        part in lexicon.common or part in lexicon.nouns or part in word_list("never_handles")
        for part in (word, *word.split("-"))
    )
    return (
        word.replace("-", "").isalpha()
        and len(word) > 4
        and not known
        and not is_network(word)
        and bool(_CLAUSE_ENDS.match(after))
        and bool(_announcing().search(_without_networks(before)))
    )


def _sides(text: str, start: int, end: int) -> tuple[str, str]:
    """What stands before and after, without the words that the window cuts in two ('analogue wa|tch')."""
    before, after = text[max(0, start - _WINDOW) : start], text[end : end + _AHEAD]
    if start > _WINDOW and text[start - _WINDOW - 1].isalnum():
        before = before.lstrip(_WORD_CHARS)
    if end + _AHEAD < len(text) and text[end + _AHEAD].isalnum():
        after = after.rstrip(_WORD_CHARS)
    return before, after


def _around(before: str, after: str) -> dict[str, bool]:
    lists = _lists()
    clause = _NOT_A_NETWORK.sub(" ", re.split(r"[.!?]\s|\n", before)[-1])
    words = re.findall(r"[^\W\d_]+", clause)[-5:]
    return {
        "network": any(is_network(w) for w in words) or bool(_APP.search(clause)),
        "asking": any(w in lists["asking"] for w in words),
        "naming": any(w in lists["naming"] for w in words[-3:]),
        "icon": any(icon in before[-5:] for icon in lists["icons"]),
        "colon": bool(re.search(r"(?:[:=~|>→➡-]|\b(?:is|as|est|es|e|soy|ist|ich|sono|to))\s*$", before)),
        "behind": any(is_network(w) for w in re.findall(r"[^\W\d_]+", after)[:5]),
        "pointing": any(w in lists["places"] for w in words[-3:]),
        "announced": bool(_announcing().search(_without_networks(clause))),
    }


def _without_networks(clause: str) -> str:
    """'nick su telegram e ' as 'nick  e '."""
    return _PLACED.sub(lambda m: "" if is_network(m[1]) else m[0], clause)


@cache
def _announcing() -> re.Pattern[str]:
    """Phrases of ``announcing``, where they end a text: 'in telegram ich heisse |'."""
    phrases = "|".join(sorted((p.replace("_", r"\W{1,2}") for p in word_list("announcing")), key=len, reverse=True))
    return re.compile(
        rf"(?<!\w)(?:{phrases}|{_MINE})\W{{0,3}}(?:(?:is|ist|est|es|e|to|on|auf|op|sur|en|su|no|na)\s+)?(?:(?:the|dem|le|el|il)\s+)?['\"«„“]?$"
    )


def score(word: str, before: str, after: str) -> float:
    """Sum of the weights of the features that hold; words without any feature of shape score 0."""
    shape = {**_shape(word), "unheard": _unheard(word, before, after)}
    if not any(shape.values()) or _FILE.search(word) or _DECADE_OR_BRAND.fullmatch(word):
        return 0.0
    around = _around(before, after)
    if not (around["network"] or around["behind"] or around["icon"]):  # 'low profile midsole'
        shape["unheard"] = around["announced"] = False
        if not any(shape.values()):
            return 0.0
    around["asking"] &= not around["naming"]
    if not any(around[name] for name in ("network", "asking", "naming", "icon", "behind", "pointing", "announced")):
        return 0.0
    return sum(WEIGHTS[name] for name, holds in {**shape, **around}.items() if holds)


def find_handles(folded: Folded) -> Iterator[ContactSpan]:
    """Spans of handles by their score, and of 'insta, same name as here'."""
    text = folded.lower
    for found in _CANDIDATE.finditer(text):
        if re.search(r"[a-z0-9]\.[A-Z]", folded.cased[found.start() : found.end()]):
            continue  # two sentences without a blank
        before, after = _sides(text, *found.span())
        if score(found[0], before, after) >= ENOUGH:
            yield folded.span("messenger", *found.span())
    for found in _SURE.finditer(text):
        yield folded.span("messenger", *found.span())
    for pattern in (_SPACED, _joined()):
        for found in pattern.finditer(text):
            around = _around(*_sides(text, *found.span()))
            if around["network"] or around["naming"] or around["behind"] or around["icon"]:
                yield folded.span("messenger", *found.span())
    for found in _SAME.finditer(text):
        left = max(text.rfind("\n", 0, found.start()), found.start() - 24, 0)
        near = [m for m in re.finditer(r"[^\W\d_]+", text[left : found.end() + 20]) if is_network(m[0])]
        if near:
            start, end = min(found.start(), left + near[0].start()), max(found.end(), left + near[-1].end())
            yield folded.span("messenger", start, end)

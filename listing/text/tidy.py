"""Say each thing once: what a small model repeats, breaks off or fills in is taken out of its text.

This adds no word and changes no fact; what is true stays true. It comes after the checks, which may leave a torn
sentence behind.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from listing.lexicon import load_lexicon

_SENTENCE = re.compile(r"[^.!?]+[.!?]*(?:[\"”])?\s*")
_TWICE = re.compile(r"\b((?:an? |the )?[\w'’-]+) and \1\b", re.IGNORECASE)
_PIECE = re.compile(
    r"(?P<link>,| and| with| has| have) (?:an? |the )?(?P<words>[\w'’-]+(?: [\w'’-]+){0,2}?)(?=[,.!?]| and | with |$)"
)
_WORD = re.compile(r"[\w’'-]+")
_PULL_ON = re.compile(r"\b(It|They) closes? with (?:an? )?\"?pull-on\"?(?=[.!?]|$)")
_TORN = re.compile(r"(?:and|or|with|on|of|by|in)\b", re.IGNORECASE)
_BARE = re.compile(r"(?:It|They)?[\s.,!?]*")
_CARRIES = (" with", " has", " have")  # what stands before the first piece stays for the next one


def tidy(text: str, told: Mapping[str, str], *, filler: bool = False) -> str:
    """The text without repetitions, torn sentences and, unless ``filler``, later sentences that say no fact.

    Args:
        text: a title or a description, already checked.
        told: the verified facts that it was written from.
        filler: whether sentences without a fact belong to the tone.
    """
    said: set[str] = set()
    kept: list[str] = []
    text = _PULL_ON.sub(lambda m: f"You just pull {'it' if m[1] == 'It' else 'them'} on", text)
    for found in _SENTENCE.finditer(_neighbours(_TWICE.sub(r"\1", text), told)):
        sentence = _once(found[0].strip(), told, said)
        torn = _TORN.match(sentence)
        if _BARE.fullmatch(sentence) or (torn and torn[0] != "With"):
            continue
        new = _facts(sentence, told) - said
        if kept and not new and (_facts(sentence, told) or not filler):
            continue
        said |= new
        kept.append(sentence)
    return " ".join(kept)


def _neighbours(text: str, told: Mapping[str, str]) -> str:
    """Of two words side by side that are the same, or both say that it has no pattern ("plain solid"), the first."""
    kept, end, last = [], 0, ""
    for found in _WORD.finditer(text):
        between = text[end : found.start()]
        plain = told.get("pattern") == "solid" and all("pattern" in _facts(word, told) for word in (last, found[0]))
        again = between == " " and (found[0].lower() == last.lower() or plain)
        kept.append("" if again else between + found[0])
        end = found.end()
        last = last if again else found[0]
    return "".join(kept) + text[end:]


def _facts(words: str, told: Mapping[str, str]) -> set[str]:
    """Names of the told facts that the words state."""
    stated = {
        name
        for name, values in load_lexicon().mentions(words).items()
        if told.get(name) in values or (name == "colour" and told.get("colour2") in values)
    }
    return stated | {n for n, v in told.items() if re.search(rf"(?<!\w){re.escape(v)}(?!\w)", words, re.IGNORECASE)}


def _once(sentence: str, told: Mapping[str, str], said: set[str]) -> str:
    """The sentence without pieces ("with a floral pattern") whose facts it, or an earlier sentence, has stated."""
    at = 0
    while found := _PIECE.search(sentence, at):
        here = _facts(found["words"], told)
        before = said | _facts(sentence[: found.start()], told)
        if not here or not here <= before:
            at = found.start("words")
            continue
        rest = sentence[found.end() :]
        if found["link"] in _CARRIES and rest.startswith(" and "):
            rest = f"{found['link']} {rest.removeprefix(' and ')}"
        at, sentence = found.start(), sentence[: found.start()] + rest
    return sentence

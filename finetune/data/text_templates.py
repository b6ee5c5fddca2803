"""The platform's voice: how a private seller would put verified facts into words. Text of our own.

The writer never adds a fact: everything it says stands in ``facts``. It varies order, wording and rhythm, so that the
model learns a voice and not a form. Lines that carry no fact at all (``FRIENDLY``) belong to the warmer tone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from listing.request import Tone
from listing.taxonomy import CategoryNode, Forms, load_taxonomy

FRIENDLY = (
    "Ready for its next owner.",
    "I hope it finds a good home.",
    "Just ask if you would like to know more.",
    "Happy to answer any question.",
    "Looking for someone who will enjoy it.",
    "It would be nice to see it used again.",
    "Have a look at the photos.",
)
FRIENDLY_PLURAL = {
    "Ready for its next owner.": "Ready for their next owner.",
    "I hope it finds a good home.": "I hope they find a good home.",
    "Looking for someone who will enjoy it.": "Looking for someone who will enjoy them.",
    "It would be nice to see it used again.": "It would be nice to see them used again.",
}
_NO_FORMS = Forms()


@dataclass(frozen=True)
class Parts:
    """The facts sorted by where they can be said."""

    colour: str
    before: list[str]
    after: list[str]
    sentences: list[str]
    brand: str
    text: str


def _forms(name: str, value: str) -> Forms:
    """How the taxonomy says that a value is put."""
    return load_taxonomy().attributes[name].forms.get(value, _NO_FORMS)


def _colour(facts: Mapping[str, str], rng: Random) -> str:
    words = [
        rng.choice(_forms(name, value).before or (value.replace("-", " "),))
        for name in ("colour", "colour2")
        if (value := facts.get(name))
    ]
    return " and ".join(dict.fromkeys(words))


def _sort(node: CategoryNode, facts: Mapping[str, str], rng: Random) -> Parts:
    before: list[str] = []
    after: list[str] = []
    sentences: list[str] = []
    for name, value in facts.items():
        if name in ("colour", "colour2", "brand", "text") or value in node.implies:
            continue
        if name == "sleeve" and value.split("-")[0] in node.phrase:
            continue  # "long-sleeved long-sleeved top"
        if name == "audience" and value in node.phrase:
            continue
        forms = _forms(name, value)
        options = [("front", w) for w in forms.before] + [("behind", w) for w in forms.behind]
        if forms.sentence:
            options.append(("alone", forms.sentence[-1 if node.plural else 0]))
        if not options:
            sentences.append(f"{name.replace('_', ' ').capitalize()}: {value}.")
            continue
        where, words = rng.choice(options)
        {"front": before, "behind": after, "alone": sentences}[where].append(words)
    order = {w: i for i, w in enumerate(before)}
    before.sort(key=lambda w: (w.endswith("'s") or w in ("kids'", "baby"), order[w]))
    rng.shuffle(after)
    rng.shuffle(sentences)
    return Parts(
        _colour(facts, rng), [w for w in before if w], after, sentences, facts.get("brand", ""), facts.get("text", "")
    )


def _joined(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _sentence(words: str) -> str:
    text = " ".join(words.split())
    return text[:1].upper() + text[1:]


def _noun(node: CategoryNode, parts: Parts, rng: Random, *, brand: bool) -> str:
    front = list(parts.before)
    owner = [w for w in front if w.endswith("'s") or w in ("kids'", "baby")]
    plain = [w for w in front if w == "plain"]
    rest = [w for w in front if w not in owner and w not in plain]
    colour = [parts.colour] if parts.colour else []
    last = rng.random() < 0.6 or "baby" in owner  # "a baby white bodysuit" is no English
    words = [*plain, *colour, *rest, *owner] if last else [*owner, *plain, *colour, *rest]
    if brand and parts.brand:
        words.insert(0, parts.brand)
    return " ".join([*words, node.phrase])


def title(node: CategoryNode, facts: Mapping[str, str], rng: Random) -> str:
    """A short title, 2 to 9 words or so; the brand first when it is known."""
    parts = _sort(node, facts, rng)
    text = _noun(node, parts, rng, brand=True)
    if parts.after and rng.random() < 0.7:
        text += f" with {rng.choice(parts.after)}"
    elif parts.text and rng.random() < 0.6:
        text += f' with "{parts.text}"'
    return _sentence(text)


def description(node: CategoryNode, facts: Mapping[str, str], tone: Tone, rng: Random) -> str:
    """One to four sentences that say every fact once; the shorter tone keeps the first, the warmer adds a line."""
    parts = _sort(node, facts, rng)
    noun = _noun(node, parts, rng, brand=False)
    by = f" by {parts.brand}" if parts.brand else ""
    opening = rng.choice(("", "", "", "selling ", "this is ", "here is ")) if tone != "shorter" else ""
    if opening in ("this is ", "here is ") and node.plural:
        opening = "these are " if opening == "this is " else "here are "
    article = "" if node.plural or (not opening and rng.random() < 0.6) else _article(noun)
    first = f"{opening}{article}{noun}{by}"
    after = list(parts.after)
    if parts.text:
        after.append(rng.choice((f'the words "{parts.text}"', f'"{parts.text}" on {"them" if node.plural else "it"}')))
    split = tone != "shorter" and len(after) > 2 and rng.random() < 0.5
    now, later = (after[:1], after[1:]) if split else (after, [])
    if now:
        first += f" with {_joined(now)}"
    sentences = [first + "."]
    if later:
        has = rng.choice(("They have", "With")) if node.plural else rng.choice(("It has", "With"))
        sentences.append(f"{has} {_joined(later)}.")
    if tone == "shorter":
        sentences += [s for s in parts.sentences if _is_wear(s)]
    else:
        sentences += parts.sentences
    if tone == "warmer":
        line = rng.choice(FRIENDLY)
        sentences.append(FRIENDLY_PLURAL.get(line, line) if node.plural else line)
    return " ".join(_sentence(s) for s in sentences)


def _article(noun: str) -> str:
    return "an " if noun[:1].lower() in "aeio" else "a "


def _is_wear(sentence: str) -> bool:
    """What a buyer must be told is never dropped for brevity."""
    return any(sentence in forms.sentence for forms in load_taxonomy().attributes["condition"].forms.values())

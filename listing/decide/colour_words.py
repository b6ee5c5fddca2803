"""The words for a colour that a photo does not settle: that of what lies between two, their pair, or "dark".

Of 317 validation photos a colour of less than .7 was right in half; of these words one in four was wrong.
"""

from __future__ import annotations

from listing.decide.views import Distribution, ranked

# What a camera mixes up: the word for what lies between colours -> the colours.
BETWEEN = {
    "cream": {"white", "beige"}, "pale blue": {"white", "light-blue"}, "pale yellow": {"white", "yellow"},
    "pale pink": {"white", "pink"}, "light grey": {"white", "grey"}, "grey-blue": {"grey", "light-blue"},
    "dark navy": {"black", "navy"}, "dark grey": {"black", "grey"}, "dark brown": {"black", "brown"},
    "taupe": {"grey", "beige"}, "light brown": {"brown", "beige"}, "grey-brown": {"grey", "brown"},
    "grey-green": {"grey", "green"}, "dark red": {"red", "burgundy"}, "pinkish red": {"red", "pink"},
    "orange-red": {"red", "orange"}, "coral": {"pink", "orange"}, "mauve": {"purple", "pink"},
    "plum": {"purple", "burgundy"}, "teal": {"green", "blue"}, "lime green": {"green", "yellow"},
    "khaki": {"olive", "brown"}, "olive green": {"olive", "green"},
    "dark": {"black", "navy", "brown", "grey", "olive", "burgundy"},
}  # fmt: skip
_DARK, _BLUES = "dark", {"blue", "navy", "light-blue"}
_LEAD, _SURE = 0.2, 0.7
_PAIR = 0.6  # the least probability of both colours that a word lies between
_SHARE = 0.3  # of the likelier one's probability that the other has at least
_LEAST = 0.35  # of a colour that is said by itself
_BESIDE, _MANY = 0.2, 0.25  # of each of two colours that are said together, and of many


def members(claimed: str) -> frozenset[str]:
    """The colours that a word leaves open; none of a colour's own."""
    return frozenset(BETWEEN.get(claimed, ()))


def said_as(claimed: str) -> str:
    """The word for a claim of a colour."""
    return claimed if claimed in BETWEEN else claimed.replace("-", " ")


def colour_words(shares: Distribution) -> list[tuple[str, float]]:
    """The main colour, or two of which neither leads, in the words that say it, and how likely each is."""
    (first, p), (second, q) = [*ranked(shares), ("", 0.0), ("", 0.0)][:2]
    between = next((word for word, pair in BETWEEN.items() if pair == {first, second}), "")
    dark = sum(shares.get(colour, 0.0) for colour in sorted(BETWEEN[_DARK]))
    many = shares.get("multicolour", 0.0)
    if p >= _SURE and p - q >= _LEAD:
        return [(first, p)]
    if between and p + q >= _PAIR and q >= _SHARE * p:
        return [(between, min(1.0, p + q))]
    if p < 0.5 and dark >= _SURE and {first, second} <= BETWEEN[_DARK]:
        return [(_DARK, min(1.0, dark))]
    if p < 0.5 and many >= _MANY:
        return [("multicolour", many)]
    if p < 0.5 and q >= _BESIDE and not (between or {first, second} <= _BLUES):
        return [(first, p), (second, q)]
    return [(first, p)] if p >= _LEAST else []

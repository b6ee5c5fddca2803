"""Variations of rows with contact data: other numbers, names, spellings and surroundings, made by code.

A row is ``(text, spans)``; spans are (start, end, kind) in characters of the text.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable, Sequence

from num2words import num2words

from benchmarks.training.safety import phrases
from benchmarks.training.safety.phrases import WORDS
from listing.safety.tagger import MASK

Span = tuple[int, int, str]
Row = tuple[str, list[Span]]

LANGUAGES = (
    "en", "de", "fr", "es", "it", "pt", "nl", "pl", "ru", "uk", "tr", "cs", "sv", "da", "no", "fi", "ro", "hu", "sk",
    "sl", "sr", "lt", "lv", "ca", "id", "vi", "ar", "fr_BE", "pt_BR",
)  # fmt: skip
_SPOKEN_LANGUAGES = LANGUAGES[:9] * 3 + LANGUAGES
_DIGIT_STYLES: tuple[Callable[[int], str], ...] = (
    lambda d: chr(0xFF10 + d), lambda d: chr(0x1D7CE + d), lambda d: chr(0x1D7D8 + d), lambda d: "⓪①②③④⑤⑥⑦⑧⑨"[d],
    lambda d: f"{d}\ufe0f\u20e3", lambda d: "٠١٢٣٤٥٦٧٨٩"[d], lambda d: "०१२३४५६७८९"[d],
    lambda d: "〇一二三四五六七八九"[d],
    lambda d: "零壹贰叁肆伍陆柒捌玖"[d], lambda d: "⁰¹²³⁴⁵⁶⁷⁸⁹"[d], lambda d: "零一二三四五六七八九"[d],
)  # fmt: skip
_LOOKALIKES = {"0": "OoO○", "1": "lIi|", "5": "Ss", "8": "B", "2": "Zz", "6": "b", "4": "A", "3": "E", "7": "T"}
_DOUBLED = {
    "en": ("double", "triple"), "en2": ("dbl", "trip"), "es": ("doble", "triple"), "de": ("doppel", "dreimal"),
    "pt": ("duplo", "triplo"),
}  # fmt: skip
_ZERO_WORDS = ("oh", "o", "nought", "zero", "nil", "ow")


def number_words() -> frozenset[str]:
    """Single words, folded, that numbers below a hundred are made of, in ``LANGUAGES``."""
    from listing.safety.fold import fold

    words = {*_ZERO_WORDS, "zwo", "meia", "niner", "null", *(w for pair in _DOUBLED.values() for w in pair)}
    for language in LANGUAGES:
        for number in range(100):
            words.update(re.findall(r"[^\W\d_]+", fold(num2words(number, lang=language)).lower))
    return frozenset(word for word in words if len(word) > 1)


def guess_kind(text: str) -> str:
    """The kind of a contact that carries none: phone, email, messenger or contact (which is not varied)."""
    digits = sum(unicodedata.digit(c, -1) >= 0 for c in text)
    letters = sum(c.isalpha() for c in text)
    if digits >= 6 and letters <= 3:
        return "phone"
    if re.search(r"@[\w-]+\.\w", text):
        return "email"
    is_handle = re.fullmatch(r"@?[\w.]{4,30}", text, re.ASCII) and not re.search(r"\.\w{2,3}$", text)
    return "messenger" if is_handle else "contact"


class Augmenter:
    """Random variations of rows; ``clean`` are texts without contact data that others are set beside."""

    def __init__(self, clean: Sequence[str], seed: int) -> None:
        self.rng = random.Random(seed)
        self.clean = clean

    def __call__(self, row: Row) -> Row:
        """A variation of the row."""
        rng = self.rng
        text, spans = row
        if spans:
            text, spans = self._replace(text, spans, self._vary if rng.random() < 0.92 else lambda *_: MASK)
            spans = [] if MASK in text else spans
        elif rng.random() < 0.5:
            text = redigit(text, rng, keep_zero=True)
        if rng.random() < 0.12:
            text, spans = self._beside(text, spans, self.near_miss())
        if rng.random() < 0.4:
            text, spans = self._beside(text, spans, rng.choice(self.clean))
        cased = rng.random()
        for limit, change in ((0.05, str.upper), (0.17, str.lower), (0.17 if spans else 0.3, str.title)):
            if cased < limit:
                return (change(text), spans) if len(change(text)) == len(text) else (text, spans)
        return text, spans

    def phrase(self) -> Row:
        """A generated phrase with a handle, an address, a number or an e-mail address, often beside a clean text."""
        rng = self.rng
        draw = rng.random()
        if draw < 0.5:
            before, after = phrases.messenger(rng)
            contact, kind = self.name() if rng.random() < 0.15 else self.handle(rng.choice(("", "", "@"))), "messenger"
        elif draw < 0.85:
            cue, contact = phrases.address(rng)
            before, after, kind = cue + " " * bool(cue), "", "address"
        else:
            before = rng.choice(("", "call ", "tel. ", "ring ", "mail ", "Handy: ", "ask ", "tél ", "☎ ", "тел. "))
            after = ""
            contact, kind = (self.phone(), "phone") if rng.random() < 0.6 else (self.email(), "email")
        row: Row = (before + contact + after, [(len(before), len(before) + len(contact), kind)])
        return row if rng.random() < 0.4 else self._beside(*row, rng.choice(self.clean))

    def clean_row(self) -> Row:
        """A generated phrase without contact data, sometimes beside a clean text."""
        rng = self.rng
        text = rng.choice((phrases.clean_phrase, lambda _: self.near_miss(), lambda _: self.title()))(rng)
        return (text, []) if rng.random() < 0.6 else self._beside(text, [], rng.choice(self.clean))

    def title(self) -> str:
        """A shop's title of a product: capitals, a brand, numbers and compounds, and no contact data."""
        rng = self.rng
        words = rng.choice(self.clean).split()[: rng.randint(3, 8)]
        if rng.random() < 0.6:
            words.insert(0, phrases.fill("{S}", rng))
        for _ in range(rng.choice((0, 1, 1, 2))):
            at = rng.randint(1, len(words))
            words.insert(at, phrases.fill(rng.choice(("{n}", "{d3}", "{d4}", "{d2}", "{L}{d3}")), rng))
        if len(words) > 2 and rng.random() < 0.25:
            at = rng.randint(1, len(words) - 1)
            words[at - 1 : at + 1] = [words[at - 1] + rng.choice("+/-&") + words[at]]
        text = " ".join(words)
        return text.title() if rng.random() < 0.8 else text

    def name(self) -> str:
        """A person's or a shop's name as networks show it."""
        rng = self.rng
        one, two = rng.choice(WORDS["names"]).title(), phrases.fill("{S}", rng)
        word = rng.choice(WORDS["nouns"]).title()
        shapes = (
            f"{one} {two}", f"{one} {two}", f"{one} {two}-{word}", f"{one}s {word}", f"{word} & {two}", f"{two} {word}",
            f"{one}And{two}{word}", f"{word}{two}",
        )  # fmt: skip
        return rng.choice(shapes)

    def near_miss(self) -> str:
        """Numbers that are no contact data: sizes, prices, years, codes, measures."""
        rng = self.rng
        fill: dict[str, Callable[[], str]] = {
            "n": lambda: str(rng.randint(1, 200)), "y": lambda: str(rng.randint(1900, 2026)),
            "h": lambda: str(rng.randint(7, 22)),
            "m": lambda: rng.choice(("00", "15", "30", "45")), "L": lambda: rng.choice("ABCDEFGHKLMNPRSTWXZ"),
        }  # fmt: skip

        def slot(match: re.Match[str]) -> str:
            name = match[1]
            return fill[name]() if name in fill else "".join(rng.choice("0123456789") for _ in range(int(name[1:])))

        return ", ".join(
            re.sub(r"\{(\w+)\}", slot, rng.choice(WORDS["near_misses"])) for _ in range(rng.choice((1, 1, 2, 3)))
        )

    def _beside(self, text: str, spans: list[Span], other: str) -> Row:
        join = self.rng.choice(WORDS["joins"])
        if self.rng.random() < 0.5:
            return text + join + other, spans
        shift = len(other) + len(join)
        return other + join + text, [(a + shift, b + shift, kind) for a, b, kind in spans]

    def _replace(self, text: str, spans: list[Span], change: Callable[[str, str], str]) -> Row:
        out, result, last = "", list[Span](), 0
        for start, end, kind in sorted(spans):
            out += text[last:start]
            new = change(text[start:end], kind)
            result.append((len(out), len(out) + len(new), kind))
            out, last = out + new, end
        return out + text[last:], result

    def _vary(self, contact: str, kind: str) -> str:
        rng = self.rng
        shape = guess_kind(contact)
        draw = rng.random()
        if shape == "phone":
            return contact if draw < 0.1 else redigit(contact, rng) if draw < 0.4 else self.phone()
        if shape == "messenger" and kind in ("messenger", "contact"):
            return contact if draw < 0.3 else self.handle(contact)
        if shape == "email" and draw < 0.7:
            return self.email()
        if kind == "phone" and draw < 0.3:
            return self.phone()
        return contact if draw < 0.3 else _other_letters(redigit(contact, rng, keep_zero=True), rng)

    def phone(self) -> str:
        """A made-up telephone number, plain or in a disguise."""
        rng = self.rng
        text = "".join(rng.choice("0123456789") if c == "#" else c for c in rng.choice(WORDS["phone_formats"]))
        digits = [c for c in text if c.isdigit()]
        draw = rng.random()
        if draw < 0.5:
            return text
        if draw < 0.65:
            return _regrouped(digits, rng)
        if draw < 0.77:
            style = rng.choice(_DIGIT_STYLES)
            share = rng.choice((1.0, 1.0, 0.5))
            return "".join(style(int(c)) if c.isdigit() and rng.random() < share else c for c in text)
        if draw < 0.84:
            return "".join(rng.choice(_LOOKALIKES[c]) if c in _LOOKALIKES and rng.random() < 0.4 else c for c in text)
        return _spoken(digits, rng)

    def handle(self, like: str = "") -> str:
        """A made-up user name."""
        rng = self.rng
        one, two, word = rng.choice(WORDS["names"]), rng.choice(WORDS["names"]), rng.choice(WORDS["nouns"])
        number = str(rng.choice((rng.randint(1, 99), rng.randint(1950, 2015), rng.randint(100, 9999))))
        sep = rng.choice(("_", ".", "", "-", "__"))
        slots = {"one": one, "two": two, "word": word, "number": number, "sep": sep, "first": one[0]}
        slots |= {"One": one.title(), "Word": word.title(), "street": phrases.fill("{S}", rng).lower()}
        patterns = [pattern.format(**slots) for pattern in WORDS["handles"]]
        others = [_other_letters(text, rng) for text in (f"{one}{sep}{word}", like, like)]
        name = rng.choice([*patterns, *others]) or one
        if rng.random() < 0.1:
            name = name.translate(str.maketrans({"e": "3", "o": "0", "i": "1"}))
        name = name.title() if rng.random() < 0.08 else name
        return ("@" if like.startswith("@") else "") + str(name).lstrip("@")

    def email(self) -> str:
        """A made-up address, plain or in a disguise."""
        rng = self.rng
        name, domain = self.handle(), rng.choice(WORDS["providers"])
        if rng.random() < 0.3:
            one, sep, two = rng.choice(WORDS["names"]), rng.choice(("-", "", "")), rng.choice(WORDS["nouns"])
            domain = f"{one}{sep}{two}.{rng.choice(WORDS['endings'])}"
        if rng.random() < 0.4:
            return f"{name}@{domain}"
        address = name + rng.choice(WORDS["at"]) + domain.replace(".", rng.choice(WORDS["dot"]))
        return " ".join(address) if rng.random() < 0.06 else address


def redigit(text: str, rng: random.Random, *, keep_zero: bool = False) -> str:
    """Other digits in the same places; years and, with ``keep_zero``, a zero at the front stay."""

    def change(match: re.Match[str]) -> str:
        if re.fullmatch(r"(?:19|20)\d\d", match[0]):
            return match[0]
        head = match[0][0] if match[0][0] == "0" or not keep_zero else rng.choice("123456789")
        return head + "".join(rng.choice("0123456789") for _ in match[0][1:])

    return re.sub(r"[0-9]+", change, text)


def _regrouped(digits: Sequence[str], rng: random.Random) -> str:
    sep, size = rng.choice(WORDS["separators"]), rng.choice((1, 1, 2, 2, 3, 3, 4, 5))
    groups, i = list[str](), 0
    while i < len(digits):
        n = size if rng.random() < 0.8 else rng.randint(1, 5)
        groups.append("".join(digits[i : i + n]))
        i += n
    return str(sep.join(groups))


def _spoken(digits: Sequence[str], rng: random.Random) -> str:
    """Digits, pairs of digits and repeated digits in words of one language, some left as figures."""
    language, words, i = rng.choice(_SPOKEN_LANGUAGES), list[str](), 0
    share, pairs = rng.choice((1.0, 1.0, 0.9, 0.6, 0.4)), rng.choice((0.0, 0.0, 0.5, 0.9))
    while i < len(digits):
        same = next((n for n in (3, 2) if digits[i : i + n] == [digits[i]] * n), 1)
        doubled = _DOUBLED.get(language)
        if same > 1 and doubled and rng.random() < 0.6:
            words.append(f"{doubled[same - 2]} {_word(int(digits[i]), language, rng)}")
            i += same
        elif rng.random() < pairs and i + 1 < len(digits) and digits[i] != "0":
            pair = "".join(digits[i : i + 2])
            words.append(_word(int(pair), language, rng) if rng.random() < share else pair)
            i += 2
        else:
            words.append(_word(int(digits[i]), language, rng) if rng.random() < share else digits[i])
            i += 1
    text = rng.choice((" ", " ", " ", " ", "-", ", ", ".", "", " . ", "/", "_")).join(words)
    return text.upper() if rng.random() < 0.08 else text.title() if rng.random() < 0.05 else text


def _word(number: int, language: str, rng: random.Random) -> str:
    if number == 0 and language == "en" and rng.random() < 0.5:
        return rng.choice(_ZERO_WORDS)
    word: str = num2words(number, lang=language)
    if rng.random() < 0.15:
        word = "".join(c for c in unicodedata.normalize("NFKD", word) if not unicodedata.combining(c))
    return word


def _other_letters(text: str, rng: random.Random) -> str:
    """Some small letters exchanged for others of their kind, so that names differ and forms stay."""

    def change(match: re.Match[str]) -> str:
        word = match[0]
        if len(word) < 4 or rng.random() < 0.4 or word in WORDS["fixed"]:
            return word
        return "".join(
            rng.choice("aeiou" if c in "aeiou" else "bcdfghjklmnprstvwz") if rng.random() < 0.5 else c for c in word
        )

    return re.sub(r"[a-z]+", change, text)

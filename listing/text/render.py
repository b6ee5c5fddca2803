"""Title and description from what is known, in the words of a private seller: every claim once, and every word of it a span.

Several sentence plans; which one a draft gets depends on its id alone, so that the same draft always reads the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from listing.request import Tone
from listing.schema import Span
from listing.taxonomy import Forms, Taxonomy
from listing.text.claims import NAME, Claim
from listing.text.forms import DetailForms, detail_forms, form_for
from listing.text.marks import Marker, article, capital, listed, plain, with_article, word_count
from listing.text.settle import Item, settle, without

MAX_TITLE, MIN_WORDS, MAX_WORDS = 9, 12, 45
FRIENDLY = (  # lines that claim nothing
    ("Ready for its next owner.", "Ready for their next owner."),
    ("I hope it finds a good home.", "I hope they find a good home."),
    ("Just ask if you would like to know more.",) * 2,
    ("Happy to answer any question.",) * 2,
    ("It would be nice to see it used again.", "It would be nice to see them used again."),
    ("Looking for someone who will enjoy it.", "Looking for someone who will enjoy them."),
    ("Have a look at the photos.",) * 2,
    ("The photos show it as it is.", "The photos show them as they are."),
    ("Write to me if anything is unclear.",) * 2,
    ("Questions are welcome.",) * 2,
)
# Where a photo only shows what a material looks like, the text says no more than that.
_LOOKS_LIKE = {"leather": "leather-look", "suede": "suede-look", "satin": "satin-look", "fur": "fluffy"}
_SEEMS = ("cotton", "linen", "wool", "synthetic")  # looks like it; of "synthetic" the word is an adjective
_GRADES = {"new with tag": "It is new, with its tag.", "new without tag": "It is new, without a tag."}
_WORKS = {"works fully": "It works.", "works with faults": "It works, but with faults.", "not tested": "It is not tested."}
_SLOTS = ("neckline", "neck", "straps", "sleeve", "sleeves", "closure", "fastening", "pockets", "waist", "hems", "shoes", "hats", "shape", "fabric")
_STRONG = ("print", "hats", "fastening", "pockets", "straps", "shoes", "sleeves", "neck", "waist", "hems", "shape", "neckline", "closure", "sleeve")
_THERE = frozenset({"pockets", "print", "fastening", "straps"})  # what "there is" goes well with
_WORN_AS_IT_IS = ("pull-on", "slip-on")
_NO_FORMS = Forms()


@dataclass(frozen=True)
class Text:
    """Title, description, and the spans of what they claim."""

    title: str
    description: str
    spans: list[Span]


def render(claims: Sequence[Claim], taxonomy: Taxonomy, *, key: str, tone: Tone = "plain") -> Text:
    """Both texts of an item.

    Args:
        claims: what may be said (``claims_of``).
        key: the draft's id; it chooses the sentence plan.

    Raises:
        KeyError: no claim names a category.
    """
    item = settle(claims, taxonomy)
    writer = _Writer(item, taxonomy, key)
    title, spans = writer.marker.unmark(writer.title(), "title")
    text = writer.description(tone)
    dropped = 0
    while word_count(text) > MAX_WORDS and dropped < len(item.details):
        dropped += 1
        writer = _Writer(without(item, dropped), taxonomy, key)
        text = writer.description(tone)
    description, more = writer.marker.unmark(text, "description")
    return Text(title, description, [*spans, *more])


@dataclass
class _Words:
    """What can be said, by where in the sentence: ``shape`` and ``kind`` are adjectives, ``things`` stand behind "with"."""

    shape: list[str] = field(default_factory=list)
    colour: str = ""
    tint: list[str] = field(default_factory=list)
    pattern: list[str] = field(default_factory=list)
    sleeve: str = ""
    kind: list[str] = field(default_factory=list)
    things: list[tuple[str, str]] = field(default_factory=list)
    looks: list[str] = field(default_factory=list)
    seems: str = ""


class _Writer:
    """Writes one item's texts."""

    def __init__(self, item: Item, taxonomy: Taxonomy, key: str) -> None:
        self.item, self.taxonomy, self.rng = item, taxonomy, Random(key)
        self.marker = Marker()

    # The title: what a buyer searches for, in at most nine words.

    def title(self) -> str:
        words = self._words(Random(0), title=True)
        facts = self.item.facts
        noun = self._noun()
        audience = facts.get("audience")
        owner = self._before("audience") if audience and audience.status != "check" else ""
        front = [(4, owner)] if owner else []
        front += [(0, w) for w in words.shape[:1]]
        front += [(2, w) for w in words.tint] + [(2, w) for w in words.pattern] + [(3, w) for w in words.kind]
        size = self.marker.mark(facts["size"], f"size {facts['size'].value}") if "size" in facts else ""
        strong = self._strong(words)
        budget = MAX_TITLE - word_count(f"{noun} {words.colour} {size}") - word_count(self._brand())
        chosen: list[tuple[int, str]] = [(1, words.colour)] if words.colour else []
        tail = ""
        for rank, text in sorted(front, key=lambda entry: entry[0] in (0, 4)):
            if word_count(text) <= budget - (3 if strong and rank != 2 else 0):
                chosen.append((rank, text))
                budget -= word_count(text)
        for text in strong:
            bare = text if not text.startswith(("a ", "an ")) else text.split(" ", 1)[1]
            if word_count(bare) + 1 <= budget and not tail:
                tail, budget = f" with {bare}", budget - word_count(bare) - 1
        if words.sleeve and word_count(words.sleeve) <= budget and (not tail or budget >= 3):
            chosen.append((2, words.sleeve))
        adjectives = [text for _, text in sorted(chosen, key=lambda entry: entry[0])]
        text = " ".join([w for w in (self._brand(), *adjectives, noun) if w]) + tail
        return capital(f"{text}, {size}" if size else text)

    def _strong(self, words: _Words) -> list[str]:
        """What may stand behind the title's "with", the most telling first."""
        ranked = [
            (_STRONG.index(slot) if slot in _STRONG else len(_STRONG), text)
            for slot, text in words.things
            if " and " not in plain(text) and word_count(text) <= 5
        ]
        text = self.item.facts.get("text")
        quoted = [self.marker.mark(text, f'"{text.value}" print')] if text and len(text.value.split()) <= 4 else []
        brand = self.item.facts.get("brand")
        if text and brand and _letters(brand.value) in _letters(text.value):
            quoted = []
        return [*quoted, *(words for _, words in sorted(ranked, key=lambda entry: entry[0]))]

    # The description.

    def description(self, tone: Tone) -> str:
        rng, item = self.rng, self.item
        words = self._words(rng)
        stamp, says = self._print(rng)
        closing = self._closing(rng)
        wear = [self._wear(claim) for claim in item.wear]
        beside = [*([says] if says else []), *closing, *self._looks(words, rng), *wear]
        now = len(words.things) if tone == "shorter" else self._first(words.things, bool(beside), rng)
        if tone == "shorter":
            now = min(now, 3)
        first = [text for _, text in words.things[:now]]
        if stamp:
            first.insert(0 if rng.random() < 0.5 else len(first), stamp)
        opening = self._opening(words, first, rng)
        has = self._has(words.things[now:], rng)
        if has and wear and beside == wear and tone != "shorter" and rng.random() < 0.5:
            beside, has[-1] = wear[1:], f"{has[-1][:-1]}, and {wear[0][0].lower()}{wear[0][1:]}"
        if tone == "shorter":
            sentences = [*([says] if says else []), *wear]
        else:
            sentences = [*has, *beside] if rng.random() < 0.6 or not says else [says, *has, *beside[1:]]
            sentences += self._sellers_own()
        if "size" in item.facts:
            sentences.append(self._size(item.facts["size"]))
        text = " ".join([opening, *sentences])
        friendly = rng.choice(FRIENDLY)[item.plural]
        if tone == "warmer" or (tone == "plain" and (word_count(text) < MIN_WORDS or not sentences)):
            return f"{text} {friendly}"
        return text

    def _first(self, things: list[tuple[str, str]], more: bool, rng: Random) -> int:
        """How many things the opening names; something is left for a second sentence."""
        if len(things) < 2:
            return len(things) if more else 0
        return min(rng.choice((1, 2, 2, 3)), len(things) if more else len(things) - 1)

    def _opening(self, words: _Words, things: list[str], rng: Random) -> str:
        item = self.item
        shape = words.shape[:2]
        inner = [*words.tint, *words.pattern, *([words.sleeve] if words.sleeve else []), *words.kind]
        colour_behind = bool(words.colour) and len(inner) + len(shape) > 0 and not words.tint and rng.random() < 0.3
        front = [*shape, *([] if colour_behind or not words.colour else [words.colour]), *inner]
        noun = self._noun()
        audience = item.facts.get("audience")
        owner_behind = ""
        if audience is not None:
            if audience.value == "baby" or rng.random() < 0.5:
                noun = f"{self._before('audience')} {noun}"
            else:
                owner_behind = f" for {self.marker.mark(audience, audience.value)}"
        phrase = " ".join([*front, noun])
        if colour_behind:
            phrase += f" in {words.colour}"
        phrase += owner_behind
        if (brand := item.facts.get("brand")) and not self._brand_is_print():
            phrase += f" by {self.marker.mark(brand, brand.value)}"
        if things:
            phrase += f" with {listed(things)}"
        start = rng.choice(("", "", "", "article", "this"))
        if start == "this":
            phrase = f"These are {phrase}" if item.plural else f"This is {article(phrase)} {phrase}"
        elif start == "article" and not item.plural:
            phrase = f"{article(phrase)} {phrase}"
        return capital(f"{phrase}.")

    def _has(self, things: list[tuple[str, str]], rng: Random) -> list[str]:
        """One or two sentences that list things."""
        if not things:
            return []
        cut = len(things) if len(things) <= 4 else (len(things) + 1) // 2
        parts = [listed([text for _, text in part]) for part in (things[:cut], things[cut:]) if part]
        if rng.random() < 0.4 and {slot for slot, _ in things[:cut]} <= _THERE:
            sentences = [f"There {'are' if _several(parts[0]) else 'is'} {parts[0]}."]
        else:
            sentences = [f"{'They have' if self.item.plural else 'It has'} {parts[0]}."]
        return sentences + [f"{'They also have' if self.item.plural else 'It also has'} {part}." for part in parts[1:]]

    def _closing(self, rng: Random) -> list[str]:
        """How it closes, as a sentence where that reads better than a thing in a list."""
        closure = self.item.facts.get("closure")
        if closure is None or closure.value in _WORN_AS_IT_IS or not self._closing_alone():
            return []
        sentence = self._forms(closure).sentence[-1 if self.item.plural else 0]
        word = {"tie": "tied"}.get(closure.value, closure.value)
        return [sentence.replace(word, self.marker.mark(closure, word))]

    def _closing_alone(self) -> bool:
        return bool({"Bottoms", "Footwear"} & set(self.item.node.path))

    def _looks(self, words: _Words, rng: Random) -> list[str]:
        subject = "surface" if "Footwear" in self.item.node.path else "fabric"
        looks = list(words.looks)
        if plain(words.seems) == "synthetic":
            looks.append(words.seems)
        elif words.seems and looks:
            return [f"The {subject} looks {listed(looks)} and seems to be {words.seems}."]
        elif words.seems:
            return [f"The {subject} {rng.choice(('looks like', 'seems to be'))} {words.seems}."]
        return [f"The {subject} looks {listed(looks)}."] if looks else []

    def _wear(self, claim: Claim) -> str:
        """What a buyer must be told of its condition, in the taxonomy's own sentence."""
        attribute = self.taxonomy.attributes["condition"]
        sentence = attribute.forms[claim.value].sentence[-1 if self.item.plural else 0]
        phrases = sorted((p for p in attribute.phrases[claim.value] if p in sentence.lower()), key=len)
        if not phrases:
            return f"{self.marker.mark(claim, sentence.rstrip('.'))}."
        start = sentence.lower().index(phrases[-1])
        end = start + len(phrases[-1])
        return f"{sentence[:start]}{self.marker.mark(claim, sentence[start:end])}{sentence[end:]}"

    def _size(self, claim: Claim) -> str:
        size = self.marker.mark(claim, f"size {claim.value}")
        if claim.read:
            return f"The label says {size}."
        return f"{'They are' if self.item.plural else 'It is'} {size}."

    def _sellers_own(self) -> list[str]:
        """What only the seller can know, as they answered it."""
        facts, out = self.item.facts, []
        for name in ("condition_grade", "works", "complete", "dimensions", "defects"):
            if (claim := facts.get(name)) is None:
                continue
            sentence = {
                "condition_grade": _GRADES.get(claim.value, f"It is in {claim.value} condition."),
                "works": _WORKS.get(claim.value, "It does not work."),
                "complete": f"It is {claim.value}." if claim.value == "complete" else f"Completeness: {claim.value}.",
                "dimensions": f"Measurements: {claim.value.rstrip('.')}.",
                "defects": f"Please note: {claim.value.rstrip('.')}.",
            }[name]
            if claim.value == "for parts":
                sentence = "It is for parts."
            if self.item.plural:
                sentence = sentence.replace("It is", "They are").replace("It works", "They work").replace("its", "their")
                sentence = sentence.replace("It does", "They do")
            out.append(f"{self.marker.mark(claim, sentence[:-1])}.")
        return out

    # Words of the single claims.

    def _words(self, rng: Random, *, title: bool = False) -> _Words:
        facts, words = self.item.facts, _Words()
        words.colour = self._colours()
        self._detail_words(words, rng, title)
        if pattern := facts.get("pattern"):
            forms = self._forms(pattern)
            if pattern.value == "solid":
                words.shape.insert(0, self.marker.mark(pattern, "plain"))
            elif forms.before:
                words.pattern.append(self.marker.mark(pattern, forms.before[0]))
            elif forms.behind:
                words.things.insert(0, ("print", self.marker.mark(pattern, forms.behind[0])))
        if sleeve := facts.get("sleeve"):
            forms = self._forms(sleeve)
            if forms.before and (title or not forms.behind or rng.random() < 0.5):
                words.sleeve = self.marker.mark(sleeve, forms.before[0])
            elif forms.behind:
                words.things.append(("sleeve", self.marker.mark(sleeve, forms.behind[0])))
        if neckline := self._neckline():
            words.things.append(("neckline", neckline))
        self._material(words)
        if closure := facts.get("closure"):
            behind = self._forms(closure).behind
            if closure.value in _WORN_AS_IT_IS:
                words.kind += [self.marker.mark(closure, closure.value)] if "Footwear" in self.item.node.path else []
            elif behind and (title or not self._closing_alone()):
                words.things.append(("closure", self.marker.mark(closure, behind[0])))
        words.things.sort(key=lambda entry: _SLOTS.index(entry[0]) if entry[0] in _SLOTS else -1)
        return words

    def _detail_words(self, words: _Words, rng: Random, title: bool) -> None:
        forms, node = detail_forms(), self.item.node
        joined: set[str] = set()
        for claim in self.item.details:
            form = forms[claim.value]
            if claim.value in joined or (form.tunes and "neckline" in self.item.facts) or self._print_says(form):
                continue
            other = next((o for o in form.joins if (c := self.item.has(o)) and o not in joined and c != claim), None)
            behind, adjective = form_for(form.behind, node), form_for(form.adjective, node)
            if other and behind:
                joined.add(other)
                words.things = [t for t in words.things if plain(t[1]) != plain(self._mark(other))]
                words.things.append((form.group, self._join(form.joins[other], claim, other)))
            elif adjective and not (behind and len(words.shape) >= 2):
                place = {"kind": words.kind, "colour": words.tint}.get(form.place, words.shape)
                place.append(self.marker.mark(claim, adjective))
            elif behind:
                words.things.append((form.group, self.marker.mark(claim, behind)))
            elif not title:
                words.looks.append(self.marker.mark(claim, form.looks))
        words.shape.sort(key=lambda word: plain(word) != "plain")

    def _mark(self, detail: str) -> str:
        """The words that a detail has by itself."""
        return form_for(detail_forms()[detail].behind, self.item.node)

    def _join(self, template: str, claim: Claim, other: str) -> str:
        """``<own words>`` and ``[the other's]`` as marks."""
        second = self.item.has(other)
        assert second is not None
        for one, (left, right) in ((claim, "<>"), (second, "[]")):
            head, _, rest = template.partition(left)
            inner, _, tail = rest.partition(right)
            template = head + self.marker.mark(one, inner) + tail
        return with_article(template) if template.startswith(("a ", "an ")) else template

    def _colours(self) -> str:
        words = []
        for name in ("colour", "colour2"):
            if claim := self.item.facts.get(name):
                before = self._forms(claim).before
                words.append(self.marker.mark(claim, before[0] if before else claim.value.replace("-", " ")))
        return " and ".join(words)

    def _neckline(self) -> str:
        neckline = self.item.facts.get("neckline")
        if neckline is None or not (behind := self._forms(neckline).behind):
            return ""
        words = self.marker.mark(neckline, behind[0])
        for claim in self.item.details:
            tune = detail_forms()[claim.value].tunes.get("neckline")
            if tune and plain(words).endswith(("neck", "neckline")):
                return with_article(f"{self.marker.mark(claim, tune)} {words.removeprefix('a ').removeprefix('an ')}")
        return words

    def _material(self, words: _Words) -> None:
        material = self.item.facts.get("material")
        if material is None:
            return
        known = material.read or material.status == "seller"
        if material.value in _SEEMS and not known:
            words.seems = self.marker.mark(material, material.value)
            return
        look = None if known else _LOOKS_LIKE.get(material.value)
        before = look or next(iter(self._forms(material).before), material.value)
        if before not in {plain(w) for w in (*words.pattern, *words.kind)}:
            words.kind.insert(0, self.marker.mark(material, before))

    def _print(self, rng: Random) -> tuple[str, str]:
        """The print as a thing to name in the opening, or as a sentence of its own."""
        text, brand = self.item.facts.get("text"), self.item.facts.get("brand")
        if text is None:
            return "", ""
        place = ""
        for claim in self.item.details:
            if detail_forms()[claim.value].place == "chest":
                where = "front" if "Headwear" in self.item.node.path else "chest"
                place = f" on the {self.marker.mark(claim, where)}"
        if self._brand_is_print() and brand is not None:
            return f"the {self.marker.mark(brand, brand.value)} name{place}", ""
        quoted = self.marker.mark(text, f'"{text.value}"')
        plan = rng.randrange(3)
        if plan == 0:
            return f"the {'words' if ' ' in text.value else 'word'} {quoted}{place}", ""
        if plan == 1:
            return f"a printed {quoted}{place}", ""
        they = self.item.plural
        return "", f"{'They say' if they else 'It says'} {quoted}{place or (' on them' if they else ' on it')}."

    def _print_says(self, form: DetailForms) -> bool:
        """Whether words that were read already say that there is a print."""
        return "text" in self.item.facts and form.place in ("chest", "printed")

    def _brand_is_print(self) -> bool:
        text, brand = self.item.facts.get("text"), self.item.facts.get("brand")
        return text is not None and brand is not None and _letters(text.value) == _letters(brand.value)

    def _brand(self) -> str:
        brand = self.item.facts.get("brand")
        return self.marker.mark(brand, brand.value) if brand else ""

    def _before(self, name: str) -> str:
        claim = self.item.facts[name]
        return self.marker.mark(claim, next(iter(self._forms(claim).before), claim.value))

    def _noun(self) -> str:
        return self.marker.mark(self.item.name, self.item.noun)

    def _forms(self, claim: Claim) -> Forms:
        return self.taxonomy.attributes[claim.attribute].forms.get(claim.value, _NO_FORMS)


def _several(words: str) -> bool:
    """Whether a list begins with more than one thing."""
    first = plain(words).split(" on ")[0].split(" down ")[0].split(",")[0]
    return not first.startswith(("a ", "an ", "the ")) and first.split(" and ")[0].endswith("s")


def _letters(text: str) -> str:
    return "".join(c for c in text.lower() if c.isalnum())

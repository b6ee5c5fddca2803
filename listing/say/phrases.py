"""The words of the single claims, by where in a sentence they can stand; each is marked with its claim."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from listing.decide.claims import Claim
from listing.decide.colour_words import said_as
from listing.decide.policies import SELLER_ONLY, policy
from listing.decide.settle import Item
from listing.details import DetailForms, detail_forms, form_for, is_dull, rate
from listing.say.clauses import letters
from listing.say.marks import Marker, capital, listed, unmarked, with_article
from listing.taxonomy import Forms

_USUAL = 0.3  # what more such items have surprises nobody
_LEAST = 0.005
_EYE_CATCHERS = ("print", "parts")  # groups of details that anybody sees first
# Where a photo only shows what a material looks like, the text says no more than that.
_LOOKS_LIKE = {"leather": "leather-look", "suede": "suede-look", "satin": "satin-look", "fur": "fluffy"}
_WORN_AS_IT_IS = ("pull-on", "slip-on")
_TAGGED = {"Clothing", "Accessories"}  # nobody looks for a tag on a washbasin
_PLURALS = (("It is", "They are"), ("It works", "They work"), ("It does", "They do"), (" its ", " their "))
# Attributes with a place of their own; others stand where their forms say.
_PLACED = (
    *("colour", "colour2", "pattern", "sleeve", "neckline", "closure", "material", "audience", "condition"),
    *("brand", "text", "size"),
)
_NO_FORMS = Forms()
_BARE_NUMBERS = re.compile(r"[\d\s.,x×*/-]*\d", re.I)
_EXTENT = re.compile(r"(?<=\d)(?= (?:high|tall|wide|long|deep|thick|across)\b)", re.I)  # "170 high"


def in_centimetres(value: str) -> str:
    """The answer to how large a thing is, with the unit that the question asks for where it has none."""
    return f"{value} cm" if _BARE_NUMBERS.fullmatch(value) else _EXTENT.sub(" cm", value)


@dataclass
class Wording:
    """Words of the claims. ``with_phrases`` (slot, words) stand behind "with"; ``looks`` behind "the fabric looks".

    ``plainer``: of such phrases the adjective that says their pattern without its colour.
    """

    shape: list[str] = field(default_factory=list)
    colour: str = ""
    tint: list[str] = field(default_factory=list)
    pattern: list[str] = field(default_factory=list)
    sleeve: str = ""
    kind: list[str] = field(default_factory=list)
    with_phrases: list[tuple[str, str]] = field(default_factory=list)
    looks: list[str] = field(default_factory=list)
    plainer: dict[str, str] = field(default_factory=dict)


class Phrases:
    """The claims of one item as words."""

    def __init__(self, item: Item, marker: Marker) -> None:
        self.item, self.mark, self.marker = item, marker.mark, marker
        self.wide = bool({"Bottoms", "Footwear"} & set(item.node.path))  # how it closes is a sentence of its own

    def words(self, *, title: bool = False) -> Wording:
        """All of them, what surprises most first; the title takes the shorter forms."""
        words = Wording(colour=self._colours())
        self._details(words, title)
        self._pattern(words)
        self._sleeve(words)
        if neckline := self._neckline():
            words.with_phrases.append(("neckline", neckline))
        self._material(words)
        self._closure(words, title)
        for claim, forms in self._unplaced():
            if forms.before:
                words.kind.append(self.mark(claim, forms.before[0]))
            elif forms.behind:
                words.with_phrases.append((claim.attribute, self.mark(claim, forms.behind[0])))
        words.shape.sort(key=self._usual)
        words.with_phrases.sort(key=lambda entry: self._usual(entry[1]))
        return words

    def dull(self, text: str) -> bool:
        """True if words of claims surprise nobody: most such items have it, or it hardly shows."""
        claims = self.marker.named(text)
        return all(is_dull(c.value) or self._rate(c) >= _USUAL for c in claims)

    def _usual(self, text: str) -> tuple[bool, float]:
        """What to sort by: the less usual words of claims are for such an item, the earlier they come."""
        return self.dull(text), min((self._rate(c) for c in self.marker.named(text)), default=1.0)

    def _rate(self, claim: Claim) -> float:
        """The share of such items that have it; prints and second colours count as rarer than they are."""
        if claim.place_status == "seller" or claim.attribute == "text":
            return 0.0
        name = claim.value if claim.attribute == "detail" else f"{claim.attribute}={claim.value}"
        form = detail_forms().get(claim.value) if claim.attribute == "detail" else None
        eye = form is not None and form.group in _EYE_CATCHERS
        return max(_LEAST, rate(name, self.item.node)) / (4 if eye else 1)

    def noun(self) -> str:
        """The item's name."""
        return self.mark(self.item.name, self.item.noun)

    def before(self, name: str) -> str:
        """An attribute as an adjective."""
        claim = self.item.facts[name]
        return self.mark(claim, next(iter(self._forms(claim).before), claim.value))

    def brand(self) -> str:
        """The brand's name, or nothing."""
        brand = self.item.facts.get("brand")
        return self.mark(brand, brand.value) if brand else ""

    @property
    def unknown(self) -> bool:
        """True if its kind is the seller's own word: print on it may be a packet's and decorates nothing."""
        return self.item.node.path[:1] == ("Other",)

    def name_is_print(self) -> bool:
        """True if the seller's own word for it says the print already."""
        text = self.item.facts.get("text")
        return text is not None and self.unknown and letters(text.value) in letters(self.item.noun)

    def brand_is_print(self) -> bool:
        """True if the print is the brand's name."""
        text, brand = self.item.facts.get("text"), self.item.facts.get("brand")
        return text is not None and brand is not None and letters(text.value) == letters(brand.value)

    def stamp(self) -> tuple[str, str]:
        """The print as a phrase of the opening, or as a sentence of its own where it is no decoration (of a packet)."""
        text = self.item.facts.get("text")
        if text is None:
            return "", ""
        place = ""
        for claim in self.item.details:
            if detail_forms()[claim.value].place == "chest":
                place = f" on the {self.mark(claim, 'front' if 'Headwear' in self.item.node.path else 'chest')}"
        if self.brand_is_print():
            return f"the brand's name{place}" if place else "", ""
        if self.name_is_print():
            return "", ""
        quoted = self.mark(text, f'"{text.value}"')
        if not (self.item.node.named_by_print or self.unknown):
            return f"the {'words' if ' ' in text.value else 'word'} {quoted}{place}", ""
        return (
            "",
            f"{'They say' if self.item.plural else 'It says'} {quoted}{' on them' if self.item.plural else ' on it'}.",
        )

    # Sentences of their own.

    def closing(self) -> list[str]:
        """How it closes, where that is no phrase of a list."""
        closure = self.item.facts.get("closure")
        if closure is None or closure.value in _WORN_AS_IT_IS or not self.wide:
            return []
        return [self._sentence_of(closure, closure.value)]

    def wear(self) -> list[str]:
        """Sentences on its condition, in the taxonomy's own sentences."""
        phrases = self.item.attributes["condition"].phrases
        signs = (claim for claim in self.item.wear if not claim.in_sellers_note)
        return [self._sentence_of(claim, *phrases[claim.value]) for claim in signs]

    def others(self) -> list[str]:
        """Attributes without a place: as their own sentence, or behind their label."""
        out = []
        for claim, forms in self._unplaced():
            if forms.sentence and not forms.before and not forms.behind:
                out.append(self._sentence_of(claim))
            elif not forms.before and not forms.behind:
                label = capital(self.item.attributes[claim.attribute].label)
                out.append(f"{label}: {self.mark(claim, claim.value)}.")
        return out

    def size(self) -> list[str]:
        """The size, and whose word it is."""
        claim = self.item.facts.get("size")
        if claim is None or claim.in_sellers_note:
            return []
        start = "The label says" if claim.from_print else "They are" if self.item.plural else "It is"
        return [f"{start} {self.mark(claim, f'size {claim.value}')}."]

    def composition(self) -> list[str]:
        """The shares of the fibres, as the label states them."""
        claim = self.item.facts.get("material")
        if claim is None or not claim.blend:
            return []
        shares = self.mark(claim, listed(claim.blend.split(", ")))
        return [f"By the label {'they are' if self.item.plural else 'it is'} made of {shares}."]

    def seller_statements(self) -> list[str]:
        """Sentences of what only the seller can know, as they answered it."""
        out = []
        for name in SELLER_ONLY:
            if (claim := self.item.facts.get(name)) is None or claim.in_sellers_note:
                continue
            value, says = claim.value.rstrip("."), policy(name).says
            sentence = says.get(value, says["any"]).format(in_centimetres(value) if name == "dimensions" else value)
            if (name, value) == ("condition_grade", "new without tag") and not _TAGGED & set(self.item.node.path):
                sentence = "It is new."
            for one, several in _PLURALS if self.item.plural and name != "defects" else ():
                sentence = sentence.replace(one, several)
            out.append(f"{self.mark(claim, sentence[:-1])}.")
        return out

    def _sentence_of(self, claim: Claim, *phrases: str) -> str:
        """The taxonomy's sentence of a value, the longest of the phrases in it marked, or all of it."""
        sentence = self._forms(claim).sentence[-1 if self.item.plural else 0]
        present = sorted((p for p in phrases if p in sentence.lower()), key=len)
        if not present:
            return f"{self.mark(claim, sentence.rstrip('.'))}."
        start = sentence.lower().index(present[-1])
        end = start + len(present[-1])
        return f"{sentence[:start]}{self.mark(claim, sentence[start:end])}{sentence[end:]}"

    # Single claims.

    def _details(self, words: Wording, title: bool) -> None:
        forms = detail_forms()
        joined: set[str] = set()
        for claim in self.item.details:
            form = forms[claim.value]
            if claim.value in joined or self._has_finer_fact(form):
                continue
            other = next((o for o in form.joins if o not in joined and self._joins(claim, o)), None)
            if other and form_for(form.behind, self.item.node):
                joined |= {other, claim.value}  # no third one says either of them again
                self._leave_out(words, forms[other])
                words.with_phrases.append((form.group, self._join(form.joins[other], claim, other)))
            else:
                self._detail(words, claim, tinted=form.tinted and not other, title=title)

    def _joins(self, claim: Claim, other: str) -> bool:
        """True if one phrase says both. Two things that share an adjective only if nobody is asked about either."""
        second, phrase = self.item.has(other), detail_forms()[claim.value].joins[other]
        return second is not None and (" and " not in phrase or claim.status == second.status == "certain")

    def _detail(self, words: Wording, claim: Claim, *, tinted: bool, title: bool) -> None:
        """One detail by itself; ``tinted``: in the second colour."""
        form, node = detail_forms()[claim.value], self.item.node
        behind, adjective = form_for(form.behind, node), form_for(form.adjective, node)
        guess = claim.place_status == "check" and not form.place
        if tinted:
            phrase = self._filled(behind, (claim, ("<", ">")))
            words.with_phrases.append((form.group, phrase))
            if pattern := self._pattern_word(form):
                words.plainer[phrase] = self.mark(claim, pattern)
        elif adjective and not (behind and (len(words.shape) >= 2 or guess)):
            place = {"kind": words.kind, "colour": words.tint}.get(form.place, words.shape)
            place.append(self.mark(claim, adjective))
        elif behind:
            words.with_phrases.append((form.group, self.mark(claim, behind)))
        elif form.looks and not title:
            words.looks.append(self.mark(claim, form.looks))

    def _has_finer_fact(self, form: DetailForms) -> bool:
        """True if the neckline is said with it, or the print that it is of."""
        facts = self.item.facts
        return (bool(form.tunes) and "neckline" in facts) or ("text" in facts and form.place in ("chest", "printed"))

    def _leave_out(self, words: Wording, form: DetailForms) -> None:
        """Take a detail out of the words again, which another one says along."""
        behind, adjective = (form_for(f, self.item.node) for f in (form.behind, form.adjective))
        words.with_phrases = [phrase for phrase in words.with_phrases if unmarked(phrase[1]) != behind]
        words.shape = [word for word in words.shape if unmarked(word) != adjective]

    def _join(self, template: str, claim: Claim, other: str) -> str:
        """``<own words>`` and ``[the other's]`` as marks."""
        second = self.item.has(other)
        assert second is not None
        return self._filled(template, (claim, ("<", ">")), (second, ("[", "]")))

    def _filled(self, template: str, *marked: tuple[Claim, tuple[str, str]]) -> str:
        """The template with what stands between a claim's brackets as its mark, and the second colour in its place."""
        for claim, (left, right) in marked:
            head, _, rest = template.partition(left)
            inner, _, tail = rest.partition(right)
            template = head + self.mark(claim, inner) + tail
        template = template.replace("{}", self._colour("colour2"))
        return with_article(template) if template.startswith(("a ", "an ")) else template

    def _colours(self) -> str:
        """The colours, without the second one where a detail says which part has it."""
        placed = any(detail_forms()[claim.value].tinted for claim in self.item.details)
        return " and ".join(filter(None, [self._colour("colour"), "" if placed else self._colour("colour2")]))

    def _colour(self, name: str) -> str:
        if (claim := self.item.facts.get(name)) is None:
            return ""
        return self.mark(claim, next(iter(self._forms(claim).before), said_as(claim.value)))

    def _pattern(self, words: Wording) -> None:
        if (pattern := self.item.facts.get("pattern")) is None:
            return
        forms = self._forms(pattern)
        if forms.before:
            words.pattern.append(self.mark(pattern, forms.before[0]))
        elif forms.behind:
            words.with_phrases.insert(0, ("print", self.mark(pattern, forms.behind[0])))

    def _pattern_word(self, form: DetailForms) -> str:
        """The pattern that a detail says, as an adjective; nothing where it says none or may say several."""
        said = form.says.get("pattern", ()) if "pattern" in self.item.attributes else ()
        before = self._forms(Claim("pattern", said[0])).before if len(said) == 1 else ()
        return before[0] if before else ""

    def _sleeve(self, words: Wording) -> None:
        if (sleeve := self.item.facts.get("sleeve")) is None:
            return
        forms = self._forms(sleeve)
        if forms.before:
            words.sleeve = self.mark(sleeve, forms.before[0])
        elif forms.behind:
            words.with_phrases.append(("sleeve", self.mark(sleeve, forms.behind[0])))

    def _neckline(self) -> str:
        neckline = self.item.facts.get("neckline")
        if neckline is None or not (behind := self._forms(neckline).behind):
            return ""
        words = self.mark(neckline, behind[0])
        for claim in self.item.details:
            tune = detail_forms()[claim.value].tunes.get("neckline")
            if tune and unmarked(words).endswith(("neck", "neckline")):
                return with_article(f"{self.mark(claim, tune)} {words.removeprefix('a ').removeprefix('an ')}")
        return words

    def _material(self, words: Wording) -> None:
        material = self.item.facts.get("material")
        if material is None:
            return
        if material.blend:  # a sentence says its shares; only one fibre alone is also its name
            if material.blend.startswith("100 % "):
                words.kind.insert(0, self.mark(material, material.blend.removeprefix("100 % ")))
            return
        certain = material.from_print or material.status == "seller"
        look = None if certain else _LOOKS_LIKE.get(material.value)
        before = look or next(iter(self._forms(material).before), material.value)
        if before not in {unmarked(w) for w in (*words.pattern, *words.kind)}:
            words.kind.insert(0, self.mark(material, before))

    def _closure(self, words: Wording, title: bool) -> None:
        if (closure := self.item.facts.get("closure")) is None:
            return
        if closure.value in _WORN_AS_IT_IS:
            words.kind += [self.mark(closure, closure.value)] if "Footwear" in self.item.node.path else []
        elif (title or not self.wide) and (behind := self._forms(closure).behind):
            words.with_phrases.append(("closure", self.mark(closure, behind[0])))

    def _unplaced(self) -> list[tuple[Claim, Forms]]:
        names = [name for name in self.item.spoken if name not in _PLACED]
        return [(claim, self._forms(claim)) for name in names if (claim := self.item.facts.get(name))]

    def _forms(self, claim: Claim) -> Forms:
        return self.item.attributes[claim.attribute].forms.get(claim.value, _NO_FORMS)

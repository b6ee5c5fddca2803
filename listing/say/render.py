"""Title and description from what is known, in the words of a private seller: each claim once, its words a span.

A text is as long as what is true; what surprises of such an item comes first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from listing.decide.claims import FIRM, Claim
from listing.decide.colour_words import said_as
from listing.decide.settle import Item, settle, spare, without
from listing.say.clauses import letters
from listing.say.marks import Marker, capital, listed, shifted, unmarked, with_article, word_count
from listing.say.phrases import Phrases, Wording
from listing.say.shop_texts import shop_description, shop_title
from listing.schema import Flag, Span, TextField, Tone, Writer
from listing.taxonomy import Taxonomy

MIN_TITLE, MAX_TITLE, MAX_WORDS = 4, 9, 45
SHORTER = 0.8  # share of the words that a shorter text has at most
MAX_SHAPE = 2  # adjectives in front of the colour; others get a sentence
FIRST = 3  # phrases that the opening names


@dataclass(frozen=True)
class Text:
    """Title and description, the spans of what they claim, the remarks of the checks, and who wrote which.

    ``denied``: details of a model's form that it denied when it was asked for each.
    """

    title: str = ""
    description: str = ""
    spans: list[Span] = field(default_factory=list)
    flags: Sequence[Flag] = ()
    writer: Mapping[TextField, Writer] = field(default_factory=lambda: {"title": "renderer", "description": "renderer"})
    denied: frozenset[str] = frozenset()


def render(claims: Sequence[Claim], taxonomy: Taxonomy, *, tone: Tone = "plain", most: int | None = None) -> Text:
    """Both texts of an item.

    Args:
        claims: what may be said (``claims_of``).
        most: words of a shorter description, as far as it can do without what the seller did not say.

    Without a claim that names a category: what can be read, and which colour it is.
    """
    if not any(c.attribute == "category" for c in claims):
        return unnamed(claims)
    return write(settle(claims, taxonomy), tone=tone, most=most)


def write(item: Item, *, tone: Tone = "plain", most: int | None = None) -> Text:
    """Both texts of a settled item; see ``render``."""
    seller_adds = any(c.status == "seller" for c in item.details)  # nothing makes way for what the seller adds
    least = spare(item) if most is not None else [c for c in spare(item) if c.attribute == "detail" and not seller_adds]
    marker, count = Marker(), 0
    text = _rendered(item, marker, tone)
    while word_count(text[1]) > (most or MAX_WORDS) and count < len(least):
        count += 1
        text = _rendered(without(item, least[:count]), marker, tone, whole=item if most is None else None)
    title, spans = marker.unmark(text[0], "title")
    description, more = marker.unmark(text[1], "description")
    voice = item.taxonomy.voice
    if voice and (built := shop_title(voice, item)):
        title, spans = built
    if voice and most is None and tone != "shorter" and (told := shop_description(voice, item)):
        behind, added = sentences_of(item, told[2]) if told[2] else ("", [])
        more = [*told[1], *shifted(added, len(told[0]) + 1)]
        description = f"{told[0]} {behind}".rstrip()
    if item.node.members and item.name.status != "seller" and not _adds(spans, more):
        return Text(title, "", spans)
    return Text(title, description, [*spans, *more])


def _adds(title: Sequence[Span], description: Sequence[Span]) -> bool:
    """True if a description claims something that its title does not: "This is a household item." is no text."""
    said = {(s.attribute, s.value) for s in title}
    return any((s.attribute, s.value) not in said for s in description)


def unnamed(claims: Sequence[Claim]) -> Text:
    """Both texts of an item that nobody has named yet: what can be read and which colour it is, if anything."""
    marker, facts = Marker(), {c.attribute: c for c in reversed(claims)}
    words = {name: marker.mark(c, said_as(c.value)) for name, c in facts.items()}
    printed = marker.mark(facts["text"], f'"{facts["text"].value}"') if "text" in facts else ""
    name = facts.get("text") or facts.get("brand")
    colours = [words[n] for n in ("colour", "colour2") if n in words]
    title = marker.mark(name, name.value) if name else capital(" and ".join(colours))
    sentences = [f"It says {printed} on it."] if printed else []
    sentences += [f"It is {' and '.join(colours)}."] if colours and name else []  # else the title says all of it
    sentences += [f"The brand is {words['brand']}."] if "brand" in words and name is not facts["brand"] else []
    sentences += [f"The size is {words['size']}."] if "size" in words else []
    labels = {"condition_grade": "Condition", "defects": "Flaws", "dimensions": "Dimensions", "works": "Works"}
    sentences += [f"{label}: {words[name]}." for name, label in labels.items() if name in words]
    plain_title, spans = marker.unmark(title, "title")
    description, more = marker.unmark(" ".join(sentences), "description")
    return Text(plain_title, description, [*spans, *more])


def _rendered(item: Item, marker: Marker, tone: Tone, whole: Item | None = None) -> tuple[str, str]:
    """Title and description with marks; the title of the ``whole`` item, where there is one."""
    named = whole or item
    phrases = Phrases(named, marker)
    title = _printed_title(named, phrases) or _Title(named, phrases).text()
    return title, _Description(item, Phrases(item, marker)).text(tone)


def _printed_title(item: Item, phrases: Phrases) -> str:
    """The title of what is called by its print: brand, print, the kind if it is sure, how much is in it; else ""."""
    text = item.print_name
    if text is None:
        return ""
    brand, volume = item.facts.get("brand"), item.facts.get("volume")
    maker = phrases.brand() if brand and letters(brand.value) not in letters(text.value) else ""
    named = letters(item.noun) in letters(text.value)
    sure = item.name.place_status != "check" and not item.node.members and not named
    behind = [phrases.noun()] if sure else []
    behind += [phrases.mark(volume, volume.value)] if volume else []
    words = text.value.split()[: MAX_TITLE - word_count(" ".join([maker, *behind]))]
    return capital(", ".join([f"{maker} {phrases.mark(text, ' '.join(words))}".lstrip(), *behind]))


def can_be_shorter(description: str, claims: Sequence[Claim], item: Item) -> bool:
    """True if the shorter tone says these claims in a fifth less words than the description, its note left aside."""
    if not any(claim.attribute == "category" for claim in claims):
        return False
    most = int(word_count(description.partition("\n\n")[0]) * SHORTER)
    return word_count(write(item.of(claims), tone="shorter", most=most).description) <= most


def sentences_of(item: Item, more: Sequence[Claim]) -> tuple[str, list[Span]]:
    """More claims of an item as sentences of their own, and their spans; "" where texts have no words for them."""
    item, marker = item.of([*item.named, *more]), Marker()
    for claim in more:
        if claim.attribute == "colour2":  # beside a first colour, which is not named again
            item.facts["colour2"] = claim
    text, spans = marker.unmark(_Description(item, Phrases(item, marker)).alone(), "description")
    added = {claim.attribute for claim in more}
    return text, [span for span in spans if span.attribute in added]


class _Title:
    """The title, what a buyer searches for, in at most nine words: ``left`` counts the words that are free."""

    def __init__(self, item: Item, phrases: Phrases) -> None:
        self.facts, self.phrases, self.marker = item.facts, phrases, phrases.marker
        self.words = phrases.words(title=True)
        self.noun, self.brand = phrases.noun(), phrases.brand()
        size = item.facts.get("size")
        self.size = phrases.mark(size, f"size {size.value}") if size else ""
        self.left = MAX_TITLE - word_count(f"{self.brand} {self.words.colour} {self.noun} {self.size}")
        self.chosen: list[tuple[int, str]] = [(1, self.words.colour)]  # (place, adjective)
        stamp = _stamp(item, phrases)
        self.strong = _strong(self.words, phrases, dull=not stamp)
        self.stamp = stamp if word_count(stamp) + 1 <= self.left else ""
        self.left -= word_count(self.stamp) + 1 if self.stamp else 0

    @property
    def short(self) -> bool:
        """True if it has fewer words than it should have."""
        return MAX_TITLE - self.left < MIN_TITLE

    def take(self, place: int, adjectives: Sequence[str], reserve: int = 0, least: float = FIRM) -> None:
        """Add the adjectives that are likely enough and leave so many words free."""
        for adjective in adjectives:
            if word_count(adjective) <= self.left - reserve and self.marker.likelihood(adjective) >= least:
                self.chosen.append((place, adjective))
                self.left -= word_count(adjective)

    def _take_adjectives(self, *, for_whom: bool) -> None:
        """Those that stand before the noun whatever else the title names."""
        words, reserve = self.words, 3 if self.strong else 0
        self.take(2, [*words.tint, *words.pattern])
        self.take(4, words.kind, reserve)
        shapes = [w for w in words.shape if not self.phrases.dull(w) and self.marker.likelihood(w) >= FIRM]
        self.take(0, shapes[:1], reserve)
        if for_whom:
            self.take(5, [self.phrases.before("audience")], reserve)

    def text(self) -> str:
        """The title with marks."""
        words, audience = self.words, self.facts.get("audience")
        doubtful = audience is not None and audience.place_status == "check"
        self._take_adjectives(for_whom=audience is not None and not doubtful)
        tail = self._tail()
        self.take(2, [pattern for phrase, pattern in words.plainer.items() if phrase != tail])
        if words.sleeve and (not tail or self.left >= 3):
            self.take(3, [words.sleeve])
        if self.short and len(self.chosen) == 1:
            self.take(4, words.kind[:1], least=0.0)
        adjectives = [text for _, text in sorted(self.chosen, key=lambda entry: entry[0])]
        named = " ".join(filter(None, (self.brand, *adjectives, self.noun)))
        owner = f"for {self.phrases.mark(audience, audience.value)}" if audience and doubtful else ""
        behind = f"with {tail}" if tail else owner if self.short else ""
        stamp = f"{', ' if tail or self.phrases.unknown else ' with '}{self.stamp}" if self.stamp else ""
        text = f"{named} {behind}".rstrip() + stamp
        return capital(f"{text}, {self.size}" if self.size else text)

    def _tail(self) -> str:
        """The most telling phrase for which there is room; one "with" for it and the print."""
        joint = 0 if self.stamp else 1
        tail = next((s for s in self.strong if word_count(s) + joint <= self.left), "")
        self.left -= word_count(tail) + joint if tail else 0
        return tail


def _stamp(item: Item, phrases: Phrases) -> str:
    """The print as a title names it; nothing where it is long, or the brand's name."""
    text, brand = item.facts.get("text"), item.facts.get("brand")
    named = text and brand and letters(brand.value) in letters(text.value)
    if not text or named or phrases.name_is_print() or len(text.value.split()) > 4:
        return ""
    return phrases.mark(text, f'"{text.value}"' if phrases.unknown else f'"{text.value}" print')


def _strong(words: Wording, phrases: Phrases, *, dull: bool) -> list[str]:
    """Phrases that may stand behind the title's "with", what surprises most first, without articles.

    dull: whether what most such items have is named where there is nothing else.
    """
    named = [text for _, text in words.with_phrases if dull or not phrases.dull(text)]
    ranked = sorted(named, key=lambda text: (phrases.dull(text), phrases.marker.likelihood(text) < FIRM))
    chosen = [text.removeprefix("a ").removeprefix("an ") for text in ranked if " and " not in unmarked(text)]
    return [text for text in chosen if word_count(text) <= 5]


class _Description:
    """Writes the description of one item."""

    def __init__(self, item: Item, phrases: Phrases) -> None:
        self.item, self.phrases = item, phrases
        self.it_has = "They have" if item.plural else "It has"

    def text(self, tone: Tone) -> str:
        """A sentence that names it with what is on it, and others of what is left; the first alone if shorter."""
        phrases, words = self.phrases, self.phrases.words()
        stamp, says = phrases.stamp()
        count, beside = FIRST, [says] if says else []
        if tone == "shorter":
            words.with_phrases.sort(key=lambda entry: not phrases.marker.from_seller(entry[1]))
            count = max(FIRST, sum(phrases.marker.from_seller(text) for _, text in words.with_phrases))
        else:
            beside += self._has([text for _, text in words.with_phrases[count:]])
            beside += [*phrases.closing(), *self._is(words.shape[MAX_SHAPE:]), *self._looks(words)]
        beside += [*phrases.wear(), *(phrases.others() if tone != "shorter" else [])]
        told = [*phrases.seller_statements(), *phrases.composition(), *phrases.size()]
        entries = [*filter(None, [stamp]), *(text for _, text in words.with_phrases[:count])]
        return " ".join([self._opening(words, entries, bare=tone == "shorter"), *beside, *told])

    def alone(self) -> str:
        """The facts beside the name, without an opening: for a text that has one already."""
        phrases, facts, words = self.phrases, self.item.facts, self.phrases.words()
        its, it_is = ("Their", "They are") if self.item.plural else ("Its", "It is")
        adjectives = [*words.shape, *words.tint, *words.pattern, *filter(None, [words.sleeve]), *words.kind]
        second = [f"{its} second colour is {words.colour}."] if "colour2" in facts and words.colour else []
        owners = [(c, f"{'a ' if c.value == 'baby' else ''}{c.value}") for n, c in facts.items() if n == "audience"]
        owner = [f"{it_is} for {phrases.mark(claim, value)}." for claim, value in owners]
        has = self._has([text for _, text in words.with_phrases])
        extras = [*second, *has, *self._is(adjectives), *self._looks(words), *owner]
        told = [*phrases.seller_statements(), *phrases.size()]
        return " ".join([*extras, *phrases.closing(), *phrases.wear(), *phrases.others(), *told])

    def _opening(self, words: Wording, entries: Sequence[str], *, bare: bool) -> str:
        inner = [*words.tint, *words.pattern, *filter(None, [words.sleeve]), *words.kind]
        owner = [self.phrases.before("audience")] if "audience" in self.item.facts else []
        front = [*words.shape[:MAX_SHAPE], *filter(None, [words.colour]), *inner, *owner]
        phrase = " ".join([*front, self.phrases.noun()])
        if "brand" in self.item.facts:
            phrase += f" by {self.phrases.brand()}"
        if entries:
            phrase += f" with {listed(entries)}"
        if not (bare or self.item.plural or self.item.uncounted):
            phrase = with_article(phrase)
        if not (bare or entries):  # "Black shoes." is no sentence
            phrase = f"{'these are' if self.item.plural else 'this is'} {phrase}"
        return capital(f"{phrase}.")

    def _has(self, phrases: Sequence[str]) -> list[str]:
        """One or two sentences that list the phrases."""
        cut = len(phrases) if len(phrases) <= 4 else (len(phrases) + 1) // 2
        parts = [listed(part) for part in (phrases[:cut], phrases[cut:]) if part]
        starts = (self.it_has, self.it_has.replace(" ", " also "))
        return [f"{start} {part}." for start, part in zip(starts, parts, strict=False)]

    def _is(self, adjectives: Sequence[str]) -> list[str]:
        return [f"{'They are' if self.item.plural else 'It is'} {listed(adjectives)}."] if adjectives else []

    def _looks(self, words: Wording) -> list[str]:
        subject = "surface" if "Footwear" in self.item.node.path else "fabric"
        return [f"The {subject} looks {listed(words.looks)}."] if words.looks else []

"""Title and description from what is known, in the words of a private seller: each claim once, its words a span.

Several sentence plans; which one a draft gets depends on its id alone, so that the same draft always reads the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from listing.decide.claims import FIRM, Claim
from listing.decide.settle import Item, settle, spare, without
from listing.say.clauses import letters, split
from listing.say.marks import Marker, article, capital, listed, unmarked, word_count
from listing.say.phrases import Phrases, Wording
from listing.schema import Flag, Span, TextField, Tone, Writer
from listing.taxonomy import Taxonomy

MIN_TITLE, MAX_TITLE, MIN_WORDS, MAX_WORDS = 4, 9, 12, 45
SHORTER = 0.8  # share of the words that a shorter text has at most
MAX_SHAPE = 2  # adjectives in front of the colour; others get a sentence
FRIENDLY = (  # (of one item, of several): lines that claim nothing
    ("Ready for its next owner.", "Ready for their next owner."),
    ("I hope it finds a good home.", "I hope they find a good home."),
    ("Just ask if you would like to know more.",) * 2,
    ("Happy to answer any question.",) * 2,
    ("Write to me if anything is unclear.",) * 2,
)
INVITES = (  # where there is too little to say, of kinds whose schema has no lines of its own
    "Just ask if you would like to know more.",
    "Happy to answer any question.",
    "I can send more photos on request.",
    "Tell me if you need another photo or have a question.",
    "Write to me if anything is unclear or you need more photos.",
)
# What a title names first behind its "with": groups of details, and attributes.
_STRONG = (
    *("parts", "print", "hats", "fastening", "pockets", "straps", "shoes", "sleeves"),
    *("neck", "waist", "hems", "shape", "neckline", "closure", "sleeve"),
)
# What half of all items of a kind have: a title names it only where it has nothing else to name.
_COMMON = frozenset(
    word
    for words in (
        *("pockets", "buttons", "round neck", "scoop neck", "collar", "lining", "curved hem", "straight hem"),
        *("belt loops", "waistband with a fly", "flat soles", "shaping seams"),
    )
    for word in (words, f"a {words}")
) | {"an all-over print", "all-over print", "rounded toes", "a small collar", "small collar"}
_BARE = frozenset({"plain", "sporty", "shiny", "lightweight"})  # no title names them
_THERE = frozenset({"pockets", "print", "fastening", "straps"})  # what "there is" goes well with


def closers(taxonomy: Taxonomy) -> frozenset[str]:
    """The lines that claim nothing, of every kind of item."""
    nodes = [*taxonomy.leaves(), *taxonomy.groups.values()]
    lines = [line for node in nodes for line in (*node.invites, *node.invites_sized)]
    return frozenset([*lines, *INVITES, *(line for pair in FRIENDLY for line in pair)])


def closing_at(body: str, taxonomy: Taxonomy) -> int:
    """Where the lines begin that claim nothing and end a text."""
    at, closing = len(body), closers(taxonomy)
    for start, end in reversed(split(body)):
        if body[start:end].strip() not in closing:
            break
        at = start
    return at


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


def render(
    claims: Sequence[Claim], taxonomy: Taxonomy, *, key: str, tone: Tone = "plain", most: int | None = None
) -> Text:
    """Both texts of an item.

    Args:
        claims: what may be said (``claims_of``).
        key: the draft's id; it chooses the sentence plan.
        most: words of a shorter description, as far as it can do without what the seller did not say.

    Without a claim that names a category: what can be read, and which colour it is.
    """
    if not any(c.attribute == "category" for c in claims):
        return unnamed(claims)
    return write(settle(claims, taxonomy), key=key, tone=tone, most=most)


def write(item: Item, *, key: str, tone: Tone = "plain", most: int | None = None) -> Text:
    """Both texts of a settled item; see ``render``."""
    seller_adds = any(c.status == "seller" for c in item.details)  # nothing makes way for what the seller adds
    least = spare(item) if most is not None else [c for c in spare(item) if c.attribute == "detail" and not seller_adds]
    marker, count = Marker(), 0
    text = _rendered(item, marker, key, tone)
    while word_count(text[1]) > (most or MAX_WORDS) and count < len(least):
        count += 1
        text = _rendered(without(item, least[:count]), marker, key, tone, whole=item if most is None else None)
    title, spans = marker.unmark(text[0], "title")
    description, more = marker.unmark(text[1], "description")
    return Text(title, description, [*spans, *more])


def unnamed(claims: Sequence[Claim]) -> Text:
    """Both texts of an item that nobody has named yet: what can be read and which colour it is, if anything."""
    marker, facts = Marker(), {c.attribute: c for c in reversed(claims)}
    words = {name: marker.mark(c, c.value.replace("-", " ")) for name, c in facts.items()}
    printed = marker.mark(facts["text"], f'"{facts["text"].value}"') if "text" in facts else ""
    name = facts.get("text") or facts.get("brand")
    colours = [words[n] for n in ("colour", "colour2") if n in words]
    title = marker.mark(name, name.value) if name else capital(f"{' and '.join(colours)} item".lstrip())
    sentences = [f"It says {printed} on it."] if printed else []
    sentences += [f"It is {' and '.join(colours)}."] if colours else []
    sentences += [f"The brand is {words['brand']}."] if "brand" in words and name is not facts["brand"] else []
    sentences += [f"The size is {words['size']}."] if "size" in words else []
    labels = {"condition_grade": "Condition", "defects": "Flaws", "dimensions": "Dimensions", "works": "Works"}
    sentences += [f"{label}: {words[name]}." for name, label in labels.items() if name in words]
    sentences += [INVITES[0]] if len(sentences) < 2 else []
    plain_title, spans = marker.unmark(title, "title")
    description, more = marker.unmark(" ".join(sentences), "description")
    return Text(plain_title, description, [*spans, *more])


def _rendered(item: Item, marker: Marker, key: str, tone: Tone, whole: Item | None = None) -> tuple[str, str]:
    """Title and description with marks; the title of the ``whole`` item, where there is one."""
    named = whole or item
    phrases = Phrases(named, marker)
    title = _printed_title(named, phrases) or _Title(named, phrases).text()
    return title, _Description(item, Phrases(item, marker), key, unmarked(title)).text(tone)


def _printed_title(item: Item, phrases: Phrases) -> str:
    """The title of what is called by its print: brand, print, the kind if it is sure, how much is in it; else ""."""
    text = item.print_name
    if text is None:
        return ""
    brand, volume = item.facts.get("brand"), item.facts.get("volume")
    maker = phrases.brand() if brand and letters(brand.value) not in letters(text.value) else ""
    sure = item.name.status != "check" and not item.node.members and letters(item.noun) not in letters(text.value)
    behind = [phrases.noun()] if sure else []
    behind += [phrases.mark(volume, volume.value)] if volume else []
    words = text.value.split()[: MAX_TITLE - word_count(" ".join([maker, *behind]))]
    return capital(", ".join([f"{maker} {phrases.mark(text, ' '.join(words))}".lstrip(), *behind]))


def can_be_shorter(description: str, claims: Sequence[Claim], taxonomy: Taxonomy) -> bool:
    """True if the shorter tone says these claims in a fifth less words than the description, its note left aside."""
    if not any(claim.attribute == "category" for claim in claims):
        return False
    most = int(word_count(description.partition("\n\n")[0]) * SHORTER)
    return word_count(render(claims, taxonomy, key="", tone="shorter", most=most).description) <= most


def sentences_of(item: Item, more: Sequence[Claim]) -> tuple[str, list[Span]]:
    """More claims of an item as sentences of their own, and their spans; "" where texts have no words for them."""
    item, marker = item.of([*item.named, *more]), Marker()
    for claim in more:
        if claim.attribute == "colour2":  # beside a first colour, which is not named again
            item.facts["colour2"] = claim
    text, spans = marker.unmark(_Description(item, Phrases(item, marker), "", "").alone(), "description")
    added = {claim.attribute for claim in more}
    return text, [span for span in spans if span.attribute in added]


class _Title:
    """The title, what a buyer searches for, in at most nine words: ``left`` counts the words that are free."""

    def __init__(self, item: Item, phrases: Phrases) -> None:
        self.facts, self.phrases, self.marker = item.facts, phrases, phrases.marker
        self.words = phrases.words(Random(0), title=True)
        self.noun, self.brand = phrases.noun(), phrases.brand()
        size = item.facts.get("size")
        self.size = phrases.mark(size, f"size {size.value}") if size else ""
        self.left = MAX_TITLE - word_count(f"{self.brand} {self.words.colour} {self.noun} {self.size}")
        self.chosen: list[tuple[int, str]] = [(1, self.words.colour)]  # (place, adjective)
        stamp = _stamp(item, phrases)
        self.strong = [
            phrase for phrase in _strong(self.words, phrases) if not stamp or unmarked(phrase) not in _COMMON
        ]
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
        shapes = [w for w in words.shape if unmarked(w) not in _BARE and self.marker.likelihood(w) >= FIRM]
        self.take(0, shapes[:1], reserve)
        if for_whom:
            self.take(5, [self.phrases.before("audience")], reserve)

    def text(self) -> str:
        """The title with marks."""
        words, audience = self.words, self.facts.get("audience")
        doubtful = audience is not None and audience.status == "check"
        self._take_adjectives(for_whom=audience is not None and not doubtful)
        tail = self._tail()
        if words.sleeve and (not tail or self.left >= 3):
            self.take(3, [words.sleeve])
        if self.short and len(self.chosen) == 1:
            self.take(4, words.kind[:1], least=0.0)
        adjectives = [text for _, text in sorted(self.chosen, key=lambda entry: entry[0])]
        named = " ".join(filter(None, (self.brand, *adjectives, self.noun)))
        owner = f"for {self.phrases.mark(audience, audience.value)}" if audience and doubtful else ""
        behind = f"with {tail}" if tail else owner if self.short else ""
        stamp = f"{', ' if tail else ' with '}{self.stamp}" if self.stamp else ""
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
    return phrases.mark(text, f'"{text.value}" print') if text and not named and len(text.value.split()) <= 4 else ""


def _strong(words: Wording, phrases: Phrases) -> list[str]:
    """Phrases that may stand behind the title's "with", the most telling first, without articles."""

    def rank(entry: tuple[str, str]) -> tuple[bool, bool, bool, int]:
        slot, text = entry
        place = _STRONG.index(slot) if slot in _STRONG else len(_STRONG)
        return unmarked(text) in _COMMON, phrases.marker.likelihood(text) < FIRM, not phrases.marker.sure(text), place

    ranked = sorted(words.with_phrases, key=rank)
    chosen = [w.removeprefix("a ").removeprefix("an ") for _, w in ranked if " and " not in unmarked(w)]
    return [words for words in chosen if word_count(words) <= 5]


class _Description:
    """Writes the description of one item."""

    def __init__(self, item: Item, phrases: Phrases, key: str, title: str) -> None:
        self.item, self.phrases, self.rng, self.title = item, phrases, Random(key), title
        self.it_has = "They have" if item.plural else "It has"

    def text(self, tone: Tone) -> str:
        """Two to four sentences; one, and what must be told, in the shorter tone."""
        rng = self.rng
        words = self.phrases.words(rng)
        stamp, says = self.phrases.stamp(rng)
        wear, extras = self.phrases.wear(), [says] if says else []
        if tone == "shorter":
            words.with_phrases.sort(key=lambda entry: not self.phrases.marker.from_seller(entry[1]))
            now = max(3, sum(self.phrases.marker.from_seller(text) for _, text in words.with_phrases))
            beside, has = [*extras, *wear], []
        else:
            beside = [*extras, *self.phrases.closing(), *self._is(words.shape[MAX_SHAPE:]), *self._looks(words), *wear]
            now = self._first(words.with_phrases, bool(beside))
            has = self._has(words.with_phrases[now:])
        entries = [text for _, text in words.with_phrases[:now]]
        if stamp:
            entries.insert(0 if rng.random() < 0.5 else len(entries), stamp)
        opening = self._opening(words, entries, tone)
        if has and wear and beside == wear and rng.random() < 0.5:
            beside, has[-1] = wear[1:], f"{has[-1][:-1]}, and {wear[0][0].lower()}{wear[0][1:]}"
        sentences = [says, *has, *beside[1:]] if says and rng.random() < 0.4 else [*has, *beside]
        sentences += self.phrases.others() if tone != "shorter" else []
        sentences += self.phrases.seller_statements()
        sentences += [*self.phrases.composition(), *self.phrases.size()]
        return self._friendly(" ".join([opening, *sentences]), bool(sentences), tone)

    def alone(self) -> str:
        """The facts beside the name, without an opening: for a text that has one already."""
        phrases, facts, words = self.phrases, self.item.facts, self.phrases.words(self.rng)
        its, it_is = ("Their", "They are") if self.item.plural else ("Its", "It is")
        adjectives = [*words.shape, *words.tint, *words.pattern, *filter(None, [words.sleeve]), *words.kind]
        second = [f"{its} second colour is {words.colour}."] if "colour2" in facts and words.colour else []
        owners = [(c, f"{'a ' if c.value == 'baby' else ''}{c.value}") for n, c in facts.items() if n == "audience"]
        owner = [f"{it_is} for {phrases.mark(claim, value)}." for claim, value in owners]
        extras = [*second, *self._has(words.with_phrases), *self._is(adjectives), *self._looks(words), *owner]
        told = [*phrases.seller_statements(), *phrases.size()]
        return " ".join([*extras, *phrases.closing(), *phrases.wear(), *phrases.others(), *told])

    def _friendly(self, text: str, several: bool, tone: Tone) -> str:
        """A line that claims nothing: in the warmer tone, and where there is too little to say."""
        if tone == "warmer":
            return f"{text} {self.rng.choice(FRIENDLY)[self.item.plural]}"
        node, sized = self.item.node, bool({"size", "dimensions"} & self.item.facts.keys())
        lines = (node.invites_sized if sized else node.invites) or INVITES
        if self.item.plural:  # no "it" where the text says "they"
            lines = tuple(line for line in lines if " it " not in f" {line.rstrip('.')} ")
        missing = min(MIN_WORDS - word_count(text), max(map(word_count, lines)))
        if tone == "plain" and (missing > 0 or not several):
            return f"{text} {self.rng.choice([line for line in lines if word_count(line) >= missing])}"
        return text

    def _first(self, entries: Sequence[tuple[str, str]], more: bool) -> int:
        """How many phrases the opening names; something is left for a second sentence."""
        if len(entries) < 2:
            return len(entries)
        return min(self.rng.choice((1, 2, 2, 3)), len(entries) if more else len(entries) - 1)

    def _opening(self, words: Wording, entries: Sequence[str], tone: Tone) -> str:
        inner = [*words.tint, *words.pattern, *filter(None, [words.sleeve]), *words.kind]
        shape = words.shape[:MAX_SHAPE]
        movable = bool(words.colour) and "multi" not in words.colour and not words.tint and bool(inner or shape)
        behind = movable and self.rng.random() < 0.3
        front = [*shape, *filter(None, [words.colour if not behind else ""]), *inner]
        noun, owner = self._owned(self.phrases.noun())
        phrase = " ".join([*front, noun]) + (f" in {words.colour}" if behind else "") + owner
        if "brand" in self.item.facts:
            phrase += f" by {self.phrases.brand()}"
        if entries:
            phrase += f" with {listed(entries)}"
        return capital(f"{self._start(phrase, tone)}{phrase}.")

    def _owned(self, noun: str) -> tuple[str, str]:
        """The noun, and behind it for whom the item is, which may stand before the noun."""
        audience = self.item.facts.get("audience")
        if audience is None:
            return noun, ""
        if audience.value == "baby" or self.rng.random() < 0.5:
            return f"{self.phrases.before('audience')} {noun}", ""
        return noun, f" for {self.phrases.mark(audience, audience.value)}"

    def _start(self, phrase: str, tone: Tone) -> str:
        """The words before the opening phrase: nothing, an article, or "this is"; no text repeats its title."""
        plural, bare = self.item.plural, unmarked(phrase).lower()
        if tone == "shorter":
            return ""
        bare_noun = plural or self.item.uncounted
        start = self.rng.choice(("", "", "", "" if bare_noun else "article", "this"))
        if not start and bare.startswith("plain "):  # not the first word that a buyer should read
            start = "this" if bare_noun or self.rng.random() < 0.5 else "article"
        if not start and bare == self.title.lower():
            return f"I am selling {'these' if plural else 'this'} "
        if not start and bare == unmarked(self.phrases.noun()).lower():  # "Bicycle." is no sentence
            start = "this"
        if start == "this":
            return "These are " if plural else "This is " if bare_noun else f"This is {article(phrase)} "
        return f"{article(phrase)} " if start else ""

    def _has(self, entries: Sequence[tuple[str, str]]) -> list[str]:
        """One or two sentences that list the phrases."""
        if not entries:
            return []
        cut = len(entries) if len(entries) <= 4 else (len(entries) + 1) // 2
        parts = [listed([text for _, text in part]) for part in (entries[:cut], entries[cut:]) if part]
        there = self.rng.random() < 0.4 and {slot for slot, _ in entries[:cut]} <= _THERE and " cut" not in parts[0]
        start = f"There {'are' if _several(parts[0]) else 'is'}" if there else self.it_has
        also = self.it_has.replace(" ", " also ")
        return [f"{start} {parts[0]}.", *(f"{also} {part}." for part in parts[1:])]

    def _is(self, adjectives: Sequence[str]) -> list[str]:
        return [f"{'They are' if self.item.plural else 'It is'} {listed(adjectives)}."] if adjectives else []

    def _looks(self, words: Wording) -> list[str]:
        subject = "surface" if "Footwear" in self.item.node.path else "fabric"
        return [f"The {subject} looks {listed(words.looks)}."] if words.looks else []


def _several(words: str) -> bool:
    """True if a list begins with several parts."""
    first = unmarked(words).split(" on ")[0].split(" down ")[0].split(",")[0]
    return not first.startswith(("a ", "an ", "the ")) and first.split(" and ")[0].endswith("s")

"""Listings to learn writing from: real titles and descriptions, cut to what their prompt holds.

A prompt of ``listing.prompts.writer_prompt`` holds every word of meaning that the target says, in the target's own
words, so that the model learns to put claims into sentences and never to add one. What a text says beyond the claims
that were drawn for its prompt is cut: a modifier, an item of a list, else the sentence. Where nothing is left, the
renderer writes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from finetune.data.splits import is_validation_sender, split_rows
from finetune.data.tasks import Task
from listing import prompts
from listing.evidence.details import load_details
from listing.evidence.item_types import type_of
from listing.lexicon import load_lexicon, plain, words
from listing.taxonomy import CategoryNode, Taxonomy
from listing.text.claims import NAME, Claim
from listing.text.forms import detail_forms, form_for, is_plural
from listing.text.marks import article, capital, listed
from listing.text.render import Text, render

HELD = 0.1  # share of the training senders that judges the writer while it trains
VARIANTS = 3  # prompts drawn of each listing
SPARSE, FEW = 0.3, 3  # share of prompts with so few claims
DROP = 0.12  # of the claims of the other prompts
EXTRA = 0.25  # share of prompts with a claim that the target leaves out
EXAMPLES, WRONG_EXAMPLES = 0.5, 0.2  # share of prompts with past listings; of those, with ones of another kind
LIKELY = 0.35  # of the claims are told as likely
MIN_WORDS = 5  # of a description
Row = Mapping[str, Any]
_FACTS = ("colour", "colour2", "pattern", "sleeve", "neckline", "closure", "material", "audience", "brand", "text")
WORD = re.compile(r"[^\W_][\w'’]*")
_SENTENCES = re.compile(r"(?<=[.!?])\s+")
# Words that may go from in front of other words without a sentence suffering.
_MODIFIERS = (
    *(
        "small",
        "little",
        "tiny",
        "big",
        "large",
        "simple",
        "neat",
        "cute",
        "classic",
        "basic",
        "bold",
        "subtle",
        "smart",
    ),
    *("casual", "fine", "nice", "lovely", "pretty", "slightly", "very", "quite", "gently", "softly", "loosely"),
    *(
        "soft",
        "light",
        "dark",
        "pale",
        "bright",
        "deep",
        "thin",
        "thick",
        "wide",
        "narrow",
        "high",
        "low",
        "short",
        "long",
    ),
    *(
        "one",
        "two",
        "three",
        "four",
        "several",
        "few",
        "matching",
        "chunky",
        "plain",
        "clean",
        "warm",
        "dense",
        "delicate",
    ),
    *("contrasting", "contrast", "decorative", "rounded", "straight", "slim", "loose", "relaxed", "light-coloured"),
    *(
        "pointed",
        "gathered",
        "curved",
        "flat",
        "full",
        "raised",
        "moulded",
        "tonal",
        "busy",
        "wavy",
        "stitched",
        "folded",
    ),
)
_PLACES = (
    "front|back|sides?|hips?|chest|waist|waistband|hems?|cuffs?|sleeves?|shoulders?|neck|neckline|bottom|top|inside|"
    "middle|centre|legs?|ankles?|knees?|thighs?|toes?|collar|edges?|body|bust|whole front"
)
_MODIFIER = re.compile(rf"\b(?:{'|'.join(_MODIFIERS)}) (?=[a-z])", re.I)
_PLACE = re.compile(rf" (?:at|on|in|across|along|down|over|around|near|round) (?:the|each|one|both) (?:{_PLACES})\b")
# Words that claim nothing: the frame of a sentence.
FRAME = words("function") | {
    *("a", "an", "as", "at", "both", "by", "have", "in", "is", "it", "its", "of", "on", "or", "pair", "selling"),
    *("side", "sides", "some", "them", "to", "up", "i"),
}
# The same in the renderer's sentences.
RENDERED = frozenset(
    (
        "closes",
        "close",
        "little",
        "photo",
        "just",
        "pull",
        "slip",
        "fabric",
        "surface",
        "looks",
        "look",
        "like",
        "seems",
    )
) | {"be", "say", "says", "word", "words", "printed", "there", "also", "still", "name"}
_NEGATED = re.compile(r"\b(?:no|not|without|nothing|none|never)\b", re.I)


@dataclass(frozen=True)
class Piece:
    """Words of a text that say a claim: characters ``start`` to ``end``."""

    start: int
    end: int
    claim: tuple[str, str]


@dataclass(frozen=True)
class Known:
    """What may be said of a thing: its name and (attribute, value) claims."""

    name: str
    node: CategoryNode
    claims: frozenset[tuple[str, str]]


def writer_rows(rows: Iterable[Row]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(rows to train on, rows to judge by while training): both of training senders, with a label that holds."""
    train = [row for row in split_rows(rows)[0] if row["label_ok"]]
    held = [row for row in train if is_validation_sender(f"writer:{row['sender_id']}", HELD)]
    return [row for row in train if row not in held] * VARIANTS, held


def from_texts(rows: Sequence[Row], taxonomy: Taxonomy) -> Callable[[Row, Random], tuple[list[Task], list[Task]]]:
    """Tasks of a row: one prompt of claims and the listing that says them. ``rows``: all rows, for past listings."""
    train = split_rows(rows)[0]

    def teach(row: Row, rng: Random) -> tuple[list[Task], list[Task]]:
        return [], [listing_task(row, taxonomy, rng, past_listings(row, train, rng))]

    return teach


def past_listings(row: Row, rows: Sequence[Row], rng: Random) -> list[str]:
    """Two texts of other senders, or none: of things much like this one, now and then of quite another kind."""
    if rng.random() > EXAMPLES:
        return []
    wrong = rng.random() < WRONG_EXAMPLES
    pool = [r for r in rows if r["sender_id"] != row["sender_id"] and (r["label"] != row["label"]) == wrong]
    drawn = rng.sample(pool, min(40, len(pool)))
    drawn.sort(key=lambda r: -sum(r[key] == row[key] for key in _FACTS))
    return [f"{r['title']}. {r['description']}" for r in (drawn if wrong else drawn[:5])[:2]]


def listing_task(row: Row, taxonomy: Taxonomy, rng: Random, examples: Sequence[str] = ()) -> Task:
    """One prompt and the listing that it asks for; everything that the listing says stands in the prompt."""
    whole = known_of(row, taxonomy)
    drawn = _drawn(whole, rng)
    rendered = render(_claims(drawn), taxonomy, key=str(rng.random()))
    title, description = (cut(row[name], drawn) for name in ("title", "description"))
    title = title.rstrip(".")
    if len(title.split()) < 2 or not any(p.claim[0] == NAME for p in pieces(title, drawn)):
        title = rendered.title
    opening = _SENTENCES.split(description)[0]
    named = any(p.claim[0] == NAME for p in pieces(opening, drawn))
    if not named or len(description.split()) < MIN_WORDS or plain(description.rstrip(".")) == plain(title):
        description = rendered.description
    for _ in range(3):  # what falls back to the renderer's words may leave the prompt with others
        told = _told(title, description, drawn, rendered, rng)
        hints = {stem(w) for w in WORD.findall(" ".join([drawn.name, *told.values()]).lower())}
        title = _within(title, rendered.title, hints)
        description = _within(description, rendered.description, hints)
    printed = next((value for attribute, value in told if attribute == "text"), "")
    in_name = {*WORD.findall(drawn.name)}
    claims = [w for c, w in told.items() if c[0] != "text" and not {*WORD.findall(w)} <= in_name]
    claims = list(dict.fromkeys(claims))
    rng.shuffle(claims)
    likely = [words_ for words_ in claims if rng.random() < LIKELY]
    sure = [words_ for words_ in claims if words_ not in likely]
    left = sorted(whole.claims - set(told))
    if left and rng.random() < EXTRA:
        likely.insert(rng.randrange(len(likely) + 1), claim_words(*rng.choice(left), whole.node, taxonomy))
    prompt = prompts.writer_prompt(drawn.name, sure, likely, printed=printed, examples=examples)
    return Task("listing", prompt, f"{title}\n{description}", photo=False)


def _told(title: str, description: str, known: Known, rendered: Text, rng: Random) -> dict[tuple[str, str], str]:
    """The claims that the texts say, each in one of the ways they say it; the renderer's way where it wrote."""
    told: dict[tuple[str, str], str] = {}
    found: dict[tuple[str, str], list[str]] = {}
    for text, ours in ((title, rendered.title), (description, rendered.description)):
        if text == ours:
            for span in rendered.spans:
                if getattr(rendered, span.field) == text and span.attribute not in ("category", NAME):
                    words_ = text[span.start : span.end]
                    claim = (span.attribute or "", span.value)
                    told[claim] = max(told.get(claim, ""), words_, key=len)
        else:
            for piece in pieces(text, known):
                if piece.claim[0] != NAME:
                    found.setdefault(piece.claim, []).append(text[piece.start : piece.end])
    told = {claim: rng.choice(texts) for claim, texts in found.items()} | told
    return {claim: shown(words_) for claim, words_ in told.items()}


def _within(text: str, rendered: str, hints: set[str]) -> str:
    """The sentences whose words stand in the prompt; the renderer's text says what its claims say."""
    if text == rendered:
        return text
    return " ".join(s for s in _SENTENCES.split(text) if not foreign(s, hints)) or rendered


def claim_words(attribute: str, value: str, node: CategoryNode, taxonomy: Taxonomy) -> str:
    """A claim in the words of a text, without an article: ``round neck``, ``navy``, ``chest pocket``."""
    if attribute == "detail":
        form = detail_forms()[value]
        words = next((w for f in (form.behind, form.adjective, form.looks) if (w := form_for(f, node))), value)
    else:
        forms = taxonomy.attributes[attribute].forms.get(value)
        given = (*forms.behind, *forms.before, *forms.sentence) if forms else ()
        words = given[0] if given else value
    return re.sub(r"^an? |\.$", "", words)


def known_of(row: Row, taxonomy: Taxonomy) -> Known:
    """Everything that the annotation holds of a thing, guesses left out."""
    node = taxonomy.categories[row["label"]]
    given = {(key, row[key]) for key in _FACTS if row.get(key) and key not in row["guess"]}
    allowed = {a.name: a for a in taxonomy.schema(node.name)}
    facts = {(k, v.strip('"')) for k, v in given if k in allowed and v not in ("unknown", "n/a", *allowed[k].unspoken)}
    facts |= {("condition", cue) for cue in row["condition"] if cue in taxonomy.attributes["condition"].forms}
    name, lexicon, patterns = _name(row, node), load_lexicon(), load_details().patterns
    positive = " ".join(s for s in _SENTENCES.split(f"{row['title']}. {row['description']}") if not _NEGATED.search(s))
    details = {("detail", d) for d in load_details().read(positive) if detail_forms()[d].fits(node)}
    in_name = {(a, v) for m in lexicon.phrases.finditer(name) for a, vs in lexicon.meaning(m[0]).items() for v in vs}
    in_name |= {("detail", d) for _, d in details if patterns[d].search(name)}
    return Known(name, node, frozenset((facts | details) - in_name))


def _name(row: Row, node: CategoryNode) -> str:
    """What the title calls the thing: the words of its type or category that stand in it, the longest."""
    title, kind = plain(row["title"]), type_of(row["item"])
    options = [row["item"].lower(), *([kind] if kind else []), node.phrase, *node.synonyms]
    nouns = load_lexicon().nouns
    for match in load_lexicon().noun_words.finditer(row["title"].lower()):
        if node.name in (nouns.get(plain(match[0])) or nouns.get(plain(match[0]).removesuffix("s")) or ()):
            options.append(match[0])
    found = [o for o in options if re.search(rf"(?<!\w){re.escape(plain(o))}(?!\w)", title)]
    return max(found, key=len) if found else kind or node.phrase


def _drawn(whole: Known, rng: Random) -> Known:
    """The claims of one prompt. A thing's colours stay together, since one phrase says them."""
    claims = sorted(whole.claims)
    rng.shuffle(claims)
    claims.sort(key=lambda c: c[0] != "colour" or rng.random() < 0.1)
    if rng.random() < SPARSE:
        kept = claims[: rng.randint(1, FEW)]
    else:
        kept = [c for c in claims if c[0] == "colour" or rng.random() > DROP]
    colours = {c for c in claims if c[0] in ("colour", "colour2")}
    kept = [c for c in kept if c not in colours] + [c for c in sorted(colours) if any(k in colours for k in kept)]
    if len(kept) > FEW and len({c for c in kept if c in colours}) == 2 and rng.random() < DROP:
        kept = [c for c in kept if c[0] != "colour2"]
    return Known(whole.name, whole.node, frozenset(kept))


def _claims(known: Known) -> list[Claim]:
    kind = [] if known.name == known.node.phrase else [Claim(NAME, known.name)]
    facts = [Claim(attribute, value, read=attribute == "material") for attribute, value in sorted(known.claims)]
    return [Claim("category", known.node.name), *kind, *facts]


def pieces(text: str, known: Known) -> list[Piece]:
    """Where the text says a claim of ``known`` or names the thing, without overlaps, the longest first."""
    lexicon, low = load_lexicon(), text.lower()
    found = []
    for match in lexicon.phrases.finditer(low):
        for attribute, values in lexicon.meaning(match[0]).items():
            names = ("colour", "colour2") if attribute == "colour" else (attribute,)
            found += [Piece(*match.span(), (n, v)) for n in names for v in values if (n, v) in known.claims]
    for attribute, value in known.claims:
        if attribute == "detail":
            found += [Piece(*m.span(), (attribute, value)) for m in load_details().patterns[value].finditer(low)]
        elif attribute in ("text", "brand"):
            found += [
                Piece(*m.span(), (attribute, value)) for m in re.finditer(rf"\W?{re.escape(value.lower())}\W?", low)
            ]
    found += [Piece(*m.span(), (NAME, known.name)) for m in re.finditer(rf"\b{_loose(known.name)}\b", low)]
    found = [Piece(_edge(text, p.start, -1), _edge(text, p.end, 1), p.claim) for p in found]
    kept: list[Piece] = []
    for piece in sorted(found, key=lambda p: (-(p.end - p.start), p.start, p.claim)):
        if all(piece.end <= other.start or other.end <= piece.start for other in kept):
            kept.append(piece)
    return sorted(kept, key=lambda p: p.start)


def _edge(text: str, at: int, step: int) -> int:
    """The next boundary of a word from ``at`` on, so that no claim is half a word."""
    while 0 < at < len(text) and text[at - 1].isalnum() and text[at].isalnum():
        at += step
    return at


def _loose(phrase: str) -> str:
    return re.escape(plain(phrase)).replace(r"\ ", r"[\s-]")


def foreign_words(text: str, known: Known) -> list[re.Match[str]]:
    """The words of meaning in a text that no claim of ``known`` covers."""
    own = pieces(text, known)
    return [
        m
        for m in WORD.finditer(text)
        if m[0].lower() not in FRAME and not any(p.start < m.end() and m.start() < p.end for p in own)
    ]


def foreign(text: str, hints: set[str]) -> list[str]:
    """The words of meaning in a text whose stem is not among those of the prompt."""
    return [w for w in WORD.findall(text.lower()) if w not in FRAME and stem(w) not in hints]


def stem(word: str) -> str:
    """A word without the ending that its forms differ in."""
    bare = word.removesuffix("'s").removesuffix("’s")
    for ending in ("ings", "ing", "ies", "es", "ed", "s", "y", "e"):
        if bare.endswith(ending) and len(bare) - len(ending) >= 3:
            return bare[: -len(ending)]
    return bare


def cut(text: str, known: Known) -> str:
    """The text without what ``known`` does not hold; colours in the taxonomy's words, the thing by its one name."""
    sentences = (_sentence(s, known) for s in _SENTENCES.split(text.strip()) if s and not _NEGATED.search(s))
    return " ".join(s for s in sentences if s)


def _sentence(sentence: str, known: Known) -> str:
    bare = _one_name(sentence.rstrip(".!? "), known)
    for _ in range(6):
        unknown = foreign_words(bare, known)
        shorter = _shortened(bare, unknown, known) if unknown else bare
        if shorter == bare:
            break
        bare = shorter
    if foreign_words(bare, known):
        bare = _items(bare, known)
    bare = _in_own_colours(bare, known)
    bare = re.sub(r"\b([\w-]+)(?: \1\b)+", r"\1", bare, flags=re.I)
    bare = re.sub(r"\b([Aa])n? (?=(\w[\w-]*))", lambda m: m[1] + article(m[2])[1:] + " ", bare).strip(" ,;")
    return f"{capital(bare)}." if bare and any(p.claim for p in pieces(bare, known)) else ""


def _one_name(text: str, known: Known) -> str:
    """The thing by the name of the prompt wherever another word of the same number names it."""
    out = text
    for match in reversed(list(load_lexicon().noun_words.finditer(text.lower()))):
        named = re.search(rf"\b{_loose(known.name)}\b", text.lower())
        inside = named and named.start() < match.end() and match.start() < named.end()
        first = not re.search(r"\bwith\b", text[: match.start()])
        fits = known.node.name in load_lexicon().nouns.get(plain(match[0]).removesuffix("s"), {known.node.name})
        if not inside and first and fits and not named and is_plural(match[0]) == is_plural(known.name):
            out = out[: match.start()] + known.name + out[match.end() :]
    return out


def _shortened(text: str, unknown: Sequence[re.Match[str]], known: Known) -> str:
    """Without the first unknown modifier or place; the same text where there is none."""
    at = {m.start() for m in unknown}
    for pattern in (_PLACE, _MODIFIER):
        for match in pattern.finditer(text):
            words_ = [m.start() for m in WORD.finditer(text, *match.span()) if m[0].lower() not in FRAME]
            if words_ and set(words_) <= at:
                return text[: match.start()] + text[match.end() :]
    lexicon = load_lexicon()
    for match in lexicon.phrases.finditer(text.lower()):  # an adjective of a claim that was not drawn
        follows = re.match(r" ([a-z][\w-]*)", text[match.end() :])
        alone = not re.search(r"(?:\band|,) $", text[: match.start()]) and not text[match.end() :].startswith(" and ")
        before = match.start() == 0 or text[match.start() - 1] == " "
        noun = follows and follows[1] not in FRAME | {"all"}
        if match.start() in at and noun and alone and before and _is_adjective(match[0], lexicon.meaning(match[0])):
            return text[: match.start()] + text[match.end() + 1 :]
    return text


def _is_adjective(phrase: str, meaning: Mapping[str, frozenset[str]]) -> bool:
    noun = phrase.endswith(("print", "pattern", "s", "logo", "motif"))
    adjective = bool({"colour", "pattern", "material"} & set(meaning)) or phrase.endswith(("ed", "less", "'s"))
    return (adjective and not noun) or phrase.endswith("'s")


def _items(text: str, known: Known) -> str:
    """Head and the items of its list that are known; nothing where the head is not."""
    head, joined, tail = text.partition(" with ")
    if not joined:
        head, tail = "", text
    if (head and foreign_words(head, known)) or re.search(r"\b(?:is|are|has|have|which|that|where)\b", tail):
        return ""
    own = pieces(tail, known)
    edges = [m.span() for m in re.finditer(r", and |, | and | plus ", tail)]
    edges = [e for e in edges if not any(p.start < e[1] and e[0] < p.end for p in own)]
    starts, ends = [0, *(e[1] for e in edges)], [*(e[0] for e in edges), len(tail)]
    items = [tail[a:b].strip(" ,;") for a, b in zip(starts, ends, strict=True)]
    kept = [item for item in items if _is_item(item, known)]
    if not kept:
        return head if re.search(r"(?:ed|en)$", head) is None else ""
    return f"{head} with {listed(kept)}" if head else listed(kept)


def _is_item(words_: str, known: Known) -> bool:
    """Whether all of it is known, and it ends in a thing, not in a colour."""
    own = pieces(words_, known)
    return bool(own) and own[-1].claim[0] not in ("colour", "colour2") and not foreign_words(words_, known)


def _in_own_colours(text: str, known: Known) -> str:
    colours = {value for attribute, value in known.claims if attribute in ("colour", "colour2")}
    for piece in reversed(pieces(text, known)):
        if piece.claim[0] in ("colour", "colour2"):
            meant = load_lexicon().meaning(text[piece.start : piece.end].lower()).get("colour", frozenset()) & colours
            if len(meant) == 1 and "multicolour" not in meant:
                text = text[: piece.start] + next(iter(meant)).replace("-", " ") + text[piece.end :]
    named = "|".join(colour.replace("-", " ") for colour in colours) or "-"
    return re.sub(rf"\bin an? ({named})(?=$|[.,]| with\b| and\b)", r"in \1", text)


def shown(text: str) -> str:
    """Words of a text as a prompt shows them: without an article, small where they only began a sentence."""
    bare = re.sub(r"^(?:an?|the) ", "", text.strip(" .,\"'“”"), flags=re.I)
    return bare if bare[1:2].isupper() else bare[:1].lower() + bare[1:]

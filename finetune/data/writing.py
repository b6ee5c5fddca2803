"""Listings to learn writing from: real titles and descriptions, cut to what their prompt holds.

A prompt of ``listing.prompts.writer_prompt`` holds every word of meaning that the target says, in the target's own
words, so that the model learns to put claims into sentences and never to add one. What a text says beyond the claims
that were drawn for its prompt is cut: a modifier, an item of a list, else the sentence. Where nothing is left, the
renderer writes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from random import Random
from typing import Any

from finetune.data.cutting import NEGATED, SENTENCES, WORD, Known, cut, foreign, pieces, stem
from finetune.data.splits import is_validation_sender, split_rows
from finetune.data.tasks import Task
from listing import prompts
from listing.lexicon import load_lexicon, plain
from listing.observe.networks.details import load_details
from listing.observe.networks.item_types import type_of
from listing.say.claims import NAME, Claim
from listing.say.forms import detail_forms, form_for
from listing.say.render import Text, render
from listing.taxonomy import CategoryNode, Taxonomy

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
    opening = SENTENCES.split(description)[0]
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
    return " ".join(s for s in SENTENCES.split(text) if not foreign(s, hints)) or rendered


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
    positive = " ".join(s for s in SENTENCES.split(f"{row['title']}. {row['description']}") if not NEGATED.search(s))
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


def shown(text: str) -> str:
    """Words of a text as a prompt shows them: without an article, small where they only began a sentence."""
    bare = re.sub(r"^(?:an?|the) ", "", text.strip(" .,\"'“”"), flags=re.I)
    return bare if bare[1:2].isupper() else bare[:1].lower() + bare[1:]

"""From a table of past listings to a shop's folder: taxonomy, index, heads, one calibration, and a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import rag_index
from finetune.errors import DataError
from finetune.shops import calibrating, columns, fitting, shop_taxonomy
from finetune.shops.calibrating import Observed
from finetune.shops.observing import PhotoObserver, by_name, in_a_draft
from finetune.shops.report import write_report
from finetune.shops.table import Table
from finetune.shops.voice import heard, voice_of
from listing.backends.base import has_bfloat16
from listing.calibration import FILE, Calibration
from listing.lexicon import english
from listing.observe.heads import FILE as HEADS
from listing.observe.heads import Heads
from listing.observe.past_listings import PastListings
from listing.observe.printed.brand_list import spellings, words_of
from listing.rules import Rules
from listing.safety.contacts import sure_contact
from listing.shops.catalogue import tools, vocabulary_of
from listing.shops.shop import BRANDS, INDEX, TAXONOMY, Shop
from listing.taxonomy import DEFAULT_FILE, Taxonomy, load_taxonomy
from rag_index.imports.catalogue import Catalogue, PlainRow, open_catalogue
from rag_index.imports.glossary import DROP, Entry, Glossary
from rag_index.imports.importer import Import

CATEGORY = "category"
SAMPLE = 240  # listings that the calibration is fitted on: each is looked at by every source
MAX_LISTINGS = 20_000  # that heads are fitted on: more change little and take long; the index has all
MIN_LISTINGS = 20
MIN_BRAND_ROWS = 2  # rows of a brand, for print to be read against it
_SHARED_TABLE = Path("/shop")  # no place: all tables of a shop share one file of imported rows
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Learned:
    """Result of learning: the version's folder, and the questions that have a head."""

    version: Path
    listings: int
    questions: Sequence[str]


def learn(table: Table, shop: Shop, home: Path, stamp: str, tell: Tell = print, *, trial: bool = False) -> Learned:
    """Learn a table into a shop's folder and put it into use.

    stamp: names the weights of the embedded model in ``home``. trial: for a look alone, in the shop's ``cache`` and
    without what is not asked for there. DataError, ImportProblem: the table cannot be used.
    """
    folder, encoders = home / "models" / "ipl-mini", rag_index.default_encoders(home)
    catalogue = open_catalogue(
        table.path, vocabulary_of(load_taxonomy(DEFAULT_FILE)), columns.no_vectors,
        column_choices=table.given, glossary=table.glossary, photos=table.photos,
    )  # fmt: skip
    if not (column := catalogue.columns.fields.get("photos")):
        raise DataError(
            f"{table.path.name} has no column that names photos: name it with --map photos=COLUMN, or add one."
        )
    if not any(isinstance(row, PlainRow) and row.photos for row in catalogue.rows()):
        raise DataError(
            f"Column {column[0]} of {table.path.name} names no photo: write the name of each row's file there."
        )
    words = columns.read_columns(catalogue)
    tell(f"columns: {_roles(catalogue)}")
    tell(f"{words.rows} rows, {len(words.kinds)} kinds of things; questions: {', '.join(words.values) or 'none'}")
    with shop.trial() if trial else shop.new_version() as version:
        shop_taxonomy.write_taxonomy(words, catalogue.glossary, version / TAXONOMY)
        taxonomy = load_taxonomy(version / TAXONOMY)
        (version / BRANDS).write_text("".join(f"{line}\n" for line in _brands(words)), encoding="utf-8")
        observer = PhotoObserver(folder, stamp, shop.cache / "observed.jsonl")
        importer = Import(
            _in_shop_words(table, catalogue, words, taxonomy), tools(), encoders, shop.cache, sure_contact,
            features=observer.features, texts=False, store_as=_SHARED_TABLE, bf16=has_bfloat16(),
        )  # fmt: skip
        rows = importer.prepare(lambda done: tell(f"{done} of {words.rows} rows made ready"))
        if rows.usable < MIN_LISTINGS:
            why = "; ".join(line.strip() for line in rows.lines())
            raise DataError(f"{table.path.name} has too few rows to learn from, {MIN_LISTINGS} are needed: {why}")
        rag_index.build(importer.records(), version / INDEX, encoders.info, contact_check=importer.check)
        questions = [CATEGORY, *words.values]
        share = MAX_LISTINGS / rows.usable
        listings = [listing for listing in importer.photo_features() if fitting.place(listing[0].listing_id) < share]
        examples, answers = _examples(listings, questions)
        voice = voice_of([record for record, _, _ in listings], taxonomy)
        tell("fitting the heads")
        heads = fitting.fit_heads(examples, answers)
        heads.save(version / HEADS)
        tell("measuring what each source is worth")
        index = rag_index.ListingIndex.open(version / INDEX, encoders.info)
        with index:
            past = PastListings(index, encoders, taxonomy)
            observed = list(_observed(listings, heads, examples, answers, past, observer, taxonomy, tell))
        base = Calibration.load(folder)
        fitted = calibrating.fit(observed, questions, taxonomy, base)
        fitted.save(version / FILE)
        rules = Rules(taxonomy, base.model_copy(update={"questions": {**base.questions, **fitted.questions}}))
        texts = {record.listing_id: record.text for record, _, _ in listings}
        if kept := heard(voice, texts, {o.listing_id: o.observations for o in observed}, rules):
            shop_taxonomy.add_voice(kept, version / TAXONOMY)
            taxonomy = load_taxonomy(version / TAXONOMY)
        remarks = [*words.remarks, *rows.lines()]
        files = {record.listing_id: photos for record, photos, _ in listings}
        photos = Counter(record.category for record, named, _ in listings for _ in named)
        write_report(version, observed, questions, taxonomy, base, remarks, files, texts, photos)
    if not trial:
        importer.done()
        shop.use(version)
    return Learned(version, rows.usable, list(heads.values))


def _roles(catalogue: Catalogue) -> str:
    """The table's columns and what each is read as, for a person to see what was taken for what."""
    fields = {", ".join(columns): name for name, columns in catalogue.columns.fields.items() if columns}
    named = {column: name for name, column in catalogue.columns.attributes.items()}
    rest = {", ".join(unused): "not told by name"} if (unused := catalogue.columns.unused(catalogue.header)) else {}
    return "; ".join(f"{column} = {name.replace('_', ' ')}" for column, name in (fields | named | rest).items())


def _brands(words: columns.ShopColumns) -> Iterator[str]:
    """The brands of a table that the list of brands has not, as lines of it; ordinary words count alone in a line."""
    listed = {spelling.key for spelling in spellings()}
    for name, rows in words.brands.most_common():
        if rows >= MIN_BRAND_ROWS and "".join(words_of(name)) not in listed:
            yield f"!{name}" if name.lower() in english() else name


def _in_shop_words(table: Table, catalogue: Catalogue, words: columns.ShopColumns, taxonomy: Taxonomy) -> Catalogue:
    """The same table, read with the shop's own taxonomy: each word is itself.

    Where it names one seller alone, each listing counts for itself: that seller's would be no past listings of a draft.
    """
    dropped = {imported: e for imported, e in catalogue.glossary.categories.items() if e.sure and e.internal == DROP}
    shop_columns = {f"attributes.{name}": column for name, column in words.columns.items() if name in words.values}
    named = {key: Entry(name, True) for key, name in words.keys.items() if name in words.values}
    attributes = {**catalogue.glossary.attributes, **named}
    glossary = Glossary({**catalogue.glossary.columns, **shop_columns}, dropped, attributes)
    return open_catalogue(
        table.path, vocabulary_of(taxonomy), columns.no_vectors,
        column_choices={"seller_id": None} if len(words.sellers) == 1 else None,
        glossary=glossary, photos=catalogue.photos,
    )  # fmt: skip


Listing = tuple[rag_index.IndexRecord, Mapping[str, Path], np.ndarray]


def _examples(
    listings: Sequence[Listing], questions: Sequence[str]
) -> tuple[fitting.Examples, dict[str, list[str | None]]]:
    """Photos with what their listings state; folds are of sellers, where the table names several, else of listings.

    So are the votes of past listings counted: heads and votes know the same others.
    """
    photo_rows = [(i, row) for i, (_, _, features) in enumerate(listings) for row in features]
    if not photo_rows:
        raise DataError("No listing has a photo that can be read: name the folder of the photos with --photos DIR.")
    records = [record for record, _, _ in listings]
    sellers = {r.seller_id for r in records if r.seller_id != r.listing_id}
    groups = [r.seller_id if len(sellers) > 1 else r.listing_id for r in records]
    examples = fitting.Examples(np.stack([row for _, row in photo_rows]), np.array([i for i, _ in photo_rows]), groups)
    stated = {q: [r.category if q == CATEGORY else r.attributes.get(q) for r in records] for q in questions}
    return examples, stated


def _observed(
    listings: Sequence[Listing],
    heads: Heads,
    examples: fitting.Examples,
    answers: dict[str, list[str | None]],
    past: PastListings,
    observer: PhotoObserver,
    taxonomy: Taxonomy,
    tell: Tell,
) -> Iterator[Observed]:
    """A sample of listings, the same whenever they are learned again, as sources see them that know it not."""
    usable = [i for i, (_, files, _) in enumerate(listings) if files]
    chosen = sorted(usable, key=lambda i: fitting.place(listings[i][0].listing_id))[:SAMPLE]
    apart = fitting.held_out(examples, answers, dict(heads.values), chosen)
    vectors = past.index.first_image_vectors(listings[i][0].listing_id for i in chosen)
    for number, i in enumerate(chosen, 1):
        record, files, _ = listings[i]
        untaught, neighbours = observer.first_photo(files, past, record, vectors[record.listing_id])
        by_heads = {q: by_name(heads.values[q], apart[q][i]) for q in heads.values}
        observations = in_a_draft(untaught, taxonomy, by_heads, neighbours)
        truths = {q: str(answers[q][i]) for q in answers if answers[q][i]}
        yield Observed(record.listing_id, observations, truths, examples.groups[i])
        if number % 50 == 0:
            tell(f"{number} of {len(chosen)} listings looked at")

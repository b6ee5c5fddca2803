"""Full text of the listings by trigrams, kept up to date by the database itself.

SQLite has an index of its own (FTS5), which triggers fill; it holds no copy of the texts, and what is deleted leaves it
at once. PostgreSQL has one over the columns where ``pg_trgm`` can be had. Without either the columns are read as they
are. It is derived from the listings: made when a store is opened, and no part of its schema.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from functools import reduce
from operator import add

from sqlalchemy import (
    ColumnElement,
    Connection,
    Float,
    Integer,
    String,
    case,
    column,
    func,
    literal_column,
    or_,
    select,
    table,
    text,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.store.tables import ListingRow

_TRIGGERS = ("listing_trigrams_new", "listing_trigrams_old", "listing_trigrams_changed")
_SECURE_DELETE = (3, 42)  # SQLite's first version whose full text can forget at once
LEAST = 3  # letters of a word that trigrams can find
MOST_WORDS = 16  # that are looked for: each costs a look at every text where no index serves
_SIMILAR = 0.45  # share of a word's trigrams, below which a text has nothing like it
_DOCUMENT = "(title || ' ' || CAST(attributes AS TEXT) || ' ' || category || ' ' || description)"


# The text of a row: title, category and values of its facts, description. A row is forgotten by the very words by which
# it was learned, so that both are read alike.
_FACTS = "ROW.category || ' ' || coalesce((SELECT group_concat(value, ' ') FROM json_each(ROW.attributes)), '')"
_NUMBER = "(SELECT number FROM listing_numbers WHERE listing_id = ROW.id)"
_LEARN = """INSERT INTO listing_trigrams(rowid, title, facts, description)
    SELECT NUMBER, ROW.title, FACTS, ROW.description;"""
_FORGET = """INSERT INTO listing_trigrams(listing_trigrams, rowid, title, facts, description)
    SELECT 'delete', NUMBER, ROW.title, FACTS, ROW.description;"""
_MAKE = (
    "DROP TABLE IF EXISTS listing_trigrams",
    "DROP TABLE IF EXISTS listing_numbers",
    "CREATE TABLE listing_numbers (number INTEGER PRIMARY KEY, listing_id VARCHAR(32) NOT NULL UNIQUE)",
    "CREATE VIRTUAL TABLE listing_trigrams USING fts5(title, facts, description, content='', tokenize='trigram')",
    "INSERT INTO listing_trigrams(listing_trigrams, rank) VALUES ('secure-delete', 1)",
    "INSERT INTO listing_trigrams(listing_trigrams, rank) VALUES ('rank', 'bm25(4.0, 2.0, 1.0)')",
    "INSERT INTO listing_numbers(listing_id) SELECT id FROM listings",
    """INSERT INTO listing_trigrams(rowid, title, facts, description)
    SELECT NUMBER, ROW.title, FACTS, ROW.description FROM listings""".replace("ROW", "listings"),
    """CREATE TRIGGER listing_trigrams_new AFTER INSERT ON listings BEGIN
    INSERT INTO listing_numbers(listing_id) VALUES (NEW.id); LEARN END""",
    """CREATE TRIGGER listing_trigrams_old AFTER DELETE ON listings BEGIN
    FORGET DELETE FROM listing_numbers WHERE listing_id = OLD.id; END""",
    """CREATE TRIGGER listing_trigrams_changed AFTER UPDATE OF title, description, category, attributes ON listings
    BEGIN FORGET LEARN END""",
)


def _statements() -> list[str]:
    """What makes SQLite's index, fills it, and makes its triggers."""

    def of(statement: str, row: str) -> str:
        return statement.replace("NUMBER", _NUMBER).replace("FACTS", _FACTS).replace("ROW", row)

    learn, forget = of(_LEARN, "NEW"), of(_FORGET, "OLD")
    return [of(s, "listings").replace("LEARN", learn).replace("FORGET", forget) for s in _MAKE]


def prepare(connection: Connection) -> None:
    """Make the index where there is none, inside the caller's transaction."""
    if connection.dialect.name == "sqlite":
        there = set(connection.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")))
        new_enough = sqlite3.sqlite_version_info >= _SECURE_DELETE
        drop = [f"DROP TRIGGER IF EXISTS {name}" for name in _TRIGGERS]
        make = [] if there.issuperset(_TRIGGERS) else [*drop, *_statements()]
        statements = make if new_enough else drop
        for statement in statements:
            connection.exec_driver_sql(statement)
        return
    try:
        with connection.begin_nested():
            connection.execute(text("CREATE EXTENSION IF NOT EXISTS pg_trgm"))
            for name, indexed in (("trigrams", _DOCUMENT), ("trigrams_of_title", "title")):
                index = f"CREATE INDEX IF NOT EXISTS ix_listings_{name} ON listings"
                connection.execute(text(f"{index} USING gin ({indexed} gin_trgm_ops)"))
    except DBAPIError:  # the extension is not installed, or may not be made by us
        return


def is_derived(name: str) -> bool:
    """Whether a table or an index is of the full text, and no part of the schema."""
    return name == "listing_numbers" or name.removeprefix("ix_").startswith(("listing_trigrams", "listings_tri"))


def _has_trigrams(session: Session) -> bool:
    if session.get_bind().dialect.name == "sqlite":
        return sqlite3.sqlite_version_info >= _SECURE_DELETE
    return session.scalar(text("SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'")) is not None


def best_texts(session: Session, words: Sequence[str], among: Sequence[ColumnElement[bool]], limit: int) -> list[str]:
    """Ids of listings whose text has any of the words, also inside others; those with more and rarer words first.

    among: conditions on ``ListingRow``.
    """
    words = list(dict.fromkeys(words))[:MOST_WORDS]
    long = [word for word in words if len(word) >= LEAST]
    if long and session.get_bind().dialect.name == "sqlite" and _has_trigrams(session):
        return _matches(session, " OR ".join(map(_quoted, long)), among, limit)
    words = [word for word in words if any(map(str.isalnum, word))]
    if not words:
        return []
    document: ColumnElement[str] = literal_column(_DOCUMENT, String)  # as PostgreSQL's index has it
    patterns = ["%" + re.sub(r"([%_/])", r"/\1", word) + "%" for word in words]
    # PostgreSQL's index serves both; one expression for all words is several times as fast as an ILIKE for each.
    if session.get_bind().dialect.name == "postgresql":
        held: ColumnElement[bool] = document.op("~*", is_comparison=True)("|".join(map(re.escape, words)))
    else:
        held = or_(*(document.ilike(pattern, escape="/") for pattern in patterns))
    folded = (func.lower(document).label("document"), func.lower(ListingRow.title).label("title"))
    rows = select(ListingRow.id, ListingRow.published_at, *folded).where(held, *among)
    match = rows.cte("matches").prefix_with("MATERIALIZED", dialect="postgresql").c
    has = (text_.like(p.lower(), escape="/") for text_ in (match.document, match.title) for p in patterns)
    score = reduce(add, (case((condition, 1), else_=0) for condition in has))
    return list(
        session.scalars(select(match.id).order_by(score.desc(), match.published_at.desc(), match.id).limit(limit))
    )


def similar_texts(session: Session, word: str, among: Sequence[ColumnElement[bool]], limit: int) -> list[str]:
    """Ids of listings whose text has something like the word, which may be misspelt; none without trigrams."""
    trigrams = list(dict.fromkeys(word[n : n + LEAST] for n in range(len(word) - LEAST + 1)))
    if len(trigrams) < 2 or not _has_trigrams(session):
        return []
    if session.get_bind().dialect.name == "sqlite":
        ids = _matches(session, " OR ".join(map(_quoted, trigrams)), among, limit)
        titles = dict(session.execute(select(ListingRow.id, ListingRow.title).where(ListingRow.id.in_(ids))).all())
        needed = _SIMILAR * len(trigrams)
        return [i for i in ids if sum(t in titles[i].lower() for t in trigrams) >= needed]
    session.execute(text(f"SET LOCAL pg_trgm.word_similarity_threshold = {_SIMILAR}"))  # of the operator below
    score = func.word_similarity(word, ListingRow.title)
    rows = select(ListingRow.id).where(ListingRow.title.op("%>", is_comparison=True)(word), *among)
    return list(session.scalars(rows.order_by(score.desc(), ListingRow.id).limit(limit)))


def _matches(session: Session, wanted: str, among: Sequence[ColumnElement[bool]], limit: int) -> list[str]:
    """Rows of SQLite's index, the best first."""
    numbers = table("listing_numbers", column("number", Integer), column("listing_id", String))
    trigrams = table("listing_trigrams", column("rowid", Integer), column("rank", Float))
    rows = (
        select(ListingRow.id)
        .join(numbers, numbers.c.listing_id == ListingRow.id)
        .join(trigrams, trigrams.c.rowid == numbers.c.number)
        .where(text("listing_trigrams MATCH :wanted").bindparams(wanted=wanted), *among)
        .order_by(trigrams.c.rank, numbers.c.number)
        .limit(limit)
    )
    return list(session.scalars(rows))


def _quoted(word: str) -> str:
    return '"' + word.replace('"', '""') + '"'

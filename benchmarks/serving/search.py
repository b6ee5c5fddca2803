"""A buyer's search through the public page: are the first ten what was meant, and how long does it take?

    python -m benchmarks.serving.search [--listings 3600] [--rounds 1] [--store URL] [--visitors 0] [--verbose]

A store is filled with listings of known facts: the demo's offers, annotated clothes and, of every other category, a few
that are called by one of its names, all with sizes, prices and conditions that the seed draws. Every query of
``finetune/annotations/sets/search_queries*.jsonl`` is asked by ``GET /feed?q=`` of a server in this process; what a
result has to be stands in their README. Meanwhile ``--visitors`` in another process look at pages of the feed, each at
one every two seconds (about; the seed says when).
"""

from __future__ import annotations

import gzip
import json
import multiprocessing
import re
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from sqlalchemy import insert

from app.demo.items import GRADES, KIDS_SIZES, LETTERS, SIZES, USUAL_PRICES, offer
from app.market.chroma_index import ChromaSearchIndex
from app.services import Services
from app.settings import Settings
from app.store.clock import now
from app.store.tables import ListingRow
from benchmarks.common import arguments, machine
from listing.home import ipl_home
from listing.observe.past_listings import PastListings
from listing.schema import Listing
from listing.taxonomy import load_taxonomy
from rag_index import ListingIndex, build, default_encoders
from tests.app.support.local_servers import served
from tests.fakes import FakePipeline

SETS = Path("finetune/annotations/sets")
ANNOTATED = Path("finetune/annotations/clothing_cc0.jsonl.gz")
FACTS = ("colour", "colour2", "pattern", "sleeve", "neckline", "closure", "material", "audience", "text", "brand")
COLOURS = ("black", "white", "grey", "blue", "green", "red", "brown", "beige", "yellow", "pink")
OFFERS, EACH, FIRST = 60, 3, 10  # the demo's, listings of a category, results that are looked at
FIRST_LOOK = 8  # results by which a search is sensible or not
NOTHING = ("Nothing like this is on sale", "Nothing matches all of it")  # what the page says then
PAUSE = 2.0  # seconds between two pages of a visitor, in the mean
# What an annotated item is called that is of a kind; of other goods the taxonomy says it.
KINDS = {
    "jacket": r"jacket|coat|parka|anorak|windbreaker", "dress": r"dress|gown|sundress|pinafore",
    "jumper": r"jumper|sweater|pullover|sweatshirt|turtleneck", "shirt": r"(?<!t[- ])(?<!polo )\bshirt",
    "t-shirt": r"t[- ]shirt|\btee", "hoodie": r"hoodie|hooded (?:sweatshirt|top)", "cap": r"\bcap",
    "top": r"\btop|camisole|singlet|undershirt", "trousers": r"trousers|pants|chinos|joggers|culottes",
    "tracksuit bottoms": r"track pants|sweat ?pants|joggers|(?:jogging|tracksuit) (?:pants|trousers|bottoms)",
    "bodysuit": r"bodysuit|sleepsuit|romper|onesie", "trainers": r"trainer|sneaker|plimsoll|(?:running|sports) shoe",
    "flip-flops": r"flip[- ]flop|slide", "beanie": r"beanie|(?:knit|knitted|wool|bobble|woolly) hat",
    "waistcoat": r"waistcoat|suit vest", "hat": r"hat|cap|beanie|beret|visor|fedora", "shoes": r".*",
}  # fmt: skip
SHADES = {"navy": {"navy", "blue"}, "turquoise": {"green", "blue", "light-blue"}, "light-blue": {"light-blue", "blue"}}


@dataclass(frozen=True)
class Good:
    """A listing to be, and what it is."""

    category: str
    title: str
    description: str
    facts: Mapping[str, str]
    price: float


def goods(count: int, seed: int) -> Iterator[Good]:
    """The demo's offers, other goods, and annotated clothes up to ``count``, again from the start where they end."""
    rng = np.random.default_rng(seed)
    for each in (offer(n, seed) for n in range(OFFERS)):
        yield Good(each.item.category, each.item.title, each.item.description, each.facts, each.price)
    others = [node for node in load_taxonomy().leaves() if node.path[0] != "Clothing"]
    for node in others * EACH:
        name, colour = str(rng.choice([node.phrase, *node.synonyms])), str(rng.choice(COLOURS))
        facts = {"colour": colour, "condition_grade": str(rng.choice(GRADES)), "item_type": name}
        text = f"{colour.capitalize()} {name} from a smoke-free home. Used, works as it should."
        yield Good(node.name, f"{colour.capitalize()} {name}", text, facts, float(rng.integers(3, 90)))
    with gzip.open(ANNOTATED, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    order = rng.permutation(len(rows))
    for n in range(count - OFFERS - EACH * len(others)):
        yield clothes(rows[order[n % len(rows)]], rng)


def clothes(row: Mapping[str, Any], rng: np.random.Generator) -> Good:
    """An annotated photo as somebody lists it."""
    facts = {n: str(row[n]) for n in FACTS if row.get(n) not in (None, "unknown", "none", "n/a")}
    kids = facts.get("audience") in ("kids", "baby")
    sizes = KIDS_SIZES if kids else SIZES.get(row["label"], LETTERS)
    facts |= {"item_type": row["item"], "size": str(rng.choice(sizes)), "condition_grade": str(rng.choice(GRADES[1:]))}
    price = max(2.0, round(USUAL_PRICES.get(row["label"], 10) * float(np.exp(0.4 * rng.standard_normal()))))
    return Good(row["label"], row["title"], row["description"], facts, price)


def is_right(query: Mapping[str, Any], good: Good) -> bool:
    """Whether it is of a kind that is meant and says nothing to the contrary; of a brand, print or motif it has to."""

    def wanted(name: str) -> list[str]:
        value = query.get(name, [])
        return value if isinstance(value, list) else [value]

    facts, text = good.facts, f"{good.title} {good.description} {good.facts.get('text', '')}".lower()
    colours = {shade for colour in wanted("colour") for shade in SHADES.get(colour, {colour})}
    has = {c for name in ("colour", "colour2") for c in facts.get(name, "").split(", ")}
    audiences = {*wanted("audience"), *(["baby"] if query.get("audience") == "kids" else []), "unisex"}
    contrary = {name: {*([v] if isinstance(v, str) else v)} for name, v in query.get("not", {}).items()}
    return (
        not query.get("absent")
        and not any(values.intersection(facts.get(name, "").split(", ")) for name, values in contrary.items())
        and good.price >= query.get("min_price", 0)
        and ("kind" not in query or any(is_kind(kind, good) for kind in wanted("kind")))
        and (not colours or bool(colours & has))
        and ("size" not in query or facts.get("size", query["size"]) == query["size"])
        and ("max_price" not in query or good.price <= query["max_price"])
        and ("audience" not in query or facts.get("audience", query["audience"]) in audiences)
        and ("brand" not in query or query["brand"] in facts.get("brand", "").lower())
        and ("pattern" not in query or query["pattern"] == facts.get("pattern"))
        and ("motif" not in query or query["motif"] in text)
    )


def is_kind(kind: str, good: Good) -> bool:
    """Whether people call it so: annotated clothes by their item's name, other goods by the taxonomy."""
    taxonomy = load_taxonomy()
    node = taxonomy.find(kind)
    if good.category in taxonomy.categories and taxonomy.node(good.category).path[0] != "Clothing":
        return node is not None and good.category in (node.name, *node.members)
    item = good.facts.get("item_type", "").lower().split(" with ")[0]
    if kind == "shoes":
        return good.category == "Shoes"
    return re.search(rf"(?:{KINDS.get(kind, re.escape(kind.rstrip('s')))})s?$", item) is not None


def fill(services: Services, count: int, seed: int) -> dict[str, Good]:
    """Put the goods on sale, and into the index; a text is encoded once."""
    index = services.index
    assert isinstance(index, ChromaSearchIndex)
    seller, listed = services.sellers.named("seller").id, {}
    rows: list[dict[str, Any]] = []
    for n, good in enumerate(goods(count, seed)):
        text = {"category": good.category, "title": good.title, "description": good.description}
        row = {"id": f"ipl-{n:024x}", "seller_id": seller, "status": "active", "price": good.price, "currency": "EUR"}
        rows.append({**row, **text, "attributes": dict(good.facts), "created_at": now(), "published_at": now()})
        listed[rows[-1]["id"]] = good
    with services.store.write() as session:
        session.execute(insert(ListingRow), [{**r, "condition": r["attributes"]["condition_grade"]} for r in rows])
    texts = {f"{r['title']}\n{r['description']}": r for r in rows}
    records = index.records([(Listing(**r, condition=None, stock=1, origin="user"), ()) for r in texts.values()])
    by_text = dict(zip(texts, records, strict=True))
    index.past.index.add(
        by_text[f"{r['title']}\n{r['description']}"].model_copy(update={"listing_id": r["id"]}) for r in rows
    )
    return listed


def main() -> None:
    parser = arguments(__doc__, listings=3_600, seed=0, rounds=1, store="", visitors=0)
    parser.add_argument("--verbose", action="store_true", help="the first results of each query that are not right")
    args = parser.parse_args()
    files = sorted(SETS.glob("search_queries*.jsonl"))
    queries = [{**json.loads(x), "set": f.stem} for f in files for x in f.read_text().splitlines()]
    with tempfile.TemporaryDirectory() as folder:
        home, encoders = Path(folder), default_encoders(ipl_home())
        build([], home / "index", encoders.info)
        past = PastListings(ListingIndex.open(home / "index", encoders.info), encoders, load_taxonomy())
        settings = Settings(home=home, **({"store": args.store} if args.store else {}))
        with closing(Services(settings, pipeline=FakePipeline(), index=ChromaSearchIndex(past))) as services:
            listed = fill(services, args.listings, args.seed)
            with (
                served(services, page=False) as url,
                httpx.Client(base_url=url, timeout=60) as client,
                visitors(url, args.visitors, args.seed),
            ):
                figures = measure(client, queries, listed, args)
            print(json.dumps({"listings": len(listed), "visitors": args.visitors, **figures, **machine()}))


@contextmanager
def visitors(url: str, count: int, seed: int) -> Iterator[None]:
    """So many people who look at pages of the feed until the block ends."""
    people = multiprocessing.get_context("spawn").Process(target=visit, args=(url, count, seed), daemon=True)
    people.start()
    yield
    assert people.is_alive(), "the visitors went away"
    people.terminate()
    people.join()


def visit(url: str, count: int, seed: int) -> None:
    """Pages of the feed for each of so many visitors, until this process ends."""

    def one(number: int) -> None:
        rng = np.random.default_rng((seed, number))
        with httpx.Client(base_url=url, timeout=60) as client:
            while True:
                time.sleep(PAUSE * (0.5 + rng.random()))
                client.get("/feed").raise_for_status()

    for number in range(count):
        threading.Thread(target=one, args=(number,), daemon=True).start()
    threading.Event().wait()


def measure(client: httpx.Client, queries: list[dict[str, Any]], listed: dict[str, Good], args: Any) -> dict[str, Any]:
    """Shares of right ones among the first ten, and milliseconds a search."""
    shares, ms, sensible = [], [], []
    for query in queries * args.rounds:
        start = time.perf_counter()
        page = client.get("/feed", params={"q": query["q"]}).text
        ms.append(1e3 * (time.perf_counter() - start))
        found = [listed[i] for i in re.findall(r'data-listing="([^"]+)"', page)[:FIRST]]
        shares.append([is_right(query, good) for good in found])
        there, eight = sum(is_right(query, good) for good in listed.values()), shares[-1][:FIRST_LOOK]
        fits = bool(eight) and eight[0] and sum(eight) >= min(there, len(eight) / 2)
        sensible.append(bool(fits or (found and not there and any(words in page for words in NOTHING))))
        if args.verbose and not (sensible[-1] and all(eight)):
            titles = " | ".join(("" if right else "✕ ") + g.title for g, right in zip(found, eight, strict=False))
            print(f"{'' if sensible[-1] else 'MISS '}{query['q']!r}: {sum(eight)} right, {there} there; {titles}")
    sets = [query["set"] for query in queries * args.rounds]
    of_set = {name: [s for s, one in zip(shares, sets, strict=True) if one == name] for name in dict.fromkeys(sets)}
    return {
        "queries": len(queries),
        "right_among_ten_of": {name: round(float(np.mean([any(s) for s in some])), 3) for name, some in of_set.items()},
        "sensible_of": {
            n: sum(s for s, one in zip(sensible, sets, strict=True) if one == n) // args.rounds for n in of_set
        },
        "right_among_ten": round(float(np.mean([any(s) for s in shares])), 3),
        "share_right": round(float(np.mean([np.mean(s) if s else 0.0 for s in shares])), 3),
        "nothing": sum(not s for s in shares) // args.rounds,
        **{f"p{q}_ms": round(float(np.percentile(ms, q)), 1) for q in (50, 95)},
    }


if __name__ == "__main__":
    main()

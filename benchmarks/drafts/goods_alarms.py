"""False alarms of the contact and goods checks on honest texts, where there should be next to none.

    python -m benchmarks.drafts.goods_alarms [--texts 2500] [--seed 21] [--show]

``catalogue``: texts of ``fashion_catalog`` (``IPL_DATA``), of which some alarms are right: links do stand in a few
(``--show`` prints what was found). ``names``: every category's name and little else, by the model that serves.
``unlearned names``: half of the names (seed 3), by a model that has learned from none of their short texts, with the
limits of the one that serves; about half a minute on one core. Prints one JSON line.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable

import pandas as pd

from benchmarks.common import arguments
from benchmarks.training.safety.goods import SETS, SHORT_TEXTS, Recipe, learn, read_rows
from finetune.data.photosets import data_root
from listing.safety.contacts import find_contacts
from listing.safety.prohibited_goods import check_goods, load_model, spellings
from listing.taxonomy import load_taxonomy

FORMS = ("{}", "{}, works", "Used {} in good condition", "Black {}. Very good condition, pick-up or shipping.")


def catalogue(count: int, seed: int, show: bool) -> dict[str, float]:
    """Shares of a catalogue's texts in which contacts or goods are found."""
    file = data_root() / "fashion_catalog" / "text_44k.parquet"
    table = pd.read_parquet(file, columns=["title", "description", "article_type"]).fillna("")
    rows = list(table.sample(count, random_state=seed).itertuples())
    texts = [(f"{row.title}\n{row.description}", str(row.article_type)) for row in rows]
    contacts = [spans for text, _ in texts if (spans := find_contacts(text))]
    goods = [refusal for text, kind in texts if (refusal := check_goods(kind, text))]
    if show:
        print(*([span.text for span in spans] for spans in contacts), *goods, sep="\n")
    return {"texts": count, "contacts": len(contacts) / count, "goods": len(goods) / count}


def texts_of(names: Iterable[str]) -> list[str]:
    """Each name in each form."""
    return [form.format(name) for name in names for form in FORMS]


def names() -> dict[str, int]:
    """Alarms on the names of all categories."""
    verdicts = [check_goods(None, text) for text in texts_of(leaf.name for leaf in load_taxonomy().leaves())]
    refused = sum(verdict is not None and verdict.level == "refuse" for verdict in verdicts)
    return {"texts": len(verdicts), "flagged": sum(v is not None for v in verdicts), "refused": refused}


def unlearned_names() -> dict[str, int]:
    """Alarms on half of the names by a model that has not learned from them."""
    leaves, serves = load_taxonomy().leaves(), load_model()
    held = set(random.Random(3).sample([leaf.name for leaf in leaves], len(leaves) // 2))
    called = [name for leaf in leaves if leaf.name in held for name in (leaf.name, *leaf.synonyms)]
    unseen = {form.format(name) for name in called for form in SHORT_TEXTS}
    rows = [row for row in read_rows(SETS) if row["author"] != "catalogue" or row["text"] not in unseen]
    model = learn(rows, Recipe())
    scores = [max(model.judge(spelling)[0] for spelling in spellings(text)) for text in texts_of(sorted(held))]
    flagged, refused = (sum(score >= limit for score in scores) for limit in (serves.review, serves.refuse))
    return {"texts": len(scores), "flagged": flagged, "refused": refused}


def main() -> None:
    parser = arguments(__doc__, texts=2500, seed=21)
    parser.add_argument("--show", action="store_true")
    args = parser.parse_args()
    found = {"names": names(), "unlearned names": unlearned_names()}
    print(json.dumps({"catalogue": catalogue(args.texts, args.seed, args.show), **found}))


if __name__ == "__main__":
    main()

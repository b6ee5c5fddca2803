"""False alarms of the contact and goods checks on texts of a catalogue, where there should be next to none.

    python -m benchmarks.drafts.catalogue_alarms [--texts 2500] [--seed 21] [--show]

Reads ``fashion_catalog`` in the folder of photo sets (``IPL_DATA``); prints one JSON line. Some alarms are right: links
do stand in a few texts (``--show`` prints what was found).
"""

from __future__ import annotations

import json

import pandas as pd

from benchmarks.common import arguments
from finetune.data.photosets import data_root
from listing.safety.contacts import find_contacts
from listing.safety.prohibited_goods import check_goods


def main() -> None:
    parser = arguments(__doc__, texts=2500, seed=21)
    parser.add_argument("--show", action="store_true")
    args = parser.parse_args()
    file = data_root() / "fashion_catalog" / "text_44k.parquet"
    rows = (
        pd.read_parquet(file, columns=["title", "description", "article_type"])
        .fillna("")
        .sample(args.texts, random_state=args.seed)
    )
    texts = [(f"{row.title}\n{row.description}", str(row.article_type)) for row in rows.itertuples()]
    contacts = [spans for text, _ in texts if (spans := find_contacts(text))]
    goods = [refusal for text, kind in texts if (refusal := check_goods(kind, text))]
    if args.show:
        print(*([span.text for span in spans] for spans in contacts), *goods, sep="\n")
    print(json.dumps({"texts": len(texts), "contacts": len(contacts) / len(texts), "goods": len(goods) / len(texts)}))


if __name__ == "__main__":
    main()

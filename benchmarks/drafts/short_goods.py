"""Alarms of the goods check on the shortest of honest texts: a category's name and little else.

    python -m benchmarks.drafts.short_goods

``all``: every category's name, by the model that serves. ``held``: half of the names (seed 3), by a model that has
learned from none of their short texts, with the limits of the one that serves; about half a minute on one core.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable

from finetune.safety.goods import SETS, SHORT_TEXTS, Recipe, learn, read_rows
from listing.safety.prohibited_goods import check_goods, load_model, spellings
from listing.taxonomy import load_taxonomy

FORMS = ("{}", "{}, works", "Used {} in good condition", "Black {}. Very good condition, pick-up or shipping.")


def texts(names: Iterable[str]) -> list[str]:
    """Each name in each form."""
    return [form.format(name) for name in names for form in FORMS]


def main() -> None:
    """Print the counts as JSON."""
    leaves, serves = load_taxonomy().leaves(), load_model()
    names = [leaf.name for leaf in leaves]
    verdicts = [check_goods(None, text) for text in texts(names)]
    held = set(random.Random(3).sample(names, len(names) // 2))
    unseen = {
        form.format(name) for leaf in leaves if leaf.name in held for name in (leaf.name, *leaf.synonyms)
        for form in SHORT_TEXTS
    }  # fmt: skip
    rows = [row for row in read_rows(SETS) if row["author"] != "catalogue" or row["text"] not in unseen]
    model = learn(rows, Recipe())
    scores = [max(model.judge(spelling)[0] for spelling in spellings(text)) for text in texts(sorted(held))]
    print(json.dumps({
        "all": {"texts": len(verdicts), "flagged": sum(v is not None for v in verdicts),
                "refused": sum(v is not None and v.level == "refuse" for v in verdicts)},
        "held": {"texts": len(scores), "flagged": sum(s >= serves.review for s in scores),
                 "refused": sum(s >= serves.refuse for s in scores)},
    }))  # fmt: skip


if __name__ == "__main__":
    main()

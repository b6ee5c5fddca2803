"""What a seller's presses make of drafts: recorded by one version of the code, then by another, and compared.

    python -m benchmarks.drafts.presses record A [--written DRAFTS] [--drafts 100] [--presses 20] [--seed 0]
    python -m benchmarks.drafts.presses record B [--written DRAFTS] --like A   # with another version's code
    python -m benchmarks.drafts.presses compare A B [--samples 12]

Drafts of training senders' photos of ``clothing_cc0``, in every tone in turn, are written once (``--written``). Presses
are drawn from what the page shows: chips, marked words confirmed, changed or left out, facts and words typed, titles
and descriptions typed as people do, an undo, another category; with ``--like`` they are those of another record. A
record that was cut off goes on. An older version needs ``Services``, ``Actions`` and ``Drafts`` as they are called
here. ``compare`` counts a press where the two begin to differ, by kind; a typed text makes them alike again.
"""

from __future__ import annotations

import json
import random
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from app.seller.actions import Actions
from app.seller.session import SellerSession
from app.services import Services
from app.settings import Settings
from app.store.search_index import NoIndex
from app.views import DraftView
from benchmarks.common import arguments, markdown
from finetune.data.photosets import data_root, read_annotations
from finetune.data.splits import split_rows
from listing.home import ipl_home
from listing.intake.photos import intake
from listing.pipeline import build_pipeline
from listing.request import TONES, DraftEvent, DraftRequest
from listing.schema import Draft
from listing.taxonomy import load_taxonomy

Press = dict[str, Any]
KINDS = ("title", "description", "fact lost", "fact added", "fact changed", "details", "chips", "marks", "questions")
TYPED = {
    "brand": ("zara", "H&M", "Nike"), "size": ("M", "38", "10-12 years", "xl"), "text": ("LOVE", "Paris 1998"),
    "defects": ("a small stain at the cuff", "one button is missing"), "item_type": ("costume", "party top"),
}  # fmt: skip
MORE = (
    "size M", "a small stain at the hem", "bought last year, worn twice", "no pockets", "with a hood, zip",
    "100% cotton", "from a smoke-free home", "dark blue", "it runs small", "for women", "by Zara",
)  # fmt: skip
TITLES = ("{}, great condition", "Lovely {}", "{} - barely worn", "{} size M", "Zara {}", "*NEW* {}",
          "my daughter's {}", "cute top, worn twice", "{} like new!!", "vintage {} 90s")  # fmt: skip
TEXTS = (
    "{} Worn twice, smoke-free home.", "Hi! I am selling this because it is too small. {}", "{} Fits like a M.",
    "selling this bc it doesn't fit me anymore. no stains or holes", "{}\nsize M\nno returns", "My favourite. {}",
    "Bought last summer and only worn once, it's soft and comfy. Pet-free home.", "{} It has a tiny hole at the seam.",
)  # fmt: skip
pipeline_of = cache(build_pipeline)
SHARES = (4, 5, 3, 2, 2, 2, 2, 1)  # of the kinds of presses
HUES = rf"\b(?:{'|'.join(load_taxonomy().attributes['colour'].values)})\b"


class Written:
    """A pipeline that gives one draft, which was written before."""

    concurrency, glance = 1, staticmethod(lambda _photo: ("", ""))
    draft: Draft

    def run(self, request: DraftRequest) -> Iterator[DraftEvent]:
        """The draft, of the photos that are asked about."""
        yield DraftEvent(draft=self.draft.model_copy(update={"photos": [p.ref for p in request.photos]}))


def written_drafts(file: Path, count: int) -> list[tuple[str, Draft]]:
    """Photos of training senders with their drafts, those of the file first; what is missing there is written."""
    rows, _ = split_rows(read_annotations(data_root() / "clothing_cc0"))
    found = [(str(line["photo"]), Draft.model_validate(line["draft"])) for line in _lines(file)]
    for n in range(len(found), count):
        photo = str(rows[n * len(rows) // count]["image"])
        pipeline = pipeline_of(None, False, ipl_home())
        events = pipeline.run(DraftRequest(photos=intake([photo]), tone=TONES[n % len(TONES)]))
        found.append((photo, next(event.draft for event in events if isinstance(event, DraftEvent))))
        with file.open("a", encoding="utf-8") as out:
            out.write(json.dumps({"photo": photo, "draft": found[-1][1].model_dump(mode="json")}) + "\n")
    return found[:count]


def drawn(rng: random.Random, view: DraftView) -> Press:
    """One press of those that the page offers."""
    draft, attributes = cast(Draft, view.draft), load_taxonomy().attributes
    kind = rng.choices(("chip", "word", "fact", "more", "title", "description", "undo", "category"), SHARES)[0]
    if kind == "chip" and draft.offers:
        offer = rng.choice(draft.offers[:8])
        name = f"detail:{offer.value}" if offer.attribute == "detail" else offer.attribute
        return {"do": "add", "name": name, "value": offer.value, "label": offer.label}
    if kind == "word" and draft.spans:
        span, how = rng.choice([s for s in draft.spans if s.status == "check"] or draft.spans), rng.random()
        name = f"detail:{span.value}" if span.attribute == "detail" else str(span.attribute)
        others = [v for v in span.alternatives if v != span.value] or [span.value]
        if how > 0.75 and name != "category":
            return {"do": "fact_drop", "name": name, "label": span.value}
        return {"do": "fact", "name": name, "value": rng.choice(others) if how > 0.4 else span.value}
    if kind == "more":
        return {"do": "add", "more": rng.choice(MORE)}
    if kind in ("title", "description"):
        text = str(getattr(view, kind))
        own = rng.choice([*(TITLES if kind == "title" else TEXTS), "in small letters", "a word less", "another colour"])
        words = text.split(" ")
        del words[rng.randrange(len(words))]
        colour = re.sub(HUES, rng.choice(("navy", "beige", "red")), text, count=1, flags=re.I)
        other = {"in small letters": text.lower(), "a word less": " ".join(words), "another colour": colour}
        return {"do": "text", "field": kind, "value": other.get(own, own.replace("{}", text))}
    if kind == "undo" and view.locked:
        return {"do": "fact_unlock", "name": rng.choice(sorted(view.locked))}
    if kind == "category" and view.category is not None:
        names = [candidate.value for candidate in view.category.candidates]
        return {"do": "fact", "name": "category", "value": rng.choice([*names, "Dress", "Shirt", "Hoodie"])}
    fact = rng.choice([attributes[a.name] for a in view.attributes if a.name in attributes])
    return {
        "do": "fact",
        "name": fact.name,
        "value": rng.choice(fact.seller_choices or TYPED.get(fact.name, ["40 x 30 cm"])),
    }


def shown(view: DraftView) -> Press:
    """What stands on the page after a press."""
    draft = cast(Draft, view.draft)
    return {
        **{name: view.value(name) for name in ("title", "description", "category")},
        "facts": {a.name: [a.value, a.value or a.suggestion] for a in view.attributes if a.value or a.suggestion},
        "details": sorted(d.phrase for d in draft.details),
        "chips": [offer.label for offer in draft.offers],
        "marks": sorted({f"{s.attribute} {s.value}" for s in draft.spans if s.status == "check"}),
        "questions": [q.attribute for q in view.questions],
    }


def record(out: Path, written: Path, count: int, presses: int, seed: int, like: Path | None) -> None:
    """A line a press, and one before the first; of drafts that the file has whole, nothing again."""
    done = {n: rows for n, rows in _by_draft(out).items() if len(rows) > presses}
    out.write_text("".join(f"{json.dumps(row)}\n" for rows in done.values() for row in rows), encoding="utf-8")
    others, drafts, pipeline = _by_draft(like) if like else {}, written_drafts(written, count), Written()
    with TemporaryDirectory() as folder:
        (Path(folder) / "models").symlink_to(ipl_home() / "models")
        with closing(Services(Settings(home=Path(folder)), pipeline=pipeline, index=NoIndex())) as services:
            me = services.sellers.named("me").id
            for n, (photo, draft) in ((n, each) for n, each in enumerate(drafts) if n not in done):
                pipeline.draft, rng, rows, session = draft, random.Random(f"{seed} {n}"), list[Press](), SellerSession()
                session.show(list(services.draft_writer.start(me, intake([photo])))[-1], services.media)
                actions = Actions(services, me, session)
                for k in range(presses + 1):
                    assert session.view is not None
                    press = {} if not k else others[n][k]["press"] if like else drawn(rng, session.view)
                    session.notices.clear()
                    actions.press(press)
                    refused = [notice.words for notice in session.notices]
                    rows.append({"draft": n, "k": k, "press": press, "refused": refused, **shown(session.view)})
                with out.open("a", encoding="utf-8") as file:
                    file.write("".join(f"{json.dumps(row)}\n" for row in rows))


def _by_draft(file: Path) -> dict[int, list[Press]]:
    return {n: list(rows) for n, rows in groupby(_lines(file), key=itemgetter("draft"))}


def _lines(file: Path) -> list[Press]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.is_file() else []


def differences(a: Press, b: Press) -> dict[str, tuple[Any, Any]]:
    """What is not the same after the same presses, by kind."""
    found, one, other = {k: (a[k], b[k]) for k in KINDS if k in a and a[k] != b[k]}, a["facts"], b["facts"]
    both = {name for name in one.keys() & other.keys() if one[name] != other[name]}
    for kind, names in ("lost", one.keys() - other.keys()), ("added", other.keys() - one.keys()), ("changed", both):
        if names:
            found[f"fact {kind}"] = {n: one.get(n) for n in names}, {n: other.get(n) for n in names}
    return found


def compare(a: Path, b: Path, *, samples: int) -> str:
    """How often the two begin to differ, by kind, and samples of each with the press that did it."""
    begun: dict[str, list[tuple[Press, Press, tuple[Any, Any]]]] = defaultdict(list)
    before, pairs = dict[str, tuple[Any, Any]](), list(zip(_lines(a), _lines(b), strict=True))
    for left, right in pairs:
        now = differences(left, right)
        for kind in now.keys() - (before.keys() if left["k"] else ()):
            begun[kind].append((left, right, now[kind]))
        before = now
    rows = [(kind, len(begun[kind]), len({left["draft"] for left, *_ in begun[kind]})) for kind in KINDS]
    told = [f"{len(pairs)} states", markdown(("kind", "begins to differ", "drafts"), rows)]
    for kind in KINDS:
        told += [f"\n## {kind}"]
        for left, right, (was, now) in random.Random(kind).sample(begun[kind], min(samples, len(begun[kind]))):
            told += [
                f"{left['draft']}/{left['k']} {left['press']} {right['refused'] or ''}",
                f"   A {was}",
                f"   B {now}",
            ]
    return "\n".join(told)


def main() -> None:
    parser = arguments(__doc__, drafts=100, presses=20, seed=0, samples=12, written=Path("drafts.jsonl"))
    parser.add_argument("command", choices=("record", "compare"))
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--like", type=Path)
    args = parser.parse_args()
    if args.command == "record":
        record(args.files[0], args.written, args.drafts, args.presses, args.seed, args.like)
    else:
        print(compare(*args.files, samples=args.samples))


if __name__ == "__main__":
    main()

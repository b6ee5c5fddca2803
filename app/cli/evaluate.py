"""``ipl evaluate``: what the drafts would state of photos with known answers, arm by arm."""

from __future__ import annotations

import argparse
import json
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import finetune
from app.cli import CommandError, catalogue
from listing.home import ipl_home

if TYPE_CHECKING:
    from listing.shops.shop import Shop

EMBEDDED = "ipl-mini"


def register(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="photos and annotations.jsonl (default: in IPL_DATA)",
    )
    parser.add_argument("--arms", metavar="NAME,...", help="which arms (default: all; --arms help lists them)")
    parser.add_argument("--limit", type=int, default=0, metavar="N", help="only N photos")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the results as JSON")
    parser.add_argument("--model", metavar="ID|URL", help="folder, hub id or URL (default: the embedded model)")
    parser.add_argument("--cache", type=Path, metavar="FILE", help="where observations are kept between runs")
    parser.add_argument("--shop", dest="of_shop", metavar="DIR", help="with --listings: whose drafts (or IPL_SHOP)")
    parser.add_argument("--listings", type=Path, metavar="TABLE", help="new listings, which the shop has not learned")
    parser.add_argument("--photos", type=Path, metavar="DIR", help="where their photos lie (default: beside the table)")


def check(args: argparse.Namespace) -> None:
    """Look at the arms, the shop, and the table or the annotated photos."""
    if args.arms == "help":
        return
    if args.listings is not None:
        _ = _shop(args).current
        catalogue.check_table(args.listings, photos=args.photos)
    else:
        _plan(args)
        finetune.check_photos(args.data)


def run(args: argparse.Namespace) -> int:
    """Observe, decide, measure; print one line an arm."""
    if args.arms == "help":
        print("\n".join(finetune.ARMS))
        return 0
    if args.listings is not None:
        return _measure_shop(args)
    plan = _plan(args)
    evaluation = observed(args.data, _model(args), args.cache, plan)
    finetune.run_evaluation(evaluation, plan, args.out)
    return 0


def observed(
    data: Path | None, model: Path | str, cache: Path | None, plan: finetune.EvaluationPlan
) -> finetune.Evaluation:
    """The validation photos as a model and all other sources see them."""
    home, stamp = ipl_home(), finetune.weights_stamp(model)
    store = cache or home / "evaluation" / f"{stamp}.observed.jsonl"
    asked = None if model == embedded() else str(model)
    observer = finetune.Observer(partial(finetune.evaluation_parts, asked, home, store.parent), store)
    return finetune.observe(data or finetune.data_root() / "clothing_cc0", observer, stamp, plan)


def _shop(args: argparse.Namespace) -> Shop:
    from listing.shops.shop import Shop

    if not (named := args.of_shop or os.environ.get("IPL_SHOP")):
        raise CommandError("name the shop that the listings are new to: --shop DIR.", 2)
    return Shop(Path(named).expanduser().absolute())


def _measure_shop(args: argparse.Namespace) -> int:
    """Measure a shop's drafts on a table of new listings; print one line a question."""
    home, shop = ipl_home(), _shop(args)
    table = finetune.Table(args.listings, photos=args.photos or args.listings.parent)
    figures = finetune.measure(shop.current, table, shop.cache / "new", home, finetune.weights_stamp(embedded()))
    print(f"{'':16} listings  out of the box  past listings  heads  shop  three  stated  right of those")
    for name, row in figures.items():
        alone = [f"{row[arm][0]:.2f}" for arm in ("out of the box", "past listings", "heads", "shop")]
        sure = "" if row["right of those"] is None else f"{row['right of those']:.2f}"
        print(
            f"{name:16} {row['listings']:8}  {alone[0]:>14}  {alone[1]:>13}  {alone[2]:>5}  {alone[3]:>4}  "
            f"{row['three']:5.2f}  {row['stated']:6.2f}  {sure:>14}"
        )
    if args.out:
        args.out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 0


def _plan(args: argparse.Namespace) -> finetune.EvaluationPlan:
    names = [name.strip() for name in args.arms.split(",")] if args.arms else list(finetune.ARMS)
    for name in names:
        if name not in finetune.ARMS:
            raise CommandError(f"there is no arm {name!r}; ./ipl evaluate --arms help lists them.", 2)
    if args.limit < 0:
        raise CommandError("--limit takes a number from 0 on.", 2)
    return finetune.EvaluationPlan(arms=tuple(names), limit=args.limit)


def embedded() -> Path:
    """The embedded model's folder."""
    return ipl_home() / "models" / EMBEDDED


def _model(args: argparse.Namespace) -> Path | str:
    """The folder, or the hub id or address as it was given."""
    folder = embedded() if args.model in (None, EMBEDDED) else Path(args.model)
    if not folder.is_dir():
        return embedded() if folder == embedded() else str(args.model)
    return embedded() if folder.resolve() == embedded().resolve() else folder

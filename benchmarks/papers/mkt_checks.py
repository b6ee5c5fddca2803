"""What the page on MKT says of the world and of stage 1, beside the arms' measures.

python -m benchmarks.papers.mkt_checks --worlds FOLDER gauc # users and test rows that GAUC keeps, seeds 0 to 4
python -m benchmarks.papers.mkt_checks --worlds FOLDER cosine # where both extractors point, with and without the loss
IPL_DATA=... python -m benchmarks.papers.mkt_checks --worlds FOLDER amazon # test rows whose thing training never showed
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from recommend.config import TrainConfig
from recommend.data.memory import MemoryStream
from recommend.data.parquet import ParquetStream
from recommend.data.splits import last_days
from recommend.data.world.write import LOG
from recommend.experiments.recipe import Setting
from recommend.experiments.recipes import mkt_amazon
from recommend.experiments.recipes.mkt import ALL, ARMS, MODEL
from recommend.experiments.setups.entities import FEATURES, TEST_DAYS, Ready, open_entities
from recommend.experiments.setups.marketplace import world_folder
from recommend.features.entities import ENTITY, POST
from recommend.features.ragged import Batch, concat_batches
from recommend.models.base import label
from recommend.models.mkt import MEM, Polarity
from recommend.training.trainer import train

ROWS = 20_000  # of an entity, the last ones of the training window


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("gauc", "cosine", "amazon"))
    parser.add_argument("--worlds", type=Path, required=True, help="folder in which worlds are kept")
    parser.add_argument("--seeds", type=int, nargs="+", default=None, help="default: 0 to 4, and 100 for cosine")
    args = parser.parse_args()
    torch.set_num_threads(1)
    for seed in args.seeds or ([100] if args.what == "cosine" else range(5)):
        setting = Setting("small", seed, args.worlds, {})
        if args.what == "amazon":
            print(f"seed {seed}: {unseen(mkt_amazon.load(setting, swapped=False))}", flush=True)
            continue
        if args.what == "gauc":
            print(f"seed {seed}: {kept(*tested(setting))}", flush=True)
            continue
        ready = open_entities(setting, {})
        for polarity in ("none", "signed"):
            mem = stage1(ready, seed, polarity)
            for entity, rows in (("item", ready.things), ("post", ready.posts)):
                print(f"seed {seed}, polarised loss {polarity}, {entity}: {directions(mem, entity, rows)}", flush=True)


def tested(setting: Setting) -> tuple[np.ndarray, np.ndarray]:
    """Users and clicks of the recipe's test rows."""
    log = world_folder(setting.worlds, setting.scale, setting.seed, {}) / LOG
    files = last_days(log, TEST_DAYS).files(log, "test")
    rows = concat_batches(list(ParquetStream(files, ("user_id", "click", ENTITY), batch_rows=65_536)))
    user, click, entity = (label(rows, name).numpy() for name in ("user_id", "click", ENTITY))
    return user[entity == POST], click[entity == POST]


def unseen(ready: mkt_amazon.Ready) -> str:
    """Shares of the held-back phones and of their negatives without an event or an embedding of their own."""
    y, item = label(ready.test, "click").numpy(), label(ready.test, "item_id").numpy()
    unknown = item == int(ready.encoders.row("item_id", torch.tensor([-1]))[0])
    parts = [
        f"{name}: {(ready.popularity[of] == 0).mean():.3f} without a training event, {unknown[of].mean():.3f} unknown"
        for name, of in (("held back", y), ("negatives", ~y))
    ]
    return f"{len(ready.together['click']):,} training rows, {len(y):,} test rows; {'; '.join(parts)}"


def kept(user: np.ndarray, click: np.ndarray) -> str:
    """Users and rows with a pair: of a click and none, for GAUC; of any two rows, for the expected one."""
    _, index = np.unique(user, return_inverse=True)
    rows, clicks = np.bincount(index), np.bincount(index, weights=click)
    both, two = (clicks > 0) & (clicks < rows), rows > 1
    return (
        f"{len(rows):,} users, {len(user):,} rows, {int(clicks.sum())} clicks; gauc {int(both.sum()):,} users, "
        f"{rows[both].sum():,} rows; gauc_true {int(two.sum()):,} users, {rows[two].sum():,} rows"
    )


def stage1(ready: Ready, seed: int, polarity: Polarity) -> MEM:
    """As the recipe trains it."""
    torch.manual_seed(seed)
    mem = MEM(FEATURES, ready.market.encoders.sizes(), MODEL, polarity=polarity)
    config: TrainConfig = ALL.changed([f"learning_rate={ARMS['mkt'].first}", f"seed={seed}", "threads=1"])
    train(mem, MemoryStream(ready.market.train, config.batch_rows), config)
    return mem.eval()


def directions(mem: MEM, entity: str, rows: Batch) -> str:
    """Mean cosine of the two extractors over an entity's last rows, and whether either has vanished."""
    stream = list(MemoryStream(rows, 4_096))
    cosines, common, alone = [], [], []
    with torch.no_grad():
        for batch in stream[-max(ROWS // 4_096, 1) :]:
            _, index = next(iter(mem.rows(batch)))
            body, own = mem.body(mem.inputs(batch)), mem.own_fields(batch, entity, index)
            a, b = mem.common(body, own, entity), mem.independent[entity](torch.cat([body, own], 1))
            cosines.append(functional.cosine_similarity(a, b, dim=1))
            common.append(a)
            alone.append(b)
    a, b = torch.cat(common), torch.cat(alone)
    return (
        f"mean cosine {float(torch.cat(cosines).mean()):.3f}; length of g_com {float(a.norm(dim=1).mean()):.2f}, "
        f"of g_ind {float(b.norm(dim=1).mean()):.2f}; all zero {float((b == 0).all(1).float().mean()):.2f}; "
        f"units in use {int((a > 0).any(0).sum())} and {int((b > 0).any(0).sum())} of {a.shape[1]}"
    )


if __name__ == "__main__":
    main()

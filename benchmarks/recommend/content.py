"""What content vectors tell of things that hardly anybody has seen: the default ranker with them and without.

    python -m benchmarks.recommend.content --impressions 200000 --seeds 9410 9411 9412

At each dose a world is simulated whose things have a taste of their own (``id_signal``), of which the content vector
shows a part (``content_signal``). The ranker is trained twice on all days but the last four, and ranks the things that
were shown on these: by expected AUC, among those of no, of 1 to 9 and of 10 or more rows in training.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from benchmarks.common import arguments, markdown
from recommend.config import ModelConfig, TrainConfig
from recommend.data.oracle import no_oracle
from recommend.data.parquet import read_table
from recommend.data.ragged import array_of
from recommend.metrics.ranks import auc
from recommend.research.studies.statistics import t_interval
from recommend.research.world import write_world
from recommend.research.world.stored import store_histories
from recommend.training.evaluation import truth_of
from recommend.training.runs import asked, load_run, log_of, plan, train_run
from recommend.training.scoring import predictions

DOSES = ((0.5, 0.95), (0.5, 0.5), (0.12, 0.5))  # of id_signal and content_signal; the last is the default
ROWS = {"none": (0, 0), "1 to 9": (1, 9), "10 or more": (10, 2**31)}
TEST_DAYS, KEEP = 4, ("item_id", "impression_id")
Aucs = dict[str, float]


def measured(
    folder: Path, seed: int, dose: tuple[float, float], impressions: int, model: str
) -> tuple[Aucs, Aucs, Aucs]:
    """By how often things were shown in training: expected AUC with content and without, and shares of the rows."""
    knobs = {"impressions": impressions, "id_signal": dose[0], "content_signal": dose[1]}
    write_world(folder / "world", seed=seed, knobs=knobs)
    store_histories(folder / "world")
    log = log_of(folder / "world")
    whole = plan(log, ModelConfig(name=model), TrainConfig(seed=seed, threads=1), ("click",), TEST_DAYS)
    items, many = np.unique(
        array_of(read_table(log, "impression", ["item_id"], *whole.train_days)["item_id"]), return_counts=True
    )
    arms: list[Aucs] = []
    for run in (whole, whole.model_copy(update={"content": 0})):
        out = folder / f"content-{run.content}"
        with no_oracle():
            train_run(log, run, out)
            net, encode, split = load_run(out, log)
            rows = predictions(net, asked(net, log, split.test, [*net.features.columns, *KEEP]), encode, KEEP)
        truth = truth_of(log, split.test, rows["impression_id"])
        assert truth is not None
        at = np.searchsorted(items, rows["item_id"]).clip(max=len(items) - 1)
        seen = np.where(items[at] == rows["item_id"], many[at], 0)
        of = {n: (rows["item_id"] >= 0) & (seen >= a) & (seen <= b) for n, (a, b) in ROWS.items()}
        arms.append({name: auc(truth[which], rows["p_click"][which]) for name, which in of.items()})
        shares = {name: float(which.mean()) for name, which in of.items()}
    return arms[0], arms[1], shares


def main() -> None:
    """Run and print."""
    parser = arguments(__doc__, impressions=200_000, model="dcn")
    parser.add_argument("--seeds", type=int, nargs="+", default=(9410, 9411, 9412))
    args = parser.parse_args()
    lines = []
    for dose in DOSES:
        of_seed = []
        for seed in args.seeds:
            with tempfile.TemporaryDirectory() as folder:
                of_seed.append(measured(Path(folder), seed, dose, args.impressions, args.model))
        for name in ROWS:
            with_content, without, share = (
                np.array([arm[name] for arm in arms]) for arms in zip(*of_seed, strict=True)
            )
            mean, low, high = t_interval(with_content - without)
            figures = [f"{with_content.mean():.4f}", f"{without.mean():.4f}", f"{mean:+.4f} [{low:+.4f}, {high:+.4f}]"]
            lines.append([f"{dose[0]:g}", f"{dose[1]:g}", name, f"{share.mean():.2f}", *figures])
            print(lines[-1], flush=True)
    head = ("id_signal", "content_signal", "rows in training", "share of the rows", "with content", "without", "gain")
    print(markdown(head, lines))


if __name__ == "__main__":
    main()

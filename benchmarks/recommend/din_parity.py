"""Is our DIN the same model as DeepCTR-Torch's? Same initial weights, same batches, same rows of a real log.

In an environment with the peers (``requirements-bench.txt``): ``python -m benchmarks.recommend.din_parity``.
Each seed draws users of Amazon Beauty, makes samples (one negative a positive, a uniformly drawn thing), holds back the
last positive of each user, and starts our DIN; its weights are copied into theirs, whose first predictions must then
agree to 1e-5, or the comparison ends. Both train one pass by their own trainers on the same order of rows. Theirs sums
the loss over a batch where ours takes the mean; Adam does not mind but for its epsilon, so that theirs gets one that is
larger by the batch's rows ("as shipped" leaves it alone). Exit status 1 when the mean AUCs differ by more than 0.002.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from scipy import stats

from benchmarks.recommend.peers import deepctr, ours
from benchmarks.recommend.peers.workload import Part, Workload
from recommend.data import sequences
from recommend.data.imports.events import read_events
from recommend.features.encoders import Encoders
from recommend.features.ragged import Batch, Ragged, rows_of, select_batch
from recommend.metrics.ranks import auc

ALLOWED = 0.002
CONTEXT = ("user_id", "hour")  # the workload's; the log has no hours, so that field is constant in both libraries


@dataclass(frozen=True)
class Log(Workload):
    """The workload's sizes with a real log's tables."""

    batch_rows: int = 256
    tables: tuple[tuple[str, int], ...] = ()

    @property
    def sizes(self) -> dict[str, int]:
        """Rows of each embedding table, the unknown id (and padding) included."""
        return dict(self.tables)


def rows(seed: int, users: int, longest: int) -> tuple[dict[str, int], Part, Part]:
    """Table sizes, training rows in a shuffled order and test rows."""
    e = read_events("amazon_beauty")
    rng = np.random.default_rng(seed)
    chosen = np.isin(e["user_id"], rng.permutation(np.unique(e["user_id"]))[:users])
    user, item, step, category = (e[n][chosen] for n in ("user_id", "item_id", "time_ms", "category"))
    columns = sequences.samples(user, item, step, category, seed=seed, rule="uniform", longest=longest)
    learn, test = sequences.split_last(columns)
    encoders = Encoders.fit(sequences.feature_map(longest=longest), [learn])
    learn = select_batch(learn, torch.from_numpy(rng.permutation(rows_of(learn))))
    sizes = encoders.sizes()
    sizes = {"user_id": sizes["user_id"], "hour": 2, "item_id": sizes["item_id"], "category": sizes["category"]}
    return sizes, part(encoders(learn), longest), part(encoders(test), longest)


def part(batch: Batch, longest: int) -> Part:
    """Encoded columns as the peers' adapters take them."""
    columns, length = {}, np.empty(0)
    for name, column in batch.items():
        if isinstance(column, Ragged):
            columns[{"history_item": "history"}.get(name, name)] = column.padded(longest)[0].numpy()
            length = column.lengths.numpy()
        elif name in ("user_id", "item_id", "category"):
            columns[name] = column.numpy()
    columns["hour"] = np.ones(len(length), dtype=np.int64)
    click = batch["click"]
    assert isinstance(click, torch.Tensor)
    return Part(columns, length, click.numpy())


@torch.no_grad()
def copy(mine: torch.nn.Module, theirs: torch.nn.Module) -> int:
    """Our weights into their model; the number of values, which must be all of both."""
    state = mine.state_dict()
    (group,) = {n.split(".")[1] for n in state if n.startswith("attention.")}
    last = max(int(n.split(".")[2]) for n in state if n.startswith("top.layers."))
    attention = f"attention.{group}."
    pairs = {
        f"embedding_dict.{t}.weight": f"inputs.tables.tables.{t}.weight"
        for t in ("user_id", "hour", "item_id", "category")
    }
    local = "attention.local_att."
    pairs |= {f"{local}dnn.linears.0.{k}": f"{attention}first.{k}" for k in ("weight", "bias")}
    pairs[f"{local}dnn.activation_layers.0.weight"] = f"{attention}act.weight"
    pairs |= {f"{local}dense.{k}": f"{attention}rest.layers.0.{k}" for k in ("weight", "bias")}
    for layer in range(last // 2):
        pairs |= {f"dnn.linears.{layer}.{k}": f"top.layers.{2 * layer}.{k}" for k in ("weight", "bias")}
        pairs[f"dnn.activation_layers.{layer}.weight"] = f"top.layers.{2 * layer + 1}.weight"
    pairs |= {"dnn_linear.weight": f"top.layers.{last}.weight", "out.bias": f"top.layers.{last}.bias"}
    other = dict(theirs.named_parameters())
    for name, source_name in pairs.items():
        other[name].copy_(state[source_name].reshape(other[name].shape))
    unused = set(state) - set(pairs.values()), {n for n in set(other) - set(pairs) if other[n].numel()}
    assert not any(unused), f"weights without a counterpart: {unused}"
    return sum(other[n].numel() for n in pairs)


def compare(seed: int, users: int, longest: int) -> dict[str, Any]:
    """AUC of both after one pass, and how they differed before."""
    sizes, learn, test = rows(seed, users, longest)
    work = Log(rows=len(learn.click), longest=longest, seed=seed, tables=tuple(sizes.items()))
    mine, theirs, shipped = ours.Din(work, learn), deepctr.Din(work, learn), deepctr.Din(work, learn)
    copy(mine.model, shipped.model)
    copy(mine.model, theirs.model)
    before = float(np.abs(mine.predict(test) - theirs.predict(test)).max())
    assert before < 1e-5, f"with the same weights the predictions differ by {before}"
    theirs.model.optim = torch.optim.Adam(theirs.model.parameters(), work.learning_rate, eps=1e-8 * work.batch_rows)
    found: dict[str, Any] = {"rows": len(learn.click), "before": before}
    for name, model in (("ours", mine), ("theirs", theirs), ("shipped", shipped)):
        cpu = time.process_time()
        model.fit(shuffle=False)
        found[f"{name}_s"] = time.process_time() - cpu
        found[f"{name}_p"] = model.predict(test)
        found[name] = auc(test.click, found[f"{name}_p"])
    found["after"] = float(np.abs(found["ours_p"] - found["theirs_p"]).max())
    return found


def main() -> int:
    """Print a Markdown table and the paired difference."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--users", type=int, default=4_000)
    parser.add_argument("--longest", type=int, default=20)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(
        "| seed | rows | ours | deepctr-torch | difference | as shipped | predictions differ at most, before / after |"
    )
    print("|---|---|---|---|---|---|---|")
    runs = []
    for seed in range(options.seeds):
        r = compare(seed, options.users, options.longest)
        runs.append(r)
        print(
            f"| {seed} | {r['rows']:,} | {r['ours']:.4f} | {r['theirs']:.4f} | {r['ours'] - r['theirs']:+.5f} | "
            f"{r['shipped']:.4f} | {r['before']:.0e} / {r['after']:.0e} |",
            flush=True,
        )
    cpu = {name: sum(r[f"{name}_s"] for r in runs) for name in ("ours", "theirs")}
    matched = difference(runs, "theirs")
    print(f"\nours - deepctr-torch {version('deepctr-torch')} in AUC, {len(runs)} seeds: {stated(matched)}")
    print(f"ours - deepctr-torch as shipped: {stated(difference(runs, 'shipped'))}")
    print(
        f"allowed: {ALLOWED}; training took {cpu['ours']:.1f} and {cpu['theirs']:.1f} CPU seconds; "
        f"torch {torch.__version__}"
    )
    return int(abs(matched.mean()) > ALLOWED)


def difference(runs: list[dict[str, Any]], other: str) -> np.ndarray:
    """(seeds,) AUC of ours less that of the other."""
    return np.array([r["ours"] - r[other] for r in runs])


def stated(d: np.ndarray) -> str:
    """Mean and 95 % t-interval."""
    half = stats.t.ppf(0.975, len(d) - 1) * d.std(ddof=1) / len(d) ** 0.5 if len(d) > 1 else np.inf
    return f"{d.mean():+.5f} [{d.mean() - half:+.5f}, {d.mean() + half:+.5f}]"


if __name__ == "__main__":
    sys.exit(main())

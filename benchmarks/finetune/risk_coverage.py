"""How often stated attributes are right, and how much is stated: risk against coverage on validation senders.

    python -m benchmarks.finetune.risk_coverage --cache FILE [--plot docs/images/risk_coverage.png] [--json FILE]

Reads the opinions that ``./ipl evaluate`` keeps and asks no language model. Weights and thresholds are cross-fitted:
each half of the senders is judged with the constants of the other half. Coverage is the share of scored pairs of photo
and attribute (no guesses; attributes of the predicted category) in which a value is stated; risk the share of wrong
ones among them.
The plot needs matplotlib.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from finetune.data.photosets import ATTRIBUTES, data_root, read_annotations
from finetune.data.splits import split_rows
from finetune.errors import DataError
from finetune.evaluate.cached_model import CachedModel
from finetune.evaluate.calibrate import PRECISION, cross_fitted, fit, halves, sources, threshold
from finetune.evaluate.measures import BINS, calibration_error, interval, judge, share
from finetune.evaluate.row_cache import RowCache
from listing.decide.category import decide
from listing.decide.pool import Calibration, best, combine
from listing.decide.questions import within
from listing.home import ipl_home
from listing.prompts import UNKNOWN
from listing.taxonomy import Taxonomy, load_taxonomy

TARGETS = (0.7, 0.75, 0.8, 0.85, 0.9, PRECISION, 0.95, 0.97, 0.99)
Case = tuple[int, str, str | None, float, bool]  # photo, attribute, likeliest value (None: unknown), its p, right


def load(data: Path, cache: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(validation rows, opinions) of the photos that the cache holds.

    Raises:
        DataError: it holds none of them.
    """
    _, rows = split_rows(read_annotations(data))
    kept = RowCache(cache, lambda row: str(row["image"]))
    rows = [row for row in rows if Path(row["image"]).name in kept]
    if not rows:
        raise DataError(f"{cache} holds no opinion on these photos: run ./ipl evaluate first.")
    model = CachedModel(ipl_home() / "models" / "ipl-mini", cache.parent, load_taxonomy(), cache)
    return rows, model.predictions(rows)


def cases(
    rows: list[dict[str, Any]], said: list[dict[str, Any]], rules: list[Calibration], taxonomy: Taxonomy
) -> list[Case]:
    """Every scored pair of photo and attribute under each photo's own rule."""
    found: list[Case] = []
    for i, (row, opinion, rule) in enumerate(zip(rows, said, rules, strict=True)):
        heard = {"mllm": opinion["mllm"]["category"], "classifier": opinion["classifier"].get("label", {})}
        category = decide(heard, taxonomy).candidates[0].value
        for attribute in taxonomy.schema(category):
            if attribute.name not in ATTRIBUTES or attribute.name in row["guess"]:
                continue
            views = sources(opinion, attribute)
            value, p = best(combine(views, rule.of(attribute.name).weights) or within(views["mllm"], attribute))
            counts = judge(row, attribute.name, value)
            known = value != UNKNOWN and counts is not None
            found.append((i, attribute.name, value if known else None, p, bool(counts and counts.right)))
    return found


def at_target(
    rows: list[dict[str, Any]], said: list[dict[str, Any]], target: float, fitted: list[Calibration], taxonomy: Taxonomy
) -> list[tuple[int, bool, bool]]:
    """(photo, stated, right) of every pair; thresholds of the other half's senders for ``target``."""
    one, two = halves(rows)
    out = []
    for train, test in ((one, two), (two, one)):
        rule = fitted[test[0]]  # fitted on ``train``
        least = {}
        seen = cases([rows[i] for i in train], [said[i] for i in train], [rule] * len(train), taxonomy)
        for name in ATTRIBUTES:
            stated = [(p, int(ok)) for _, n, value, p, ok in seen if n == name and value is not None]
            least[name] = threshold(stated, target)
        judged = cases([rows[i] for i in test], [said[i] for i in test], [rule] * len(test), taxonomy)
        out += [(test[k], value is not None and p >= least[name], ok) for k, name, value, p, ok in judged]
    return out


def precision_and_coverage(rows: list[dict[str, Any]], pairs: list[tuple[int, bool, bool]]) -> dict[str, Any]:
    """Both with 95 % intervals over senders."""
    sums = np.zeros((len(rows), 3))
    for i, stated, ok in pairs:
        sums[i] += (1, stated, stated and ok)

    def ratio(part: int, whole: int) -> Any:
        return lambda index: share(float(sums[index, part].sum()), float(sums[index, whole].sum()))

    measures = {"precision": ratio(2, 1), "coverage": ratio(1, 0)}
    everything = list(range(len(rows)))
    return {
        **{name: measure(everything) for name, measure in measures.items()},
        "intervals": {name: interval(rows, measure) for name, measure in measures.items()},
    }


def measure(rows: list[dict[str, Any]], said: list[dict[str, Any]], shipped: Calibration | None) -> dict[str, Any]:
    """Points of the curve by target precision, the shipped constants, and calibration of the likeliest values."""
    taxonomy = load_taxonomy()
    fitted = cross_fitted(rows, said, taxonomy)
    found = cases(rows, said, fitted, taxonomy)
    valued = [(p, ok) for _, _, value, p, ok in found if value is not None]
    points = {t: precision_and_coverage(rows, at_target(rows, said, t, fitted, taxonomy)) for t in TARGETS}
    order = sorted(valued, reverse=True)
    right = np.cumsum([ok for _, ok in order])
    result = {
        "photos": len(rows),
        "pairs": len(found),
        "targets": points,
        "ece": calibration_error([p for p, _ in valued], [ok for _, ok in valued]),
        "curve": [
            [round((k + 1) / len(found), 4), round(1 - float(right[k]) / (k + 1), 4)]
            for k in range(4, len(order), max(1, len(order) // 100))
        ],
        "bins": reliability(valued),
    }
    for name, rule in {"shipped constants": shipped, "fitted on the same photos": fit(rows, said, taxonomy)}.items():
        if rule is not None:
            same = cases(rows, said, [rule] * len(rows), taxonomy)
            stated = [(i, v is not None and p >= rule.of(n).threshold, ok) for i, n, v, p, ok in same]
            result[name] = precision_and_coverage(rows, stated)
    return result


def reliability(valued: list[tuple[float, bool]]) -> list[list[float]]:
    """[mean probability, share right, how many] of each bin of equal width."""
    p, ok = np.array([p for p, _ in valued]), np.array([ok for _, ok in valued], float)
    number = np.minimum((p * BINS).astype(int), BINS - 1)
    return [
        [round(float(p[number == b].mean()), 4), round(float(ok[number == b].mean()), 4), int((number == b).sum())]
        for b in sorted(set(number.tolist()))
    ]


def plot(result: dict[str, Any], file: Path) -> None:
    """The curve and the reliability diagram, side by side."""
    try:
        import matplotlib
    except ImportError as error:
        raise SystemExit("the plot needs matplotlib: pip install matplotlib") from error
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(8, 3.4), dpi=100, layout="constrained")
    left.plot(*zip(*result["curve"], strict=True), color="#1f5fa8", label="one threshold for all")
    points = [(t, p["coverage"], 1 - p["precision"]) for t, p in result["targets"].items() if p["coverage"] > 0]
    left.plot(
        [c for _, c, _ in points], [r for _, _, r in points], "o", color="#c2571a", label="thresholds by attribute"
    )
    shown = result["targets"][PRECISION]
    left.annotate(f"served ({PRECISION:.2f} asked)", (shown["coverage"], 1 - shown["precision"]), (0.05, 0.55),
                  textcoords="axes fraction", arrowprops={"arrowstyle": "->"})  # fmt: skip
    left.set(xlabel="coverage: share of pairs with a stated value", ylabel="risk: share of wrong ones", ylim=(0, None))
    left.legend(frameon=False, fontsize=8, loc="upper left")
    right.plot([0, 1], [0, 1], color="#999999", linewidth=1)
    right.scatter([b[0] for b in result["bins"]], [b[1] for b in result["bins"]],
                  s=[8 + b[2] / 4 for b in result["bins"]], color="#1f5fa8")  # fmt: skip
    right.set(xlabel="probability", ylabel="share right", title=f"expected calibration error {result['ece']:.3f}")
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=data_root() / "clothing_cc0")
    parser.add_argument("--cache", type=Path, required=True, help="the opinions kept by ./ipl evaluate")
    parser.add_argument("--model", type=Path, default=Path("finetune/weights"), help="folder of calibration.json")
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    rows, said = load(args.data, args.cache)
    shipped = Calibration.load(args.model) if (args.model / "calibration.json").is_file() else None
    result = measure(rows, said, shipped)
    for name, found in [*result["targets"].items(), *[(k, v) for k, v in result.items() if k.startswith(("sh", "fi"))]]:
        (a, b), (c, d) = found["intervals"]["precision"], found["intervals"]["coverage"]
        print(
            f"{name!s:26} precision {found['precision']:.3f} [{a:.3f}, {b:.3f}]  "
            f"coverage {found['coverage']:.3f} [{c:.3f}, {d:.3f}]"
        )
    print(f"{result['photos']} photos, {result['pairs']} pairs, ECE {result['ece']:.3f}")
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if args.plot:
        plot(result, args.plot)


if __name__ == "__main__":
    main()

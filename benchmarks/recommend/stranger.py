"""Methods that ``phenomena`` names in worlds whose reader is told nothing of them, beside those that are right.

    python -m benchmarks.recommend.stranger --worlds 10 --out stranger.json [--train]

Each world has every phenomenon on or off by a coin, at a dose by lot of the stronger ones, on a seed of its own. Its
logs are measured as ``./ipl recommend phenomena --data LOG`` does, and a method is named where its verdict is "can
pay". A world is right where those named are those that are on. ``--train`` then trains the primary claim's two arms of
each named method, untuned, and judges them by the truth. What the knobs were is in the file alone; seeds stay below
those that judge. ``--small`` takes half as long; edges are fitted on its seeds 7400 to 7412, COPR's
on 7400 to 7419, and tested on 7440 to 7459.
"""

from __future__ import annotations

import importlib
import json
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.common import arguments
from recommend.phenomena.log import Log, Missing
from recommend.phenomena.table import NINE, Finding
from recommend.research.studies.engine import write
from recommend.research.studies.study import Setting, find_study
from recommend.research.world import KNOBS, write_world
from recommend.research.world.candidates import add_candidates

FIRST_SEED = 7_000
# At 400,000 impressions the interval of Rec4Ad's phenomenon spans the edge of its range at every dose.
SIZES: dict[str, dict[str, int]] = {
    "candidates": {"impressions": 300_000, "requests": 150},
    "impressions": {"impressions": 1_200_000},
    "clicks": {"clicks": 400_000},
}
SMALL = {**SIZES, "candidates": {"impressions": 120_000, "requests": 240}, "clicks": {"clicks": 200_000}}
# The stronger doses at which the phenomenon was in its range before the edges were fitted: an edge moves no world.
DOSES: dict[str, tuple[float, ...]] = {
    "msnet": (0.8, 1), "mkt": (0.6, 0.75, 0.9), "keep": (0.6, 0.75, 0.9), "clid": (0.75, 1, 1.5), "one_epoch": (1,),
    "ecad": (0.25, 0.35, 0.5), "hdr": (0.5, 0.7, 0.9), "copr": (0.6, 0.8, 1), "rec4ad": (1.5, 2, 3),
}  # fmt: skip


def drawn(seed: int) -> dict[str, float]:
    """By phenomenon its knob's value: off, or a dose by lot."""
    rng = np.random.default_rng(seed)
    return {p.name: float(rng.choice(DOSES[p.name])) if rng.random() < 0.5 else KNOBS[p.name].off for p in NINE}


def simulated(folder: Path, view: str, values: dict[str, float], seed: int, sizes: dict[str, int]) -> Path:
    """A view's world with the knobs of its phenomena."""
    knobs = {k.name: values[n] for n, k in KNOBS.items() if k.view == view}
    write_world(folder, view=view, seed=seed, knobs={**sizes, **knobs})
    if view == "candidates":
        add_candidates(folder)
    return folder


def gain(name: str, root: Path, value: float, seed: int) -> float:
    """The primary claim's gain in one world."""
    study = find_study(name)
    setting = Setting(value, seed)
    prepared = study.prepare(root, setting)
    return study.primary.gain({a: study.run(a, prepared, setting) for a in (study.primary.arm, study.primary.baseline)})


def main() -> None:
    """Run and print."""
    parser = arguments(__doc__, worlds=10)
    parser.add_argument("--seed", type=int, default=FIRST_SEED, help="of the first world")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--train", action="store_true")
    parser.add_argument("--small", action="store_true", help="fewer candidates' impressions and clicks")
    args = parser.parse_args()
    # Worlds that the file holds are not drawn again, so that an ended run goes on.
    worlds: dict[str, dict] = json.loads(args.out.read_text()) if args.out.exists() else {}
    for seed in (s for s in range(args.seed, args.seed + args.worlds) if str(s) not in worlds):
        values, world = drawn(seed), {}
        for view, sizes in (SMALL if args.small else SIZES).items():
            with tempfile.TemporaryDirectory() as folder:
                root = simulated(Path(folder) / "w", view, values, seed, sizes)
                log = Log(root / "log")
                for p in (p for p in NINE if KNOBS[p.name].view == view):
                    try:
                        finding = Finding(p, importlib.import_module(f"recommend.phenomena.{p.name}").measure(log))
                    except Missing as error:
                        finding = Finding(p, missing=str(error))
                    named, on = finding.verdict == "can pay", values[p.name] != KNOBS[p.name].off
                    world[p.name] = {"on": on, "knob": values[p.name], "named": named, "said": finding.sentence()}
                    if e := finding.estimate:
                        world[p.name] |= {"value": e.value, "low": e.low, "high": e.high}
                    if args.train and named:
                        world[p.name]["gain"] = gain(p.name, root, values[p.name], seed)
                    print(f"{seed} {finding.sentence()} {world[p.name].get('gain', '')}", flush=True)
        worlds[str(seed)] = world
        write(args.out, worlds)
    right = [seed for seed, world in worlds.items() if all(m["named"] == m["on"] for m in world.values())]
    wrong = [f"{seed} {n}" for seed, world in worlds.items() for n, m in world.items() if m["named"] != m["on"]]
    print(f"all nine right in {len(right)} of {len(worlds)} worlds; wrong: {', '.join(wrong) or 'none'}")
    gains: dict[str, list[float]] = {}
    for world in worlds.values():
        for name, m in world.items():
            if "gain" in m:
                gains.setdefault(name, []).append(m["gain"])
    for name, of in gains.items():
        print(
            f"{name}: better than its baseline in {sum(g > 0 for g in of)} of {len(of)} worlds, mean {np.mean(of):+.4g}"
        )


if __name__ == "__main__":
    main()

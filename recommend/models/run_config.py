"""The request of a training run, as its folder holds it."""

from __future__ import annotations

from pydantic import SerializeAsAny

from recommend.config import Config, ModelConfig, TrainConfig
from recommend.features.feature_map import FeatureMap


class RunConfig(Config):
    """All that a run depends on beside the data.

    Attributes:
        content: size of the log's content vectors; 0 leaves them out.
        stock: whether the history's stock types are read (``Ranker.stock``).
        extra: columns that only the loss reads (``Ranker.extra``).
        train_days, test_days: days of the log, both ends included.
        log: of an imported log, what its files are (``data/schema.py``), so that another log is another run.
        codes: of an imported log, what tells its codes of texts from others (``data/codes.py``); None: not asked.
        start: coordinates of the run from whose weights this one goes on (``training/knowledge.py``).
        knowledge: folder of the store that a KEEP looks things up in, with the version, the width of its vectors and
            their coordinates.
        delayed: labels of which the log tells the day on which they came true (column ``NAME_day``, -1: never); in
            training those that came true later than its last day did not come true yet.
        features: what an imported log's ``features.yaml`` declares; None: the marketplace's own features.
    """

    model: SerializeAsAny[ModelConfig]
    train: TrainConfig
    labels: tuple[str, ...]
    content: int
    history: int
    min_count: int
    train_days: tuple[int, int]
    test_days: tuple[int, int]
    stock: bool = False
    features: FeatureMap | None = None
    extra: tuple[str, ...] = ()
    delayed: tuple[str, ...] = ()
    log: str = ""
    codes: dict[str, str] | None = None
    start: str = ""
    knowledge: str = ""
    knowledge_version: int = 0
    knowledge_width: int = 0
    knowledge_source: str = ""

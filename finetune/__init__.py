"""Instruction tuning: data, the embedded model's parts, evaluation, training, and the stages of a YAML.

Rooms, each importing only those before it: ``errors``; ``data`` (photos and past listings as tasks); ``embedded``
(the embedded model, assembled from wheels); ``evaluate`` (arms, measures, labels);
``shops`` (a shop's past listings: heads on frozen features, one calibration, a report);
``train`` (the language model of any family, by transformers' Trainer); ``tune`` (a YAML's settings).

The names below are what other packages use; each is imported when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rag_index.lazy import lazy_names

if TYPE_CHECKING:
    from finetune.data.build import SHOWN_SAMPLES, from_annotations, from_listings, write_data
    from finetune.data.past_listings import listing_rows
    from finetune.data.photosets import check_photos, data_root, read_annotations
    from finetune.data.tasks import TaskPlan
    from finetune.embedded.assemble import WEIGHTS
    from finetune.errors import DataError, TuneError
    from finetune.evaluate.arms import ARMS, SYSTEM
    from finetune.evaluate.evaluation import Evaluation, EvaluationPlan, observe, run_evaluation, write_calibration
    from finetune.evaluate.observing import Observer, evaluation_parts, weights_stamp
    from finetune.shops.learn import Learned, learn
    from finetune.shops.measure import measure
    from finetune.shops.table import Table
    from finetune.train.merge import merge
    from finetune.tune import is_of_photos, run_config

__all__ = [
    "ARMS",
    "SHOWN_SAMPLES",
    "SYSTEM",
    "WEIGHTS",
    "DataError",
    "Evaluation",
    "EvaluationPlan",
    "Learned",
    "Observer",
    "Table",
    "TaskPlan",
    "TuneError",
    "check_photos",
    "data_root",
    "evaluation_parts",
    "from_annotations",
    "from_listings",
    "is_of_photos",
    "learn",
    "listing_rows",
    "measure",
    "merge",
    "observe",
    "read_annotations",
    "run_config",
    "run_evaluation",
    "weights_stamp",
    "write_calibration",
    "write_data",
]

__getattr__ = lazy_names(
    __name__,
    {
        "data.build": "SHOWN_SAMPLES from_annotations from_listings write_data",
        "data.past_listings": "listing_rows",
        "data.photosets": "check_photos data_root read_annotations",
        "data.tasks": "TaskPlan",
        "embedded.assemble": "WEIGHTS",
        "errors": "DataError TuneError",
        "evaluate.arms": "ARMS SYSTEM",
        "evaluate.evaluation": "Evaluation EvaluationPlan observe run_evaluation write_calibration",
        "evaluate.observing": "Observer evaluation_parts weights_stamp",
        "shops.learn": "Learned learn",
        "shops.measure": "measure",
        "shops.table": "Table",
        "train.merge": "merge",
        "tune": "is_of_photos run_config",
    },
)

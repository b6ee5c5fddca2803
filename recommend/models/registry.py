"""Models by name; a paper's model adds one line here."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

from recommend.config import ConfigError, ModelConfig, nearest
from recommend.features.feature_map import FeatureMap
from recommend.layers.embedding import Make, make
from recommend.models.base import Ranker

MODELS = {
    "dnn": "recommend.models.baselines.dnn:DNN",
    "din": "recommend.models.baselines.din:DIN",
    "dcn": "recommend.models.baselines.dcn:DCN",
    "bst": "recommend.models.baselines.bst:BST",
    "hdr": "recommend.models.hdr:HDR",
    "esmm": "recommend.models.baselines.esmm:ESMM",
    "keep": "recommend.models.keep:KEEP",
    "keep_extractor": "recommend.models.keep:Extractor",
    "mmoe": "recommend.models.baselines.multitask:MMoE",
    "ple": "recommend.models.baselines.multitask:PLE",
    "clid": "recommend.models.clid:CLID",
    "two_tower": "recommend.models.baselines.two_tower:TwoTower",
    "fibinet": "recommend.models.baselines.fibinet:FiBiNET",
    "ecad": "recommend.models.ecad:ECAD",
    "copr": "recommend.models.copr:COPR",
    "rec4ad": "recommend.models.rec4ad:Rec4Ad",
    "dropoutnet": "recommend.models.baselines.dropoutnet:DropoutNet",
    "meta_embedding": "recommend.models.baselines.meta_embedding:MetaEmbedding",
    "mwuf": "recommend.models.baselines.mwuf:MWUF",
    "mkt": "recommend.models.mkt:MKT",
    "msnet": "recommend.models.msnet:MSNet",
}

# HDR's copies of conversion models, for a promotion's days (``cascade/promote.py``); nobody trains one from the start.
COPIES = {
    "esmm_copy": "recommend.models.hdr_copies:ESMMCopy",
    "ecad_copy": "recommend.models.hdr_copies:ECADCopy",
}

BY_STOCK = frozenset({"msnet"})  # reads which things of the history were listed with one piece


def by_stock(name: str) -> bool:
    """Whether a model's features hold the stock type of what was clicked."""
    return name in BY_STOCK


READS_ALONG = {"clid": ("request_id", "privileged")}  # columns of the log that a loss reads; never inputs that serve


def reads_along(name: str) -> tuple[str, ...]:
    """Further columns that a model's training reads: ``FeatureMap.extra``."""
    return READS_ALONG.get(name, ())


def copy_of(name: str) -> str:
    """The name of a model's copy for promotions; empty for models that cannot have one."""
    return f"{name}_copy" if f"{name}_copy" in COPIES else ""


def build_model(
    features: FeatureMap, sizes: Mapping[str, int], config: ModelConfig, seed: int = 0, build: Make = make
) -> Ranker:
    """A freshly initialised model; equal arguments give equal weights, whatever was drawn before."""
    import torch

    place = (MODELS | COPIES).get(config.name)
    if place is None:
        raise ConfigError(f"there is no model '{config.name}'; {nearest(config.name, list(MODELS))}")
    module, name = place.split(":")
    cls = getattr(importlib.import_module(module), name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return cls(features, sizes, config, build)

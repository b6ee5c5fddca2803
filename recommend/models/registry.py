"""Models by name; a paper's model adds one line here."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence

from recommend.config import ConfigError, ModelConfig, nearest
from recommend.features.feature_map import FeatureMap
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
    "clid": "recommend.models.clid:CLID",
    "two_tower": "recommend.models.baselines.two_tower:TwoTower",
    "ecad": "recommend.models.ecad:ECAD",
    "copr": "recommend.models.copr:COPR",
    "rec4ad": "recommend.models.rec4ad:Rec4Ad",
    "mkt": "recommend.models.mkt:MKT",
    "msnet": "recommend.models.msnet:MSNet",
    "trees": "recommend.models.trees:Trees",
}


def model_class(name: str) -> type[Ranker]:
    """The class of a name.

    Raises:
        ConfigError: nobody has that name.
    """
    place = MODELS.get(name)
    if place is None:
        raise ConfigError(f"there is no model '{name}'; {nearest(name, list(MODELS))}")
    module, attribute = place.split(":")
    model: type[Ranker] = getattr(importlib.import_module(module), attribute)
    return model


def build_model(features: FeatureMap, sizes: Mapping[str, int], config: ModelConfig, seed: int = 0) -> Ranker:
    """A freshly initialised model; equal arguments give equal weights, whatever was drawn before."""
    import torch

    cls = model_class(config.name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return cls(features, sizes, cls.configured(config))


def model_config(name: str, settings: Sequence[str] = ()) -> ModelConfig:
    """A model's config with ``knob=value`` settings applied.

    Raises:
        ConfigError: there is no such model, or it has no such setting.
    """
    return changed(ModelConfig(name=name), settings)


def changed(config: ModelConfig, settings: Sequence[str]) -> ModelConfig:
    """A config with ``knob=value`` settings applied, its model's own among them; ``name=...`` makes it another model's.

    Raises:
        ConfigError: there is no such model, or it has no such setting.
    """
    names = [s.partition("=")[2] for s in settings if s.startswith("name=")]
    name = names[-1] if names else config.name
    settings_of_model: ModelConfig = model_class(name).configured(config.model_copy(update={"name": name}))
    return settings_of_model.changed([s for s in settings if not s.startswith("name=")])

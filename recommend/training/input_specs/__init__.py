"""Models that learn from more than impressions: what each reads of a log, and what it is trained on.

A model that is not named here reads the features of ``impression_map`` and is trained on all impressions in their
order. ``train`` is one command for all of them.
"""

from __future__ import annotations

from recommend.training.input_specs import delayed_labels, knowledge, order, posts, systems
from recommend.training.input_specs.spec import Given, InputSpec

TWO_TASKS = InputSpec(labels=("click", "order"))  # made for clicks and orders together
PLAIN = InputSpec()
WINDOWS = ("order_edges=[0.25,1,3]", "refund_edges=[1,3,6]")
THREE = ("mlp=[64,32,16]", "activation=relu", "experts=3")  # experts and extractors, then the towers
INPUT_SPECS = {
    "esmm": TWO_TASKS,
    "mmoe": TWO_TASKS,
    "ple": TWO_TASKS,
    "keep": InputSpec(features=knowledge.with_knowledge, join=knowledge.look_up, knowledge=True),
    "keep_extractor": InputSpec(labels=("click", "cart", "order"), features=knowledge.of_keys),
    "copr": InputSpec(stream=order.stream),
    "ecad": InputSpec(labels=("order", "refund"), stream=delayed_labels.stream, rows="click", settings=WINDOWS),
    "mkt": InputSpec(
        features=posts.features,
        join=posts.facts,
        first_stage=posts.first_stage,
        stream=posts.stream,
        rows=posts.ENTITY,
        settings=THREE,
    ),
    "rec4ad": InputSpec(features=systems.features, stream=systems.stream),
}

__all__ = ["INPUT_SPECS", "Given", "InputSpec", "input_spec"]


def input_spec(model: str) -> InputSpec:
    """The input spec of a model by its name in ``recommend.models.registry``."""
    return INPUT_SPECS.get(model, PLAIN)

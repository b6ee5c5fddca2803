"""Models that learn from more than impressions: what each reads of a log, and what it is trained on.

A model that is not named here reads the features of ``impression_map`` and is trained on all impressions in their
order. ``train`` is one command for all of them.
"""

from __future__ import annotations

from recommend.training.forms import known, order, posts, ripe, systems
from recommend.training.forms.form import Form, Given

TWO_TASKS = Form(labels=("click", "order"))  # made for clicks and orders together
PLAIN = Form()
WINDOWS = ("order_edges=[0.25,1,3]", "refund_edges=[1,3,6]")
THREE = ("mlp=[64,32,16]", "activation=relu", "experts=3")  # experts and extractors, then the towers
FORMS = {
    "esmm": TWO_TASKS,
    "mmoe": TWO_TASKS,
    "ple": TWO_TASKS,
    "keep": Form(features=known.with_knowledge, join=known.look_up, knowledge=True),
    "keep_extractor": Form(labels=("click", "cart", "order"), features=known.of_keys),
    "copr": Form(stream=order.stream),
    "ecad": Form(labels=("order", "refund"), stream=ripe.stream, rows="click", settings=WINDOWS),
    "mkt": Form(
        features=posts.features,
        join=posts.facts,
        first_stage=posts.first_stage,
        stream=posts.stream,
        rows=posts.ENTITY,
        settings=THREE,
    ),
    "rec4ad": Form(features=systems.features, stream=systems.stream),
}

__all__ = ["FORMS", "Form", "Given", "form_of"]


def form_of(model: str) -> Form:
    """The form of a model by its name in ``recommend.models.registry``."""
    return FORMS.get(model, PLAIN)

"""Every arm by its name. A new arm is one function and one row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from finetune.evaluate.arms import adversarial, mllm, system, yardsticks
from finetune.evaluate.arms.material import Material
from finetune.evaluate.arms.statement import Statement


@dataclass(frozen=True)
class Arm:
    """``statements`` makes them of ``models``. ``rag``: there is a version with past listings as well."""

    statements: Callable[[Material, bool], list[Statement]]
    about: str
    models: tuple[str, ...] = ("tuned",)
    rag: bool = False


def _plain(make: Callable[[Material], list[Statement]]) -> Callable[[Material, bool], list[Statement]]:
    return lambda material, rag: make(material)


ARMS: dict[str, Arm] = {
    "base": Arm(partial(mllm.zero_shot, "base"), "untuned model, likelihoods alone", ("base",), rag=True),
    "tuned": Arm(partial(mllm.zero_shot, "tuned"), "tuned model, likelihoods alone", rag=True),
    "system": Arm(system.system, "model, classifier, neighbours, pixels, print, checks", rag=True),
    "classifier": Arm(_plain(yardsticks.classifier), "the tower's own heads"),
    "linear-probe": Arm(_plain(yardsticks.linear_probe), "logistic regression on the tower's features"),
    "nearest-neighbours": Arm(_plain(yardsticks.nearest_neighbours), "five nearest training photos, same features"),
    "copy-nearest": Arm(_plain(yardsticks.copy_nearest), "the nearest past listing as it is"),
    "template": Arm(system.system, "the system's facts in a fixed form"),
    "adversarial-tuned": Arm(_plain(adversarial.mllm), "tuned model, all neighbours wrong in colour and brand"),
    "adversarial-system": Arm(_plain(adversarial.system), "the system under the same neighbours"),
    "adversarial-copy-nearest": Arm(_plain(adversarial.copy_nearest), "the copier under the same neighbours"),
}

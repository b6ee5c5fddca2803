"""DeepCTR-Torch's DIN, and its Wide & Deep without a wide part as the DNN, trained by their own ``fit``."""

from __future__ import annotations

import numpy as np
from torch.optim import Adam

from benchmarks.recommend.peers.workload import Task
from recommend.data.ragged import Batch


class Model:
    """Its loss is a sum over the batch, so that Adam's epsilon weighs less."""

    def __init__(self, task: Task, kind: str) -> None:
        from deepctr_torch.inputs import DenseFeat, SparseFeat, VarLenSparseFeat
        from deepctr_torch.models import DIN, WDL

        s, self.task = task.settings, task
        columns = [SparseFeat(n, task.size(n), embedding_dim=s.embedding) for n in (*task.context, *task.targets)]
        for of in task.histories:
            past = SparseFeat(f"hist_{of}", task.size(of), embedding_dim=s.embedding, embedding_name=of)
            columns.append(VarLenSparseFeat(past, maxlen=s.longest, length_name="length"))
        columns += [DenseFeat(name, 1) for name in task.numbers]
        same = {"dnn_hidden_units": s.mlp, "dnn_activation": "relu", "dnn_use_bn": True, "l2_reg_embedding": 0}
        if kind == "din":
            self.net = DIN(
                columns, list(task.histories), att_hidden_size=s.attention, att_activation="relu", device="cpu", **same
            )
        else:
            self.net = WDL([], columns, l2_reg_linear=0, device="cpu", **same)
        self.learn, self.click = self.inputs(task.learn), task.click(task.learn)

    def fit(self) -> None:
        """One pass."""
        s = self.task.settings
        self.net.compile(Adam(self.net.parameters(), s.learning_rate), "binary_crossentropy", metrics=[])
        self.net.fit(self.learn, self.click, batch_size=s.batch_rows, epochs=1, verbose=0, shuffle=False)

    def predict(self, rows: Batch) -> np.ndarray:
        """Click probabilities."""
        return self.net.predict(self.inputs(rows), batch_size=8192).ravel()

    def inputs(self, rows: Batch) -> dict[str, np.ndarray]:
        """Columns by the names that it wants."""
        named = {past: f"hist_{of}" for of, past in self.task.histories.items()}
        return {named.get(name, name): column for name, column in self.task.padded(rows).items()}

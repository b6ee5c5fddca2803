"""torch-rechub's DIN, and its Wide & Deep with a constant as the wide part as the DNN, by its loader and trainer."""

from __future__ import annotations

import tempfile

import numpy as np

from benchmarks.recommend.peers.workload import Task
from recommend.data.ragged import Batch


class Model:
    """Batch normalisation in every layer, attention's too, and DIN's top in its own Dice, are fixed; so is an attention
    to each history of its own, which sums over padding, whose vectors stay zero (``padding_idx``). DIN reads no
    numbers."""

    def __init__(self, task: Task, kind: str) -> None:
        from torch_rechub.basic.features import DenseFeature, SequenceFeature, SparseFeature
        from torch_rechub.models.ranking import DIN, WideDeep
        from torch_rechub.trainers import CTRTrainer

        s, self.task = task.settings, task
        sizes = {n: {"vocab_size": task.size(n), "embed_dim": s.embedding} for n in (*task.context, *task.targets)}
        context = [SparseFeature(n, **sizes[n]) for n in task.context]
        target = [SparseFeature(n, padding_idx=0, **sizes[n]) for n in task.targets]
        pooling = "concat" if kind == "din" else "mean"
        past = [
            SequenceFeature(column, pooling=pooling, shared_with=of, padding_idx=0, **sizes[of])
            for of, column in task.histories.items()
        ]
        if kind == "din":
            matched = [f for f in target if f.name in task.histories]
            others = [f for f in target if f.name not in task.histories]
            attention = {"dims": list(s.attention)}
            self.net = DIN(context + others, past, matched, {"dims": list(s.mlp)}, attention)
        else:
            self.net = WideDeep(
                [DenseFeature("one")],
                context + target + past + [DenseFeature(n) for n in task.numbers],
                {"dims": list(s.mlp)},
            )
        self.folder = tempfile.TemporaryDirectory()
        options = {"lr": s.learning_rate, "weight_decay": 0.0}
        self.trainer = CTRTrainer(self.net, optimizer_params=options, device="cpu", model_path=self.folder.name)
        self.loader = self.loader_of(task.learn)

    def fit(self) -> None:
        """One pass, without validation."""
        self.trainer.train_one_epoch(self.loader)

    def predict(self, rows: Batch) -> np.ndarray:
        """Click probabilities."""
        return np.asarray(self.trainer.predict(self.net, self.loader_of(rows))).ravel()

    def loader_of(self, rows: Batch):
        """Its loader of test rows, which keeps their order."""
        from torch_rechub.utils.data import DataGenerator

        x, y = self.task.padded(rows), self.task.click(rows)
        x["one"] = np.ones(len(y), dtype=np.float32)
        size = self.task.settings.batch_rows
        return DataGenerator(x, y).generate_dataloader(x_val=x, y_val=y, x_test=x, y_test=y, batch_size=size)[2]

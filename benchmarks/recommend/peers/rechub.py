"""torch-rechub's DIN, trained by its own data loader and trainer."""

from __future__ import annotations

import tempfile

import numpy as np

from benchmarks.recommend.peers.workload import CONTEXT, Part, Workload


class Din:
    """Its DIN sums over padding too, whose vectors stay zero (``padding_idx``)."""

    def __init__(self, work: Workload, learn: Part) -> None:
        from torch_rechub.basic.features import SequenceFeature, SparseFeature
        from torch_rechub.models.ranking import DIN
        from torch_rechub.trainers import CTRTrainer
        from torch_rechub.utils.data import DataGenerator

        self.work = work
        sizes, width = work.sizes, work.embedding
        context = [SparseFeature(n, vocab_size=sizes[n], embed_dim=width) for n in CONTEXT]
        target = [
            SparseFeature(n, vocab_size=sizes[n], embed_dim=width, padding_idx=0) for n in ("item_id", "category")
        ]
        past = [
            SequenceFeature(
                name, vocab_size=sizes[of], embed_dim=width, pooling="concat", shared_with=of, padding_idx=0
            )
            for name, of in (("history", "item_id"), ("history_category", "category"))
        ]
        self.model = DIN(
            features=context,
            history_features=past,
            target_features=target,
            mlp_params={"dims": list(work.mlp)},
            attention_mlp_params={"dims": list(work.attention)},
        )
        self.folder = tempfile.TemporaryDirectory()
        options = {"lr": work.learning_rate, "weight_decay": 0.0}
        self.trainer = CTRTrainer(
            self.model, optimizer_params=options, n_epoch=1, device="cpu", model_path=self.folder.name
        )
        self.generator = DataGenerator
        self.loader = self._loaders(learn, learn.cut(0, 2))[0]

    def fit(self) -> None:
        """One pass."""
        self.trainer.train_one_epoch(self.loader, log_interval=10**9)

    def predict(self, part: Part) -> np.ndarray:
        """Click probabilities."""
        return np.asarray(self.trainer.predict(self.model, self._loaders(part, part)[2])).ravel()

    def _loaders(self, learn: Part, test: Part) -> tuple:
        click = test.click.astype(np.float32)
        made = self.generator(dict(learn.columns), learn.click.astype(np.float32))
        return made.generate_dataloader(
            x_val=test.columns, y_val=click, x_test=test.columns, y_test=click, batch_size=self.work.batch_rows
        )

"""DIN and DNN of FuxiCTR's layers, trained by its own ``BaseModel.fit`` and loader.

Its package holds layers and trainer; its models lie in its repository alone (model_zoo), so that these few lines put
the layers together as their descriptions there say: ``din_target_field`` and ``din_sequence_field`` joined in one.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch
from fuxictr.features import FeatureMap
from fuxictr.pytorch.dataloaders import RankDataLoader
from fuxictr.pytorch.layers import DIN_Attention, FeatureEmbeddingDict, MLP_Block
from fuxictr.pytorch.models import BaseModel

from benchmarks.recommend.peers.workload import Task
from recommend.data.ragged import Batch


class Net(BaseModel):
    """Both models: with ``attention`` a DIN, without it the histories' means; what it trains is not validated."""

    def __init__(self, task: Task, features: FeatureMap, folder: str, din: bool) -> None:
        super().__init__(features, model_root=folder, metrics=["AUC"], verbose=0)
        s, self.task = task.settings, task
        self.embedding = FeatureEmbeddingDict(features, s.embedding)
        self.attention = None
        if din:
            width = s.embedding * len(task.histories)
            self.attention = DIN_Attention(width, attention_units=list(s.attention), hidden_activations="ReLU")
        self.mlp = MLP_Block(
            features.sum_emb_out_dim() + len(task.numbers),
            list(s.mlp),
            output_dim=1,
            output_activation=self.output_activation,
            batch_norm=True,
        )
        self.compile("adam", "binary_crossentropy", s.learning_rate)
        self.reset_parameters()

    def forward(self, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        x = self.get_inputs(inputs)
        vectors = self.embedding(x)
        if self.attention is not None:
            targets, pasts = list(self.task.histories), list(self.task.histories.values())
            target, past = (torch.cat([vectors[n] for n in names], -1) for names in (targets, pasts))
            interest = self.attention(target, past, x[pasts[0]].long() != 0)
            vectors |= dict(zip(pasts, interest.split(self.task.settings.embedding, -1), strict=True))
        numbers = [inputs[name].float().unsqueeze(-1) for name in self.task.numbers]
        joined = [self.embedding.dict2tensor(vectors, flatten_emb=True), *numbers]
        return {"y_pred": self.mlp(torch.cat(joined, -1))}

    def eval_step(self) -> None:
        """No validation, which is what the clock is not about."""

    def load_weights(self, checkpoint: str) -> None:
        """The last weights are the ones wanted."""


class Model:
    """Gradients are clipped at its default, a norm of 10."""

    def __init__(self, task: Task, kind: str) -> None:
        self.task, self.folder = task, tempfile.TemporaryDirectory()
        self.features = FeatureMap("log", self.folder.name)
        self.features.labels, self.features.default_emb_dim = ["click"], task.settings.embedding
        for name in (*task.context, *task.targets):
            self.features.features[name] = {"type": "categorical", "source": "", "vocab_size": task.size(name)}
            if name in task.histories:
                self.features.features[name]["padding_idx"] = 0
        for of, name in task.histories.items():
            self.features.features[name] = {
                "type": "sequence", "source": "", "vocab_size": task.size(of), "padding_idx": 0,
                "max_len": task.settings.longest, "share_embedding": of,
            }  # fmt: skip
            if kind == "dnn":
                self.features.features[name]["feature_encoder"] = "layers.MaskedAveragePooling()"
        for name in task.numbers:
            self.features.features[name] = {"type": "meta", "source": ""}
        self.features.set_column_index()
        self.net = Net(task, self.features, self.folder.name, kind == "din")
        self.loader = self.loader_of(task.learn, "train", task.settings.batch_rows)

    def fit(self) -> None:
        """One pass."""
        self.net.fit(self.loader, epochs=1)

    def predict(self, rows: Batch) -> np.ndarray:
        """Click probabilities."""
        return self.net.predict(self.loader_of(rows, "test", 8192))

    def loader_of(self, rows: Batch, stage: str, batch_rows: int):
        """Its loader over a file, in this process, so that its time counts."""
        file = str(Path(self.folder.name) / f"{stage}.npz")
        np.savez(file, **self.task.padded(rows), click=self.task.click(rows))
        options = {"batch_size": batch_rows, "num_workers": 0, "shuffle": False, "stage": stage, f"{stage}_data": file}
        loader = RankDataLoader(self.features, **options)
        return loader[0] if stage == "train" else loader

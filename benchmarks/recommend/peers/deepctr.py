"""DeepCTR-Torch's DIN, trained by its own ``compile`` and ``fit``."""

from __future__ import annotations

import numpy as np

from benchmarks.recommend.peers.workload import CONTEXT, Part, Workload


class Din:
    """History columns must carry the name of their target with ``hist_`` before it."""

    def __init__(self, work: Workload, learn: Part) -> None:
        from deepctr_torch.inputs import SparseFeat, VarLenSparseFeat
        from deepctr_torch.models.din import DIN

        self.work = work
        sizes, width = work.sizes, work.embedding
        columns = [SparseFeat(n, vocabulary_size=sizes[n], embedding_dim=width) for n in sizes]
        for name in ("item_id", "category"):
            past = SparseFeat(f"hist_{name}", sizes[name], embedding_dim=width, embedding_name=name)
            columns.append(VarLenSparseFeat(past, maxlen=work.longest, length_name="length"))
        self.model = DIN(
            columns,
            ["item_id", "category"],
            dnn_hidden_units=work.mlp,
            att_hidden_size=work.attention,
            dnn_activation="prelu",
            att_activation="prelu",
            l2_reg_embedding=0,
            l2_reg_dnn=0,
            dnn_use_bn=False,
            device="cpu",
        )
        self.model.compile("adam", "binary_crossentropy", metrics=[])
        self.learn, self.click = inputs(learn), learn.click.astype(np.float32)

    def fit(self, shuffle: bool = True) -> None:
        """One pass; without ``shuffle`` in the rows' own order."""
        self.model.fit(self.learn, self.click, batch_size=self.work.batch_rows, epochs=1, verbose=0, shuffle=shuffle)

    def predict(self, part: Part) -> np.ndarray:
        """Click probabilities."""
        return self.model.predict(inputs(part), batch_size=8192).ravel()


def inputs(part: Part) -> dict[str, np.ndarray]:
    """Columns by the library's names."""
    named = {n: part.columns[n] for n in (*CONTEXT, "item_id", "category")}
    named |= {"hist_item_id": part.columns["history"], "hist_category": part.columns["history_category"]}
    return named | {"length": part.length}

"""Learning-to-rank sets as lists with clicks: MSLR-WEB30K, Istella and others of SVMlight lines with ``qid``.

A line is ``GRADE qid:QUERY 1:VALUE 2:VALUE ...``. MSLR-WEB30K has 136 numbers a document (``Fold1/train.txt``),
Istella 220; neither is downloaded here. Clicks and privileged features are not in these sets: as in CLID (WSDM 2024,
arXiv 2312.08727), a grade becomes a click, and what the *other* documents of the list are like stands for what is known
only after the page was shown.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from recommend.data.parquet import tensor_column
from recommend.data.public import source
from recommend.data.public.source import Column, DataError
from recommend.features.feature_map import Feature, FeatureMap
from recommend.features.ragged import Column as Values

FLOATS = pa.list_(pa.float32())
DOCUMENTS = (
    Column("request_id", pa.int64(), "number of the list within the file, in the file's order"),
    Column("query_id", pa.int64(), "the file's qid"),
    Column("features", FLOATS, "sign(x) log(1 + |x|) of the file's numbers; their units differ"),
    Column(
        "privileged",
        FLOATS,
        "mean of 'features' over the other documents of the list; zeros where there are none",
        "after",
    ),
    Column("grade", pa.int32(), "relevance, 0 (none) ..", "label"),
    Column("click", pa.bool_(), "grade at or above the threshold", "label"),
)


def read(path: Path, size: int, clicked_from: int = 1) -> pa.Table:
    """``DOCUMENTS`` of one file, lists in its order.

    Args:
        size: numbers a document (136 for MSLR-WEB30K, 220 for Istella); columns that a file never sets are 0.
        clicked_from: the lowest grade that counts as a click. From 1 about half of MSLR's documents are clicked, as the
            logloss that the paper reports for it suggests; it does not say so.

    Raises:
        DataError: no such file, no SVMlight lines, no qid, a qid whose lines do not stand together, or larger numbers
            of columns than ``size``.
    """
    from sklearn.datasets import load_svmlight_file  # only who has such files needs it

    path = Path(path)
    source.there(path)
    try:
        x, grade, query = load_svmlight_file(
            str(path), n_features=size, dtype=np.float32, query_id=True, zero_based=False
        )
    except (ValueError, OSError, OverflowError) as error:
        raise source.broken(path, error) from error
    if len(query) != len(grade):
        raise DataError(f"{path} has lines without a qid; a list cannot be made of them.")
    if not len(grade):
        raise DataError(f"{path} holds no lines.")
    starts = np.flatnonzero(np.r_[True, query[1:] != query[:-1]])
    if len(np.unique(query)) != len(starts):
        raise DataError(f"{path} has lines of one qid apart from each other; sort it by qid.")
    values = x.toarray()
    values = np.sign(values) * np.log1p(np.abs(values))
    lengths = np.diff(np.r_[starts, len(grade)])
    data = {
        "request_id": np.repeat(np.arange(len(starts)), lengths),
        "query_id": query.astype(np.int64),
        "features": _lists(values),
        "privileged": _lists(others(values, starts, lengths)),
        "grade": grade.astype(np.int32),
        "click": grade >= clicked_from,
    }
    return source.typed(DOCUMENTS, data, path)


def others(values: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """(rows, size) mean over the other rows of each row's list; 0 in lists of one."""
    total = np.repeat(np.add.reduceat(values.astype(np.float64), starts, axis=0), lengths, axis=0)
    count = np.repeat(lengths, lengths)[:, None]
    return np.where(count > 1, (total - values) / np.maximum(count - 1, 1), 0).astype(np.float32)


def columns(table: pa.Table) -> dict[str, Values]:
    """A table as tensors, for ``Encoders`` and ``ListStream``."""
    return {name: tensor_column(table[name], name) for name in table.column_names}


def feature_map(size: int) -> FeatureMap:
    """What ``read`` gives, for the models: a student reads the document, a teacher ``privileged`` too
    (``ModelConfig(privileged=size)``)."""
    return FeatureMap(
        features=(Feature(column="features", role="target", kind="vector", size=size),),
        group="request_id",
        extra=("request_id", "privileged"),
    )


def _lists(values: np.ndarray) -> pa.Array:
    offsets = np.arange(len(values) + 1, dtype=np.int32) * values.shape[1]
    if values.size > np.iinfo(np.int32).max:
        raise DataError(f"{len(values)} documents of {values.shape[1]} numbers are too many for one table; read parts.")
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values.astype(np.float32).ravel()))

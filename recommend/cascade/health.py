"""The health check before a model serves: numbers that are probabilities, that differ, and that are not absurd."""

from __future__ import annotations

from collections import deque

import numpy as np
import torch

from recommend.cascade.catalog import Catalog, Item
from recommend.cascade.knowledge import without
from recommend.cascade.posts import ROLE as POSTS
from recommend.cascade.posts import Post, post_columns
from recommend.cascade.registry import Loaded
from recommend.cascade.request import DAY_MS, FEED, Moment, columns
from recommend.cascade.visitors import Past, PastPost, Visitor
from recommend.data.ragged import Column
from recommend.models.baselines.two_tower import TwoTower

ROWS, CLICKS = 64, 8
SAYS = {"conversion": ("ecvr", "order")}  # of the others it is the click
HIGHEST_MEAN = 0.9  # nothing that people are shown is clicked or bought that often


def healthy(loaded: Loaded) -> str:
    """The fault of a model on invented items (or posts) and an invented visitor; empty when there is none."""
    if loaded.role == "pre_ranking" and not isinstance(loaded.model, TwoTower):
        return "it gives no vectors of visitors and things, by which pre-ranking works"
    answers = loaded(sample(loaded))
    tasks = SAYS.get(loaded.role, ("click",))
    if not set(tasks) & set(answers):
        return f"it says nothing of {' or '.join(tasks)}"
    for task, values in answers.items():
        if not bool(torch.isfinite(values).all()):
            return f"its probabilities of {task} are no numbers"
        if float(values.min()) < 0 or float(values.max()) > 1:
            return f"its probabilities of {task} lie outside 0 and 1"
        if float(values.std()) < 1e-9:
            return f"it says the same of everything ({task})"
        if float(values.mean()) > HIGHEST_MEAN:
            return f"its mean probability of {task} is {float(values.mean()):.2f}"
    return ""


def sample(loaded: Loaded) -> dict[str, Column]:
    """Raw columns of a made-up request: ``ROWS`` things (or posts) for a visitor with ``CLICKS`` clicks."""
    size = next((f.size for f in loaded.encoders.features.features if f.column == "content"), 1)
    content = np.random.default_rng(0).normal(size=(ROWS, size)).astype(np.float32)
    columns_of = _posts if loaded.role == POSTS else _items
    return without(loaded, columns_of(loaded, content, Moment(20 * DAY_MS))).columns


def _items(loaded: Loaded, content: np.ndarray, moment: Moment) -> dict[str, Column]:
    catalog, visitor = Catalog(content.shape[1]), Visitor(0, deque(maxlen=CLICKS))
    for n, item_id in enumerate(_ids(loaded, "item_id")):
        listed, bid = moment.time_ms - n * 60_000, 0.1 + 0.1 * (n % 5)
        catalog.put(Item(item_id, n % 9, n % 12, n % 5, 10.0 + n, n % 10, 1, n % 2 == 0, listed, content[n], bid))
        if n < CLICKS:
            visitor.history.append(Past(item_id, n % 12, True, moment.time_ms - n, content[n]))
    return columns(catalog, catalog.live(), visitor, moment, FEED)


def _posts(loaded: Loaded, content: np.ndarray, moment: Moment) -> dict[str, Column]:
    now = moment.time_ms
    ids = _ids(loaded, "post_id")
    posts = [Post(i, n % 9, n % 12, n % 5, now - n * 60_000, 20 + 7 * n, content[n]) for n, i in enumerate(ids)]
    visitor = Visitor(0, deque(Past(n, n % 12, True, now - n, content[n], n % 9) for n in range(CLICKS)))
    visitor.posts.extend(PastPost(p.post_id, p.author_id, p.category, now, p.content) for p in posts[:4])
    return post_columns(posts, visitor, moment, content.shape[1])


def _ids(loaded: Loaded, table: str) -> list[int]:
    """Ids that the model has learned, where it has learned enough."""
    vocabulary = loaded.encoders.vocabularies.get(table)
    return vocabulary[:ROWS].tolist() if vocabulary is not None and len(vocabulary) >= ROWS else list(range(ROWS))

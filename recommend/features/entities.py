"""Things and posts as two entities with schemas of their own: the features of multi-entity models, and their joins.

Shared fields: category, maker, age, content. A thing has five fields of its own, a post three. Topic and length of a
post, age group and city of a user stand in tables beside the log's rows and are joined by id, as are category, maker
and content of what was clicked. All of them are known before a page is shown.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from recommend.data.parquet import read_table
from recommend.data.ragged import Batch, Column, ragged_of, tensor_of
from recommend.data.schema import ENTITIES
from recommend.features.content_join import Vectors
from recommend.features.feature_map import Feature, FeatureMap

HISTORY, CONTENT = 10, 16  # clicks of each kind that are read; size of the content vectors
SHARED = "shared"  # group of the target fields that every entity has
ENTITY = "entity"  # raw column: which entity a row belongs to, numbered as in the schema
POST = ENTITIES.index("post")
OF_USER = ("user_id", "age_group", "city", "hour", "promotion")
OF_ITEM = ("item_id", "condition", "price_bucket", "single", "channel")
OF_POST = ("post_id", "topic", "length_step")
KEY = {"age_group": "user_id", "city": "user_id", "topic": "post_id", "length_step": "post_id"}


def entity_map(content: int = CONTENT, labels: tuple[str, ...] = ("click",)) -> FeatureMap:
    """The features of both entities.

    Args:
        content: size of the content vectors; 0 leaves them out.
    """

    def plain(column: str, group: str = "item", **more: object) -> Feature:
        role = "context" if group == "user" else "target"
        keys = (KEY[column],) if column in KEY else ()
        of_group = {} if group == "user" else {"group": group}
        return Feature.of({"column": column, "role": role, "joined_by": keys, **of_group, **more})

    def past(of: str, match: str, **more: object) -> Feature:
        facts = {"column": f"{of}_{match}", "role": "history", "match": match, "group": of}
        return Feature.of({**facts, "max_length": HISTORY, "joined_by": (f"history_{of}",), **more})

    vector: dict[str, object] = {"kind": "vector", "size": content}
    of_target = {**vector, "max_length": HISTORY, "joined_by": ("post_id", "item_id")}
    features = (
        *(plain(c, "user") for c in OF_USER),
        plain("category", SHARED),
        plain("seller_id", SHARED),
        plain("item_age_h", SHARED, kind="number"),
        *([plain("content", SHARED, **of_target)] if content else []),
        *(plain(c, "item") for c in OF_ITEM),
        *(plain(c, "post") for c in OF_POST),
        *(past(kind, match) for kind in ENTITIES for match in ("category", "seller_id")),
        *([past(kind, "content", **vector) for kind in ENTITIES] if content else []),
        Feature(column=ENTITY, role="raw"),
    )
    return FeatureMap(features=features, labels=labels)


def length_steps(words: Tensor) -> Tensor:
    """(n,) steps of a factor of 1.65 in which a length counts."""
    return (2 * words.double().log()).floor().long()


def lookup(ids: Column, values: Column) -> Callable[[Tensor], Tensor]:
    """Whole numbers by id; an unknown id gives -1."""
    keys, order = tensor_of(ids), tensor_of(ids).argsort()
    vectors = Vectors(keys[order], tensor_of(values)[order].double()[:, None])

    def numbers(of: Tensor) -> Tensor:
        rows, matches = vectors(of)
        return torch.where(matches, rows[:, 0].long(), -1)

    return numbers


class Facts:
    """Facts that the tables of items, posts and users hold of the ids in the log's rows.

    Args:
        rows: ``post_id`` and ``category`` of all rows: a post's category stands only where it was shown.
    """

    def __init__(self, log: Path, rows: Batch) -> None:
        items = read_table(log, "item", ["item_id", "seller_id", "category"])
        posts = read_table(log, "post", ["post_id", "author_id", "topic", "length"])
        users = read_table(log, "user", ["user_id", "age_group", "city"])
        self.of = {
            "item": {n: lookup(items["item_id"], items[n]) for n in ("seller_id", "category")},
            "post": {
                "seller_id": lookup(posts["post_id"], posts["author_id"]),
                "category": lookup(rows["post_id"], rows["category"]),
                "topic": lookup(posts["post_id"], posts["topic"]),
                "length_step": lookup(posts["post_id"], length_steps(tensor_of(posts["length"]))),
            },
            "user": {n: lookup(users["user_id"], users[n]) for n in ("age_group", "city")},
        }

    def join(self, rows: Batch) -> dict[str, Column]:
        """Rows with all columns of the features but the contents."""
        out = dict(rows)
        is_post = tensor_of(rows[ENTITY]) == POST
        # The thing that a post may show is no field of the post here.
        out["item_id"] = torch.where(is_post, -1, tensor_of(rows["item_id"]))
        for name, of_user in self.of["user"].items():
            out[name] = of_user(tensor_of(rows["user_id"]))
        for name in ("topic", "length_step"):
            out[name] = self.of["post"][name](tensor_of(rows["post_id"]))
        for kind in ENTITIES:
            out[f"history_{kind}"] = past = ragged_of(rows[f"history_{kind}"]).last(HISTORY)
            for name in ("category", "seller_id"):
                out[f"{kind}_{name}"] = past.with_values(self.of[kind][name](past.values))
        return out

"""Past listings of a draft's photos: each photo is looked at once, and no other draft's vectors are taken for it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import rag_index
from listing.observe.past_listings import Neighbours, PastListings
from listing.request import Photo
from listing.schema import PhotoRef
from listing.taxonomy import load_taxonomy


def photo(name: str, shade: int) -> Photo:
    return Photo(
        PhotoRef(id=name, width=4, height=4, phash="0" * 16), Image.new("RGB", (4, 4), (shade,) * 3), b"", name
    )


def test_a_photo_is_encoded_once_for_both_searches_of_a_draft(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[int] = []
    asked: list[list[list[float]]] = []

    def vectors(images: list[Image.Image]) -> np.ndarray:
        shades = [image.getpixel((0, 0))[0] for image in images]  # type: ignore[index]
        encoded.extend(shades)
        return np.array([[float(shade)] for shade in shades])

    monkeypatch.setattr(rag_index, "retrieve", lambda index, query, limit: asked.append(query.image_vectors) or [])
    past = PastListings(None, SimpleNamespace(image_vectors=vectors), load_taxonomy())  # type: ignore[arg-type]
    a, b, c = photo("a", 1), photo("b", 2), photo("c", 3)
    for photos in ([a, b], [b], [a, c], [b]):
        past.find(photos, category=None, seller_id=None)
    assert asked == [[[1.0], [2.0]], [[2.0]], [[1.0], [3.0]], [[2.0]]]
    assert encoded == [1, 2, 3, 2]  # only the last draft's are kept


def test_a_draft_goes_on_without_past_listings_while_the_index_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise rag_index.IndexUnreachable("The server does not answer.")

    monkeypatch.setattr(rag_index, "retrieve", away)
    encoders = SimpleNamespace(image_vectors=lambda images: np.ones((len(images), 1)))
    past = PastListings(None, encoders, load_taxonomy())  # type: ignore[arg-type]
    assert past.find([photo("a", 1)], category="Hoodie", seller_id=None) == Neighbours()


def test_a_draft_goes_on_without_a_price_while_the_index_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise rag_index.IndexUnreachable("The server does not answer.")

    monkeypatch.setattr(rag_index, "comparable_prices", away)
    past = PastListings(None, None, load_taxonomy())  # type: ignore[arg-type]
    assert past.price([photo("a", 1)], category="Hoodie", brand=None, seller_id=None) is None


def test_prices_are_compared_within_the_categorys_group(monkeypatch: pytest.MonkeyPatch) -> None:
    groups: list[tuple[str, ...]] = []
    monkeypatch.setattr(rag_index, "comparable_prices", lambda index, query, brand, group, ids: groups.append(group))
    past = PastListings(None, None, load_taxonomy())  # type: ignore[arg-type]
    for category in ("Hoodie", "Tops", "Shoes", "tea caddy"):
        past.price([photo("a", 1)], category=category, brand="Nike", seller_id="me")
    assert groups[0] == groups[1]
    assert {"Hoodie", "Shirt", "Tops"} <= set(groups[0])
    assert not {"Shoes", "Outwear"} & set(groups[0])
    assert groups[2:] == [("Shoes",), ()]

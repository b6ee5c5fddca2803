"""The demo's photos: each kind looks like no other, and equal things give equal photos."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from app.demo.photos.canvas import Canvas
from app.demo.photos.render import DETAIL, DRAWINGS, photos_of
from app.demo.photos.scene import HEIGHT, WIDTH
from app.demo.things import GARMENTS, KINDS, PRINTS, Thing, thing
from listing.taxonomy import load_taxonomy


@pytest.fixture(scope="module")
def shapes() -> dict[str, np.ndarray]:
    """What each kind covers of its canvas, small."""
    found = {}
    for one in (thing(n, 0) for n in range(len(KINDS))):
        canvas = Canvas(one.seed)
        DRAWINGS[one.kind.name](canvas, one)
        assert 0 <= canvas.alpha.min() <= canvas.alpha.max() <= 1.001
        found[one.kind.name] = canvas.alpha[::16, ::16] > 0.5
    return found


def test_every_kind_is_drawn_and_listed() -> None:
    assert {kind.name for kind in KINDS} == set(DRAWINGS) == set(DETAIL)
    assert (len(KINDS), GARMENTS) == (24, 12)
    taxonomy = load_taxonomy()
    for one in (thing(n, 3) for n in range(96)):
        allowed = {a.name: a for a in taxonomy.schema(one.kind.category)}
        assert 2 <= one.price < 500
        for name, value in one.facts.items():
            if name in allowed and allowed[name].values:
                assert value in allowed[name].values or name == "item_type", (one.kind.name, name, value)


def test_no_two_kinds_look_alike(shapes: dict[str, np.ndarray]) -> None:
    names = list(shapes)
    for n, first in enumerate(names):
        for second in names[n + 1 :]:
            a, b = shapes[first], shapes[second]
            assert (a & b).sum() / (a | b).sum() < 0.95, (first, second)


def test_equal_things_give_equal_photos_others_do_not() -> None:
    one = thing(3, 0)
    files = photos_of(one)
    assert 2 <= len(files) <= 3
    assert files == photos_of(thing(3, 0))
    assert files[0] != photos_of(thing(3, 1))[0]
    with Image.open(io.BytesIO(files[0])) as photo:
        assert (photo.format, photo.size) == ("JPEG", (WIDTH, HEIGHT))
        assert np.asarray(photo.convert("L")).std() > 10


def test_what_the_text_says_is_in_the_photo() -> None:
    """A printed word changes the pixels, and the listing's facts name it."""
    words = next(t for t in (thing(n, 0) for n in range(0, 2400, 24)) if t.words)
    plain = Thing(**{**vars(words), "words": "", "pattern": "solid"})
    assert words.facts["text"] in PRINTS
    assert "text" not in plain.facts
    drawn = []
    for one in (words, plain):
        canvas = Canvas(one.seed)
        DRAWINGS["t-shirt"](canvas, one)
        drawn.append(canvas.rgb)
    changed = np.abs(drawn[0] - drawn[1]).max(axis=2) > 0.2
    ys, xs = np.nonzero(changed)
    assert 0.25 < xs.mean() / changed.shape[1] < 0.75
    assert 0.3 < ys.mean() / changed.shape[0] < 0.55

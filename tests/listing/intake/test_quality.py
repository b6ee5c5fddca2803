"""Scores follow what was done to the photo or the draft."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter

from listing.intake.quality import WEIGHTS, assess, photo_quality, readability
from listing.schema import AttributeValue, Category, Draft, Evidence, Flag, Quality

GOOD_PHOTO = {"blur": 0.0, "darkness": 0.0, "resolution": 1.0}
EXPECTED = {"size": "size", "condition_grade": "condition", "brand": "brand", "colour": "colour"}
TITLE = "Blue Wrangler hoodie with a kangaroo pocket"
DESCRIPTION = "A blue hoodie with a kangaroo pocket. The cuffs are ribbed. It comes from a home without pets or smoke."


def stated(name: str) -> AttributeValue:
    return AttributeValue(name=name, value="x", status="supported", evidence=[Evidence(source="seller", text="x")])


def score(photos: Any = (GOOD_PHOTO,) * 3, expected: Any = EXPECTED, **changes: Any) -> Quality:
    facts = [stated(name) for name in EXPECTED]
    fields = {"attributes": facts, "title": TITLE, "description": DESCRIPTION, **changes}
    bare = Draft(id="a", photos=[], category=Category(value=None, confidence=0), quality=Quality(score=0), model="m")
    return assess(bare.model_copy(update=fields), photos, expected)


@pytest.fixture
def scene() -> Image.Image:
    """A checked cloth before a plain wall."""
    pixels = np.full((600, 800, 3), 190, np.uint8)
    y, x = np.mgrid[0:300, 0:400]
    pixels[150:450, 200:600] = (40 + 150 * ((x // 12 + y // 12) % 2))[..., None]
    return Image.fromarray(pixels)


def test_blur_darkness_and_size_of_a_photo(scene: Image.Image) -> None:
    blurs = [photo_quality(scene.filter(ImageFilter.GaussianBlur(radius)))["blur"] for radius in (0, 3, 6, 12)]
    assert blurs == sorted(blurs)
    assert blurs[0] < 0.1
    assert blurs[-1] > 0.8
    shares = [photo_quality(scene.resize((side, side)))["resolution"] for side in (100, 320, 800, 1200)]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0, 1)
    assert photo_quality(scene)["darkness"] == 0
    assert photo_quality(scene.point(lambda v: v // 5))["darkness"] > 0.9
    scene.paste((15, 15, 18), (100, 100, 700, 500))
    assert photo_quality(scene)["darkness"] < 0.1, "a black garment is no dark photo"
    assert set(photo_quality(Image.new("RGB", (2, 2)))) == {"blur", "darkness", "resolution"}


def test_a_full_draft() -> None:
    quality = score()
    assert quality.score == 100
    assert quality.tips == []
    assert set(quality.parts) == set(WEIGHTS)
    assert sum(WEIGHTS.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("changes", "part", "tip"),
    [
        ({"attributes": [stated("colour")]}, "completeness", "Add what is missing: size, condition, brand."),
        ({"photos": [GOOD_PHOTO | {"blur": 0.9}] * 3}, "photos", "Photo 1 is blurred"),
        ({"photos": [GOOD_PHOTO, GOOD_PHOTO | {"darkness": 0.9}, GOOD_PHOTO]}, "photos", "Photo 2 is dark"),
        ({"photos": [GOOD_PHOTO]}, "photos", "Add more photos"),
        ({"description": "A hoodie."}, "length", "Make the description longer"),
        ({"title": "H" * 100}, "length", "Make the title shorter"),
        (
            {"flags": [Flag(code="contact", message="A phone number was taken out.", field="note")]},
            "violations",
            "A phone number",
        ),
        ({"description": DESCRIPTION.upper()}, "readability", "not in capitals"),
        ({"description": (DESCRIPTION * 3).replace(".", " and")}, "readability", "shorter sentences"),
    ],
)
def test_each_fault_costs_and_is_named(changes: dict[str, object], part: str, tip: str) -> None:
    quality = score(**changes)
    assert quality.score < 100
    assert quality.parts[part] == min(quality.parts.values())
    assert tip in quality.tips[0]


def test_guesses_cost_evidence() -> None:
    guess = AttributeValue(name="material", suggestion="cotton", status="unsupported")
    quality = score(attributes=[*(stated(name) for name in EXPECTED), guess])
    assert quality.parts["evidence"] == pytest.approx(0.8)
    assert "material" in quality.tips[0]


def test_advice_on_photos_outlives_an_edit() -> None:
    flags = [Flag(code="claim-unsupported", message="Nothing in the photos supports it.", field="title")] * 2
    first = score(photos=[GOOD_PHOTO], flags=flags)
    edited = score(photos=first, flags=flags, description="A hoodie.")
    assert edited.parts["photos"] == first.parts["photos"]
    assert "Add more photos: the back, the label, any flaw." in edited.tips
    assert len(edited.tips) == len(set(edited.tips))


def test_empty_draft_gets_no_advice_on_style() -> None:
    quality = score(attributes=[], title="", description="", photos=[], expected=())
    assert quality.score == 15  # nothing was violated
    assert not any("sentences" in tip or "capitals" in tip for tip in quality.tips)
    quoted = readability('Red tin. It says "TWININGS EVERYDAY TEA" on it.')
    assert quoted == pytest.approx(readability('Red tin. It says "twinings everyday tea" on it.'))
    assert readability("very very very very warm") < 0.5 < readability("A blue hoodie. It is warm.") == 1

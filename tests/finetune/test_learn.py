"""From a table with photos to drafts in its words: by the command, with the real networks, on drawn pictures."""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image, ImageDraw

import finetune
from app.cli.main import main
from finetune.data.photosets import data_root
from listing.decide.decision import Decision
from listing.intake.photos import intake
from listing.observe.source import Context
from listing.pipeline_parts import build_parts
from listing.request import DraftRequest
from listing.shops.shop import Shop, Words, use_shop
from listing.taxonomy import load_taxonomy
from tests.conftest import REAL_HOME

COLOURS = {"Crimson": (170, 20, 40), "Navy": (20, 30, 90), "Lime": (150, 220, 40)}
KINDS = ("Discs", "Flags")


@pytest.fixture(autouse=True)
def settings_end(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A shop is a setting of the process: another test speaks its own words again."""
    monkeypatch.setenv("IPL_HOME", str(REAL_HOME))
    yield
    for name in ("IPL_SHOP", "IPL_TAXONOMY", "IPL_INDEX"):
        os.environ.pop(name, None)
    load_taxonomy.cache_clear()


def picture(kind: str, colour: tuple[int, int, int], at: int) -> Image.Image:
    image = Image.new("RGB", (320, 320), (235, 235, 230))
    draw, shift = ImageDraw.Draw(image), 6 * at
    if kind == "Discs":
        draw.ellipse((60 + shift, 50, 200 + shift, 190), fill=colour)
    else:
        for y in range(40, 280, 40):
            draw.rectangle((40, y, 200 + shift, y + 18), fill=colour)
    return image


def shop_table(folder: Path, shuffled: bool = False) -> Path:
    lines, drawn = ["id,seller_id,title,category,shade,image"], random.Random(0)
    for i in range(36):
        kind, colour = KINDS[i % 2], list(COLOURS)[i // 2 % 3]
        picture(kind, COLOURS[colour], i // 6).save(folder / f"{i}.jpg", quality=92)
        word = drawn.choice(KINDS) if shuffled else kind
        lines.append(f"{i},acme,Acme {colour} {word},{word},{colour},{i}.jpg")
    (folder / "shop.csv").write_text("\n".join(lines))
    return folder / "shop.csv"


@pytest.mark.model
def test_a_table_becomes_drafts_in_its_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shop = tmp_path / "shop"
    assert main(["learn", str(shop_table(tmp_path)), "-o", str(shop)]) == 0
    report = json.loads((shop / "versions" / "0001" / "report.json").read_text())
    assert report["questions"]["category"]["right"] > 0.9
    out = capsys.readouterr().out
    assert "category" in out
    assert "learned. What to do next:\n- add photos: 2 of 2 kinds have fewer than 20: Discs (18), Flags (18)\n" in out
    assert len(out.partition("What to do next")[2].splitlines()) <= 6
    assert (shop / "versions" / "0001" / "report.html").is_file()

    words = Words.of(use_shop(shop))
    parts = build_parts(None, True, REAL_HOME, without=["mllm", "ocr", "roles"], words=words)
    picture("Flags", (22, 32, 88), 2).save(tmp_path / "new.jpg")
    photos = intake([tmp_path / "new.jpg"])
    observations: list = []
    request, rules = DraftRequest(photos), parts.rules
    context = Context(
        request, rules.taxonomy, rules.calibration, lambda: Decision(observations, 1, rules), observations=observations
    )
    for source in parts.sources:
        context.ask(source)
    decision = Decision(observations, 1, parts.rules)
    assert decision.category.value == "Flags"
    assert {fact.name for fact in decision.facts} >= {"shade", "colour"}
    # The table names one seller, whose past listings its drafts must find.
    assert parts.search.find(photos, category=None, seller_id="acme").votes["shade"]  # type: ignore[union-attr]
    parts.search.index.close()  # type: ignore[union-attr]


@pytest.mark.model
def test_shuffled_answers_are_reported_to_teach_nothing_by_a_sample_that_is_not_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, shop = shop_table(tmp_path, shuffled=True), tmp_path / "shop"
    assert main(["learn", str(table), "-o", str(shop), "--sample", "36"]) == 0
    assert re.search("category +[0-9]+%.*36 rows say; nothing was put into use", capsys.readouterr().out, re.DOTALL)
    assert not (shop / "current").exists()
    version = shop / "cache" / "trial"
    report, calibration = (json.loads((version / f"{name}.json").read_text()) for name in ("report", "calibration"))
    assert any("Nothing can be learned of category" in remark for remark in report["remarks"])
    assert calibration["questions"]["category"]["weights"] == {"general": 1.0}


def test_a_table_without_photos_ends_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = shop_table(tmp_path)
    for photo in tmp_path.glob("*.jpg"):
        photo.unlink()
    assert main(["learn", str(table), "-o", str(tmp_path / "shop")]) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"ipl: line 2 of shop.csv: there is no file {tmp_path / '0.jpg'}; so it is with 36 of 36 rows",
        "ipl: nothing was done: name the folder of the photos with --photos DIR.",
    ]
    assert not (tmp_path / "shop").exists()


def test_rows_that_do_not_fit_are_said_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = shop_table(tmp_path)
    lines = [re.sub(r"([0-9]+)\.jpg$", r"\1 inch", line) for line in table.read_text().splitlines()]
    lines[0] = lines[0].replace("image", "size,image")
    table.write_text("\n".join([*lines, "99,acme,,Discs,Lime,9", lines[1]]))
    assert main(["learn", str(table), "-o", str(tmp_path / "shop")]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "ipl: line 38 of shop.csv: its title is empty; so it is with 1 of 38 rows",
        "ipl: line 39 of shop.csv: it is there twice, as line 2; so it is with 1 of 38 rows",
        "ipl: Column image of shop.csv names no photo: write the name of each row's file there.",
    ]
    assert not (tmp_path / "shop" / "current").exists()


@pytest.mark.data
@pytest.mark.model
@pytest.mark.nightly
def test_a_real_catalogues_shop_beats_the_towers(tmp_path: Path) -> None:
    root = data_root() / "fashion_catalog"
    frame = pd.read_parquet(root / "listings.parquet").sample(170, random_state=0)
    frame.iloc[:120].to_csv(tmp_path / "past.csv", index=False)
    frame.iloc[120:].to_csv(tmp_path / "new.csv", index=False)
    stamp = finetune.weights_stamp(REAL_HOME / "models" / "ipl-mini")
    past = finetune.Table(tmp_path / "past.csv", photos=root)
    learned = finetune.learn(past, Shop(tmp_path / "shop"), REAL_HOME, stamp)
    new = finetune.Table(tmp_path / "new.csv", photos=root)
    figures = finetune.measure(learned.version, new, tmp_path / "new", REAL_HOME, stamp)["category"]
    assert figures["shop"][0] > figures["out of the box"][0]
    assert figures["empty"] == 0

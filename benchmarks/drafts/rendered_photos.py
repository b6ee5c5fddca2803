"""Photos that are drawn: care and size labels with known words, receipts and screenshots, walls and floors.

Everything follows from the seed and the fonts at hand (DejaVu where it is installed, else Pillow's own).
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

FONTS = (
    "DejaVuSans.ttf",
    "DejaVuSans-Bold.ttf",
    "DejaVuSansCondensed.ttf",
    "DejaVuSerif.ttf",
    "DejaVuSansMono.ttf",
    "",
)
# fibre -> its name in en, de, fr, es, it, nl, pl
FIBRES = {
    "cotton": ("cotton", "Baumwolle", "coton", "algodón", "cotone", "katoen", "bawełna"),
    "polyester": ("polyester", "Polyester", "polyester", "poliéster", "poliestere", "polyester", "poliester"),
    "elastane": ("elastane", "Elasthan", "élasthanne", "elastano", "elastan", "elastaan", "elastan"),
    "viscose": ("viscose", "Viskose", "viscose", "viscosa", "viscosa", "viscose", "wiskoza"),
    "wool": ("wool", "Wolle", "laine", "lana", "lana", "wol", "wełna"),
    "linen": ("linen", "Leinen", "lin", "lino", "lino", "linnen", "len"),
    "acrylic": ("acrylic", "Polyacryl", "acrylique", "acrílico", "acrilico", "acryl", "akryl"),
    "polyamide": ("polyamide", "Polyamid", "polyamide", "poliamida", "poliammide", "polyamide", "poliamid"),
    "silk": ("silk", "Seide", "soie", "seda", "seta", "zijde", "jedwab"),
}
BLENDS = (
    (("cotton", 100),),
    (("polyester", 100),),
    (("cotton", 80), ("polyester", 20)),
    (("cotton", 95), ("elastane", 5)),
    (("polyester", 65), ("cotton", 35)),
    (("viscose", 92), ("elastane", 8)),
    (("wool", 70), ("acrylic", 30)),
    (("linen", 55), ("viscose", 45)),
    (("polyamide", 82), ("elastane", 18)),
    (("cotton", 60), ("polyester", 37), ("elastane", 3)),
    (("silk", 100),),
)
# (what stands on the label, line by line; the size that it says)
SIZES = (
    (("M",), "M"),
    (("XL",), "XL"),
    (("SIZE S",), "S"),
    (("Gr. 38",), "38"),
    (("Größe 42",), "42"),
    (("EUR 38", "UK 10", "US 6"), "EU 38"),
    (("EU 40  UK 12  US 8",), "EU 40"),
    (("UK 14",), "UK 14"),
    (("W32 L34",), "W32 L34"),
    (("W 30  L 32",), "W30 L32"),
    (("110",), "110"),
    (("5-6 Y", "116 cm"), "5-6Y"),
    (("18-24 M",), "18-24M"),
    (("TAILLE 40",), "40"),
    (("TALLA L",), "L"),
    (("Taglia 44",), "44"),
    (("ROZMIAR M",), "M"),
    (("MAAT 36",), "36"),
    (("L / G",), "L"),
    (("EUR M", "USA M", "MEX 28"), "M"),
)
BRANDS = ("MARLOWE", "Nordkind", "ATELIER 9", "lumo", "Casa Verde", "")
CARE = ("MADE IN PORTUGAL", "MADE IN TURKEY", "Wash with similar colours", "30°", "Do not tumble dry", "RN 93677", "")
CLOTH = ((225, 222, 214), (40, 42, 48), (58, 74, 110), (150, 40, 44), (120, 124, 118), (214, 190, 160), (88, 110, 84))


@dataclass(frozen=True)
class LabelPhoto:
    """A drawn label, and what it says: the size, and (fibre, per cent) from the largest."""

    image: Image.Image
    size: str
    blend: tuple[tuple[str, int], ...]


def label_photo(seed: int) -> LabelPhoto:
    """A close-up of a sewn-in label on cloth: one of several layouts and languages, a little turned and blurred."""
    rng = Random(f"label {seed}")
    said, size = SIZES[seed % len(SIZES)]
    blend = rng.choice(BLENDS)
    languages = rng.sample(range(7), rng.choice((1, 1, 2, 3)))
    layout = rng.choice(("stacked", "stacked", "inline", "slashes", "columns"))
    lines = [line for line in _composition(blend, languages, layout) if line]
    brand, care = rng.choice(BRANDS), [line for line in rng.sample(CARE, 2) if line]
    big = rng.random() < 0.5  # the size larger than the rest, as on a neck label
    size_lines = [(line, 1.6 if big else 1.0) for line in said]
    body = [(line, 1.0) for line in lines]
    order = [size_lines, body] if rng.random() < 0.5 else [body, size_lines]
    head = [(brand, 1.5)] if brand else []
    rows = [*head, *order[0], ("", 0.5), *order[1], *[(line, 0.8) for line in care]]
    return LabelPhoto(_photographed(_strip(rows, rng), rng), size, blend)


def _composition(blend: tuple[tuple[str, int], ...], languages: list[int], layout: str) -> list[str]:
    names = {fibre: [FIBRES[fibre][i] for i in languages] for fibre, _ in blend}
    if layout == "slashes":
        return [f"{share}% {'/'.join(dict.fromkeys(names[fibre]))}" for fibre, share in blend]
    if layout == "columns":
        return [f"{names[fibre][0].upper()}    {share}%" for fibre, share in blend]
    if layout == "inline":
        return [" ".join(f"{share}% {names[fibre][i]}" for fibre, share in blend) for i in range(len(languages))]
    return [f"{share} % {names[fibre][i].upper()}" for i in range(len(languages)) for fibre, share in blend]


def _font(name: str, height: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    if name:
        try:
            return ImageFont.truetype(name, height)
        except OSError:
            pass
    return ImageFont.load_default(height)


def _strip(rows: list[tuple[str, float]], rng: Random) -> Image.Image:
    """The label itself: woven white, cream, grey or black, with its words."""
    paper, ink = rng.choice(
        (((246, 246, 244), (30, 30, 34)), ((238, 230, 212), (40, 34, 30)), ((24, 24, 26), (228, 228, 224)),
         ((204, 206, 208), (20, 20, 24)))
    )  # fmt: skip
    name, base = rng.choice(FONTS), rng.choice((26, 30, 36, 42))
    fonts = [_font(name, base * scale) for _, scale in rows]
    boxes = [font.getbbox(text or "X") for font, (text, _) in zip(fonts, rows, strict=True)]
    width = round(max(box[2] for box in boxes) + 2.4 * base)
    steps = [1.45 * base * scale for _, scale in rows]
    label = Image.new("RGB", (width, round(sum(steps) + 2 * base)), paper)
    draw, y, centred = ImageDraw.Draw(label), float(base), rng.random() < 0.6
    for (text, _), font, box, step in zip(rows, fonts, boxes, steps, strict=True):
        draw.text(((width - box[2]) / 2 if centred else 1.2 * base, y), text, fill=ink, font=font)
        y += step
    draw.rectangle(
        (2, 2, label.width - 3, label.height - 3), outline=tuple((p + i) // 2 for p, i in zip(paper, ink, strict=True))
    )
    return _woven(label, rng, 5)


def _photographed(label: Image.Image, rng: Random) -> Image.Image:
    """The label on cloth, filling much of the frame: turned, lit from a side, blurred, as JPEG pixels."""
    width, height = rng.choice(((900, 1200), (1200, 900), (768, 1024), (1024, 1024)))
    cloth = _woven(Image.new("RGB", (width, height), rng.choice(CLOTH)), rng, 12)
    factor = rng.uniform(0.68, 0.95) * min(width / label.width, height / label.height)
    label = label.resize((round(label.width * factor), round(label.height * factor)), Image.Resampling.LANCZOS)
    mask = Image.new("L", label.size, 255)
    angle = rng.gauss(0, 3.5)
    label, mask = (part.rotate(angle, Image.Resampling.BICUBIC, expand=True) for part in (label, mask))
    at = (round((width - label.width) * rng.uniform(0.3, 0.7)), round((height - label.height) * rng.uniform(0.3, 0.7)))
    cloth.paste(label, at, mask)
    return _compressed(_lit(cloth.filter(ImageFilter.GaussianBlur(rng.uniform(0.4, 1.6))), rng), rng)


def _woven(image: Image.Image, rng: Random, strength: float) -> Image.Image:
    """The image with the grain of cloth."""
    noise = np.random.default_rng(rng.randrange(2**32))
    rows, columns = noise.normal(0, 1, (image.height, 1)), noise.normal(0, 1, (1, image.width))
    grain = (rows + columns + noise.normal(0, 1, (image.height, image.width))) * strength / 2
    return Image.fromarray(np.clip(np.asarray(image, np.float32) + grain[..., None], 0, 255).astype(np.uint8))


def _lit(image: Image.Image, rng: Random) -> Image.Image:
    """Lighter towards one side."""
    ramp = np.linspace(rng.uniform(0.7, 0.95), rng.uniform(0.95, 1.1), image.width)[None, :, None]
    return Image.fromarray(np.clip(np.asarray(image, np.float32) * ramp, 0, 255).astype(np.uint8))


def _compressed(image: Image.Image, rng: Random) -> Image.Image:
    from io import BytesIO

    held = BytesIO()
    image.save(held, "JPEG", quality=rng.randint(55, 88))
    return Image.open(held).convert("RGB")


def empty_photo(seed: int) -> Image.Image:
    """A photo without an item: in turn a blank, noise, a wall, a floor of planks, a receipt, a screenshot of text."""
    rng = Random(f"empty {seed}")
    draw = (_blank, _noise, _wall, _planks, _receipt, _screenshot)[seed % 6]
    return _compressed(draw(rng), rng)


def _grey(rng: Random) -> tuple[int, int, int]:
    level = rng.randrange(20, 245)
    return tuple(max(0, min(255, level + rng.randrange(-15, 16))) for _ in range(3))  # type: ignore[return-value]


def _blank(rng: Random) -> Image.Image:
    return Image.new("RGB", (600, 800), _grey(rng))


def _noise(rng: Random) -> Image.Image:
    noise = np.random.default_rng(rng.randrange(2**32)).integers(0, 256, (rng.choice((30, 120, 480)), 360, 3), np.uint8)
    return Image.fromarray(noise).resize((600, 800), Image.Resampling.BICUBIC)


def _wall(rng: Random) -> Image.Image:
    return _lit(_woven(Image.new("RGB", (600, 800), _grey(rng)), rng, 6), rng).filter(ImageFilter.GaussianBlur(1))


def _planks(rng: Random) -> Image.Image:
    floor = Image.new("RGB", (600, 800))
    draw, x = ImageDraw.Draw(floor), 0
    while x < floor.width:
        wide, tone = rng.randrange(60, 120), rng.randrange(90, 170)
        draw.rectangle((x, 0, x + wide, 800), fill=(tone, round(tone * 0.75), round(tone * 0.5)), outline=(50, 36, 24))
        x += wide
    return _lit(_woven(floor, rng, 10), rng)


def _receipt(rng: Random) -> Image.Image:
    paper = Image.new("RGB", (420, 780), (244, 243, 238))
    draw, font = ImageDraw.Draw(paper), _font("DejaVuSansMono.ttf", 20)
    goods = ("Milk 1l", "Bread", "Apples", "Coffee", "Butter", "Soap", "Rice 1kg", "Tea", "Pasta", "Salt")
    lines = [
        "CORNER SHOP",
        "12 High Street",
        "",
        *(f"{g:<14}{rng.randrange(80, 990) / 100:>6.2f}" for g in rng.sample(goods, 8)),
    ]
    lines += ["-" * 20, f"TOTAL {rng.randrange(1500, 6000) / 100:>14.2f}", "CARD", "THANK YOU"]
    for row, line in enumerate(lines):
        draw.text((40, 40 + 40 * row), line, fill=(50, 50, 54), font=font)
    table = _woven(Image.new("RGB", (600, 800), _grey(rng)), rng, 8)
    paper = paper.rotate(rng.gauss(0, 4), Image.Resampling.BICUBIC, expand=True, fillcolor=table.getpixel((5, 5)))
    table.paste(paper.resize((480, 740)), (60, 30))
    return _lit(table, rng)


def _screenshot(rng: Random) -> Image.Image:
    dark = rng.random() < 0.5
    page = Image.new("RGB", (540, 960), (24, 26, 30) if dark else (250, 250, 252))
    draw, font = ImageDraw.Draw(page), _font("DejaVuSans.ttf", 24)
    words = [
        "the",
        "parcel",
        "was",
        "sent",
        "on",
        "Monday",
        "please",
        "tell",
        "me",
        "when",
        "you",
        "are",
        "at",
        "home",
        "so",
        "that",
        "I",
        "can",
        "bring",
        "it",
        "over",
        "thanks",
    ]
    for row in range(rng.randrange(8, 22)):
        line = " ".join(rng.sample(words, 6))
        draw.text((30, 60 + 40 * row), line, fill=(220, 222, 226) if dark else (30, 30, 34), font=font)
    return page

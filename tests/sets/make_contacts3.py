"""Writes ``dev{3..8}_contacts.jsonl`` from their YAML files. ``python -m tests.sets.make_contacts3``.

Phone numbers are a grid: numbers of a country x ways to write digits x sentences around them, drawn with a fixed seed.
The numbers lie in ranges that regulators keep for fiction where there are any, else they are drawn by chance. The other
kinds are single lines, with the slots of ``make_contacts2`` and the ones below.
"""

# ruff: noqa: E501, SIM905  (one slot or list a line)
from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import yaml

from tests.sets.make_contacts import write
from tests.sets.make_contacts2 import DIGITS, SLOTS, row

HERE = Path(__file__).parent
SEED = 77
# How a number of each country is grouped when it is written plainly; '#' is any figure.
NUMBERS = {
    "gb": ["07700 900###", "07700900###", "020 7946 0###", "0161 496 0###", "01632 960###", "(01632) 960 ###"],
    "us": ["(212) 555-01##", "415-555-01##", "646.555.01##", "303 555 01##", "1-800-555-01##", "20255501##"],
    "de": ["0176 040690##", "030 23125 ###", "0171/39200##", "0152-28817###", "089 99998 ###", "0221 4710 ###"],
    "fr": ["01 99 00 ## ##", "06 39 98 ## ##", "0639 98 ## ##", "06.39.98.##.##", "063998####"],
    "au": ["0491 570 ###", "(02) 5550 ####", "03 7010 ####", "0491570###"],
    "se": ["070-174 06 ##", "08-465 004 ##", "031-390 06 ##", "0701740###"],
    "es": ["6## ### ###", "6## ## ## ##", "9#########"[:10], "7########"],
    "it": ["33# ### ####", "34# #######", "02 #### ####", "32########"],
    "nl": ["06-########", "06 ## ## ## ##", "020-#######", "06########"],
    "pl": ["5## ### ###", "6##-###-###", "22 ### ## ##", "78# ######"],
    "pt": ["91# ### ###", "96#######", "21# ### ###"],
    "ru": ["8 (9##) ###-##-##", "89#########", "8 9## ### ## ##"],
    "cn": ["138########", "15# #### ####", "189-####-####", "166########"],
    "vn": ["09## ### ###", "03########", "08## ## ## ##"],
}
CODES = {"gb": 44, "us": 1, "de": 49, "fr": 33, "au": 61, "se": 46, "es": 34, "it": 39, "nl": 31, "pl": 48, "pt": 351,
         "ru": 7, "cn": 86, "vn": 84}  # fmt: skip
SPOKEN = {"gb": "en", "us": "en", "de": "de", "fr": "fr", "es": "es", "it": "it", "nl": "nl", "pl": "pl", "pt": "pt",
          "ru": "ru", "se": "sv", "au": "en", "cn": "py", "vn": "vi"}  # fmt: skip
HAN = "零一二三四五六七八九"


def number(rng: random.Random, country: str) -> str:
    """A number as it is written plainly in its country."""
    return "".join(rng.choice("0123456789") if c == "#" else c for c in rng.choice(NUMBERS[country]))


def digits(rng: random.Random, country: str) -> str:
    return "".join(c for c in number(rng, country) if c.isdigit())


def _groups(rng: random.Random, text: str, joint: str) -> str:
    parts, at = [], 0
    while at < len(text):
        size = rng.choice((2, 3, 3, 4))
        parts.append(text[at : at + size])
        at += size
    return joint.join(parts)


def _international(rng: random.Random, country: str) -> str:
    rest = (
        digits(rng, country).removeprefix("0" if country != "ru" else "8").removeprefix("1" if country == "us" else "")
    )
    return rng.choice(["+{} {}", "+{}{}", "00{} {}", "+{}-{}", "+{} (0){}", "(+{}) {}", "+{}.{}"]).format(
        CODES[country], rng.choice([rest, _groups(rng, rest, " "), _groups(rng, rest, "-")])
    )


def _odd_digits(rng: random.Random, text: str) -> str:
    how = rng.choice(("keycap", "wide", "circled", "bold", "sans", "double", "arabic", "persian", "super", "deva"))
    if how == "keycap":
        return "".join(c + "\ufe0f\u20e3" for c in text)
    if how == "circled":
        return "".join("⓪①②③④⑤⑥⑦⑧⑨"[int(c)] for c in text)
    if how == "super":
        return "".join("⁰¹²³⁴⁵⁶⁷⁸⁹"[int(c)] for c in text)
    first = {
        "wide": 0xFF10,
        "bold": 0x1D7CE,
        "sans": 0x1D7E2,
        "double": 0x1D7D8,
        "arabic": 0x660,
        "persian": 0x6F0,
        "deva": 0x966,
    }
    return "".join(chr(first[how] + int(c)) for c in text)


def _mixed(rng: random.Random, text: str, language: str, joint: str) -> str:
    words = DIGITS[language].split()
    return joint.join(words[int(c)] if rng.random() < 0.5 else c for c in text)


def _doubled(text: str, zero: str) -> str:
    words, out, i = [zero, *DIGITS["en"].split()[1:]], [], 0
    while i < len(text):
        run = 3 if text[i : i + 3] == text[i] * 3 else 2 if text[i : i + 2] == text[i] * 2 else 1
        out.append({1: "", 2: "double ", 3: "triple "}[run] + words[int(text[i])])
        i += run
    return " ".join(out)


Dressing = Callable[[random.Random, str], str]
MARKS = [
    "·",
    "•",
    "*",
    "_",
    "|",
    " | ",
    " / ",
    "~",
    "--",
    " . ",
    "…",
    "★",
    "☆",
    "♡",
    "🌸",
    "✨",
    ",",
    ";",
    ":",
    "=",
    "#",
    "^",
    "\\",
    " - ",
]
DRESSINGS: dict[str, Dressing] = {
    "plain": number,
    "international": _international,
    "marks": lambda r, c: _groups(r, digits(r, c), r.choice(MARKS)),
    "every-digit": lambda r, c: r.choice([*MARKS, " ", "-", ".", "  ", "\u200b", "\u2060", "\u00ad"]).join(digits(r, c)),
    "spaces": lambda r, c: _groups(r, digits(r, c), r.choice(["   ", "\u00a0", "\u2003", "\u3000", "     ", "\t"])),
    "lines": lambda r, c: _groups(r, digits(r, c), "\n"),
    "brackets": lambda r, c: "".join(f"{b[0]}{g}{b[1]}" for b in [r.choice(["()", "[]", "//", "<>", "「」"])]
                                     for g in _groups(r, digits(r, c), " ").split()),
    "odd-digits": lambda r, c: _odd_digits(r, digits(r, c)),
    "odd-some": lambda r, c: "".join(_odd_digits(r, d) if r.random() < 0.4 else d for d in digits(r, c)),
    "letters": lambda r, c: "".join({"0": r.choice("OoОQ○"), "1": r.choice("IlL|i")}.get(d, d) for d in digits(r, c)),
    "letters-some": lambda r, c: "".join(r.choice("Oo0") if d == "0" else d for d in number(r, c)),
    "words": lambda r, c: r.choice([" ", ", ", "-", ". ", " - ", "  "]).join(DIGITS[SPOKEN[c]].split()[int(d)] for d in digits(r, c)),
    "words-glued": lambda r, c: "".join(DIGITS["en"].split()[int(d)].title() for d in digits(r, c)),
    "words-mixed": lambda r, c: _mixed(r, digits(r, c), SPOKEN[c], r.choice([" ", "", "-", ". "])),
    "double": lambda r, c: _doubled(digits(r, c), r.choice(["oh", "zero", "o", "nought"])),
    "han": lambda r, c: "".join(HAN[int(d)] if r.random() < 0.7 else d for d in digits(r, "cn")),
}  # fmt: skip
LABELS = (
    "style|style no.|Style code|model|Model no.|art.|Art. Nr.|article|ref|Ref.|reference|SKU|item no.|item code|code|product code|"
    "size|Artikelnummer|Modell|réf.|référence|modelo|codice|kod|Modelnr."
).split("|")
STRICT = (
    "order|order no.|serial no.|S/N|part no.|OEM|tracking|batch|lot|barcode|style|model|ref.|SKU|item no.|Artikelnummer|Bestell-Nr.|"
    "Seriennummer|Modellnummer|Teilenummer|référence|numéro de série|numéro d'article|code article|n° de série|número de serie|"
    "número de modelo|referencia|código|numero di serie|codice articolo|numero d'ordine|numer seryjny|nr kat.|kod produktu|numer modelu|"
    "серийный номер|артикул|номер модели|serienummer|artikelnummer|ordernummer|款号|货号|编号|the label says|number on the tag|"
    "printed inside:|stamped|the box says|inside tag reads|registered design no.|catalogue no.|ISBN|production number|edition"
).split("|")
SHAPES = ["{d:6}", "{d:7}", "{d:8}", "{n:10-98}{d:8}", "{d:4}-{d:4}", "{d:5}.{d:3}", "{n:100-999}-{d:3}-{d:3}", "{d:12}", "AB{d:6}", "{d:4} {d:4} {d:4}",
          "{d:6}-{d:3}", "{d:2}.{d:3}.{d:2}", "{d:5}/{d:3}", "{d:4}.{d:4}", "{n:1-9}{d:6}-{d:2}", "{d:4}/{d:3}/{d:3}"]  # fmt: skip
SLOTS |= {
    "num": lambda r, a: number(r, a or r.choice(list(NUMBERS))),
    "dress": lambda r, a: DRESSINGS[a](r, r.choice(list(NUMBERS))),
    "int": lambda r, a: _international(r, r.choice(list(NUMBERS))),
    "label": lambda r, a: r.choice(LABELS),
    "strict": lambda r, a: r.choice(STRICT),
    "shape": lambda r, a: r.choice(SHAPES),
}


def phones(rng: random.Random, frames: list[str], copies: int) -> list[tuple[str, str]]:
    """(group, line) pairs of the grid: every dressing in ``copies`` sentences and countries."""
    rows = []
    for name in DRESSINGS:
        for _ in range(copies):
            rows.append((f"phone-{name}", rng.choice(frames).replace("[[]]", f"[[{{dress:{name}}}]]")))
    return rows


def deal(name: str) -> None:
    """Write ``NAME.jsonl`` from the frames and lines of ``NAME.yaml``."""
    raw = yaml.safe_load((HERE / f"{name}.yaml").read_text(encoding="utf-8"))
    rng = random.Random(SEED)
    lines = phones(rng, raw.pop("frames"), raw.pop("per_dressing"))
    copies = raw.pop("copies")
    for group, given in raw.items():
        texts_of_group = given.splitlines() if isinstance(given, str) else given
        lines += [(group, line) for line in texts_of_group for _ in range(copies.get(group, 1))]
    texts = {r["text"]: r for r in (row(group, line, rng) for group, line in lines)}
    for r in texts.values():
        assert all(c["text"] in r["text"] for c in r["contacts"]), r
        assert bool(r["contacts"]) != r["group"].startswith("clean"), r
    letter = {
        "dev3_contacts": "x",
        "dev4_contacts": "y",
        "dev5_contacts": "z",
        "dev6_contacts": "w",
        "dev7_contacts": "v",
        "dev8_contacts": "u",
    }[name]
    write(f"{name}.jsonl", [{"id": f"{letter}{i:04d}", **r} for i, r in enumerate(texts.values())])


def main() -> None:
    for name in (f"dev{i}_contacts" for i in range(3, 9)):
        deal(name)


if __name__ == "__main__":
    main()

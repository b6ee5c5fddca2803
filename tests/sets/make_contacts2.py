"""Writes ``dev2_contacts_{tune,check,more}.jsonl`` from their YAML files. ``python -m tests.sets.make_contacts2``."""

# ruff: noqa: E501, SIM905, PLW0108, PLC0207  (one slot or list a line)
from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path

import yaml

from tests.sets.make_contacts import write

HERE = Path(__file__).parent
SEED, COPIES = 51, 3
FIRST = "mira tomas lea jonas ewa pavel nina marco sofie kenji olga diego hanna luc petra".split()
LAST = "keller novak silva moreau rossi berg jansen lund petrov costa weber marin haas".split()
PLAIN = "oldattic velvetfox sundaycloset threadbare mossy tinytailor lumiere cottonclub rosewood nightowl".split()
DOMAINS = "kleiderei threadnest vintagehof moderoom stoffladen lapenderie retrobox wearagain".split()
STREETS = "Mill Linden Rosen Baxter Victor Garten Orchard Marina Fischer Lavender Kossuth Verde".split()
DIGITS = {
    "en": "zero one two three four five six seven eight nine",
    "de": "null eins zwei drei vier fünf sechs sieben acht neun",
    "fr": "zéro un deux trois quatre cinq six sept huit neuf",
    "es": "cero uno dos tres cuatro cinco seis siete ocho nueve",
    "it": "zero uno due tre quattro cinque sei sette otto nove",
    "pt": "zero um dois três quatro cinco seis sete oito nove",
    "pl": "zero jeden dwa trzy cztery pięć sześć siedem osiem dziewięć",
    "nl": "nul een twee drie vier vijf zes zeven acht negen",
    "ru": "ноль один два три четыре пять шесть семь восемь девять",
    "sv": "noll ett två tre fyra fem sex sju åtta nio",
    "da": "nul en to tre fire fem seks syv otte ni",
    "fi": "nolla yksi kaksi kolme neljä viisi kuusi seitsemän kahdeksan yhdeksän",
    "tr": "sıfır bir iki üç dört beş altı yedi sekiz dokuz",
    "cs": "nula jedna dva tři čtyři pět šest sedm osm devět",
    "hu": "nulla egy kettő három négy öt hat hét nyolc kilenc",
    "ro": "zero unu doi trei patru cinci șase șapte opt nouă",
    "uk": "нуль один два три чотири п'ять шість сім вісім дев'ять",
    "sr": "nula jedan dva tri četiri pet šest sedam osam devet",
    "vi": "không một hai ba bốn năm sáu bảy tám chín",
    "id": "nol satu dua tiga empat lima enam tujuh delapan sembilan",
    "ko": "공 일 이 삼 사 오 육 칠 팔 구",
    "py": "ling yao er san si wu liu qi ba jiu",
}
PAIRS = {
    "de": "null zwölf fünfundvierzig einundsiebzig dreiunddreißig neunzehn achtundachtzig",
    "fr": "zéro-six douze trente-quatre quatre-vingt-dix-huit soixante-quinze vingt-deux",
    "es": "seis doce treinta-y-cuatro noventa cincuenta-y-dos setenta-y-ocho",
    "it": "tre ventuno quarantacinque sessantadue novanta trentatré",
}


def _national(rng: random.Random) -> str:
    return rng.choice(["07", "015", "06", "03", "09"]) + "".join(rng.choice("0123456789") for _ in range(8))


def _spaced(text: str) -> str:
    return " ".join(text)


def _handle(rng: random.Random) -> str:
    first, last, number = rng.choice(FIRST), rng.choice(LAST), rng.randint(2, 99)
    shapes = [f"{first}_{last}", f"{first}.{last}", f"{first}{number}", f"{first}_{number}", f"{last}{first[0]}{number}",
              f"_{first}{last}_", f"the.{first}", f"{first}x{last}{number}", f"{first[0]}{last}_{number}"]  # fmt: skip
    return rng.choice(shapes)


def _double(rng: random.Random) -> str:
    words = DIGITS["en"].split()
    return f"oh {rng.choice(['double', 'triple'])} {rng.choice(words)} " + " ".join(
        rng.choice([f"double {rng.choice(words)}", rng.choice(words)]) for _ in range(6)
    )


def _chunks(rng: random.Random, joint: str) -> str:
    number = _national(rng)
    return joint.join([number[:3], number[3:6], number[6:]])


def _leet(rng: random.Random, how: str) -> str:
    table = {"0": "Oo", "1": "lI"} if how == "basic" else {"0": "O", "1": "I", "5": "S", "8": "B", "2": "Z", "6": "G"}
    return "".join(rng.choice(table[c]) if c in table and rng.random() < 0.7 else c for c in "0" + _national(rng))


def _inside(rng: random.Random, joint: str) -> str:
    words = DIGITS["en"].split()
    return joint.join(words[int(c)] if i % 3 == 1 else c for i, c in enumerate(_national(rng)))


def _han(rng: random.Random, table: str, share: float = 1.0) -> str:
    return "".join(table[int(c)] if rng.random() < share else c for c in "13" + _national(rng)[:9])


def _ean(rng: random.Random) -> str:
    body = "40" + "".join(rng.choice("0123456789") for _ in range(10))
    return body + str(-sum(int(d) * (3 if i % 2 else 1) for i, d in enumerate(body)) % 10)


def _say(rng: random.Random, language: str, joint: str = " ", size: int | None = None) -> str:
    words, number = DIGITS[language].split(), _national(rng)
    return joint.join(words[int(c)] for c in (number[-size:] if size else number))


SLOTS: dict[str, Callable[[random.Random, str], str]] = {
    "d": lambda r, a: "".join(r.choice("0123456789") for _ in range(int(a) - 1)) + r.choice("123456789"),
    "n": lambda r, a: str(r.randint(*map(int, a.split("-")))),
    "h": lambda r, a: _handle(r),
    "hs": lambda r, a: _spaced(r.choice(FIRST) + "_" + str(r.randint(10, 99))),
    "w": lambda r, a: r.choice(PLAIN),
    "first": lambda r, a: r.choice(FIRST),
    "last": lambda r, a: r.choice(LAST),
    "First": lambda r, a: r.choice(FIRST).title(),
    "Last": lambda r, a: r.choice(LAST).title(),
    "dom": lambda r, a: r.choice(DOMAINS),
    "tld": lambda r, a: r.choice(["com", "de", "fr", "net", "eu", "co.uk", "nl"]),
    "ctld": lambda r, a: r.choice(["com", "de", "fr"]),
    "prov": lambda r, a: r.choice(["gmail", "outlook", "hotmail", "yahoo"]),
    "at": lambda r, a: r.choice(["{at}", "[@]", "(@)"]),
    "dot": lambda r, a: r.choice(["{dot}", "[dot]", "(.)"]),
    "street": lambda r, a: r.choice(STREETS).lower(),
    "Street": lambda r, a: r.choice(STREETS),
    "cc": lambda r, a: r.choice(["34", "39", "48", "351", "31", "46", "380", "90", "55", "43"]),
    "say": lambda r, a: _say(r, a),
    "sayn": lambda r, a: _say(r, a.split(":")[0], " ", int(a.split(":")[1])),
    "comma": lambda r, a: _say(r, a, ", "),
    "glue": lambda r, a: _say(r, a, ""),
    "pairs": lambda r, a: " ".join(r.sample(PAIRS[a].split(), 6)).replace("-y-", " y "),
    "niner": lambda r, a: "zero " + " ".join(r.choice("wun too tree fower fife niner seven".split()) for _ in range(9)),
    "han": lambda r, a: _han(r, "零一二三四五六七八九"),
    "hanyao": lambda r, a: _han(r, "零幺二三四五六七八九"),
    "formal": lambda r, a: _han(r, "零壹贰叁肆伍陆柒捌玖"),
    "formalmix": lambda r, a: _han(r, "零壹贰叁肆伍陆柒捌玖", 0.5),
    "script": lambda r, a: "".join(chr(int(a, 16) + int(c)) for c in _national(r)),
    "sub": lambda r, a: "".join(chr(0x2080 + int(c)) for c in _national(r)),
    "circled": lambda r, a: "".join("⓪①②③④⑤⑥⑦⑧⑨"[int(c)] for c in _national(r)),
    "keycap": lambda r, a: "".join(c + "\ufe0f\u20e3" for c in _national(r)),
    "keycapspaced": lambda r, a: " ".join(c + "\ufe0f\u20e3" for c in _national(r)),
    "sep": lambda r, a: a.join(_national(r)),
    "chunk": _chunks,
    "wrap": lambda r, a: "".join(a[0] + c + a[1] for c in _national(r)),
    "leet": _leet,
    "inside": lambda r, a: _inside(r, ""),
    "insidespaced": lambda r, a: _inside(r, " "),
    "double": lambda r, a: _double(r),
    "timesx": lambda r, a: "07 2x" + " 3x".join(r.choice("23456789") for _ in range(3)) + " " + _national(r)[-4:],
    "ean": lambda r, a: _ean(r),
    "sp": lambda r, a: _spaced(a),
    "wide": lambda r, a: "".join(chr(ord(c) + 0xFEE0) for c in a),
}  # fmt: skip
_SLOT = re.compile(r"\{(\w+)(?::([^{}]*))?\}")


def fill(line: str, rng: random.Random) -> str:
    """``line`` with its slots filled, the innermost first; the literal ``{at}`` and ``{dot}`` are kept."""
    while found := next((m for m in _SLOT.finditer(line) if m[1] not in ("at", "dot")), None):
        line = line[: found.start()] + SLOTS[found[1]](rng, found[2] or "") + line[found.end() :]
    return _SLOT.sub(lambda m: SLOTS[m[1]](rng, ""), line)


def row(group: str, line: str, rng: random.Random) -> dict[str, object]:
    """One string of a set; the marks give its contacts."""
    marked = fill(line, rng)
    kind = group.split("-")[0]
    contacts = [{"kind": kind, "text": text} for text in re.findall(r"\[\[(.*?)\]\](?!\])", marked, re.S)]
    return {"group": group, "text": re.sub(r"\[\[|\]\](?!\])", "", marked), "contacts": contacts}


def main() -> None:
    patterns = yaml.safe_load((HERE / "dev2_contacts.yaml").read_text(encoding="utf-8"))
    more = yaml.safe_load((HERE / "dev2_contacts_more.yaml").read_text(encoding="utf-8"))
    rng = random.Random(SEED)
    groups = list(patterns.items())
    sets = {"tune": groups[::2], "check": groups[1::2], "more": list(more.items())}
    for name, chosen in sets.items():
        copies = 1 if name == "more" else COPIES
        lines = [(group, line) for group, lines in chosen for line in lines for _ in range(copies)]
        texts = {r["text"]: r for r in (row(g, line, rng) for g, line in lines)}
        for r in texts.values():
            assert all(c["text"] in r["text"] for c in r["contacts"]), r
            assert bool(r["contacts"]) != r["group"].startswith("clean"), r
        write(f"dev2_contacts_{name}.jsonl", [{"id": f"{name[0]}{i:04d}", **r} for i, r in enumerate(texts.values())])


if __name__ == "__main__":
    main()

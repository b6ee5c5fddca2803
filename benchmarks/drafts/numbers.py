"""Phone numbers as people write them: how many are hidden, and how many numbers of other kinds are taken out.

``python -m benchmarks.drafts.numbers [FOLDER] [--set _2] [--missed]`` reads ``phone_numbers_2.jsonl`` (``text``,
``number`` in E.164, ``kind``) and ``numbers_that_stay_2.jsonl`` and prints totals and rates by kind; ``--set ""`` those
whose errors the rules were mended by, ``--missed`` the texts that went wrong. A number is hidden when something was
taken out and what is left holds no four digits of it in a row, forwards or backwards, nor four number words.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

from benchmarks.common import arguments
from finetune.data.files import read_lines
from listing.safety.contacts import MASK, WEIGHTS, scrub
from listing.safety.fold import fold
from listing.safety.tagger import Tagger

SETS = Path(__file__).parents[2] / "tests" / "listing" / "safety_sets"
FEW = 3  # digits in a row that tell nobody a number


def is_hidden(text: str, number: str, words: frozenset[str]) -> bool:
    """Whether nobody can read the number out of what is left of the text."""
    left = scrub(text)
    if left == text:
        return False
    plain = fold(left.replace(MASK, " ; ")).lower
    digits, run = re.sub(r"\D", "", plain), 0
    known = number.lstrip("+")
    pieces = {known[n : n + FEW + 1] for n in range(len(known) - FEW)}
    if any(piece in digits or piece[::-1] in digits for piece in pieces if piece.strip("0")):
        return False
    for word in re.findall(r"[^\W\d_]+|;", plain):
        run = run + 1 if word in words else 0
        if run > FEW:
            return False
    return True


def main() -> None:
    parser = arguments(__doc__, set="_2")
    parser.add_argument("folder", type=Path, nargs="?", default=SETS)
    parser.add_argument("--missed", action="store_true")
    args = parser.parse_args()
    words = Tagger(WEIGHTS).number_words
    names = ("phone_numbers", "numbers_that_stay")
    phones, others = (read_lines(args.folder / f"{name}{args.set}.jsonl") for name in names)
    missed = [row for row in phones if not is_hidden(row["text"], row["number"], words)]
    alarms = [row for row in others if scrub(row["text"]) != row["text"]]
    figures: dict[str, object] = {
        "numbers": len(phones),
        "hidden": 1 - len(missed) / len(phones),
        "others": len(others),
        "alarms": len(alarms),
    }
    for name, rows, wrong in (("missed", phones, missed), ("taken out", others, alarms)):
        of, all_of = (Counter(row["kind"] for row in part) for part in (wrong, rows))
        figures[name] = {kind: f"{count} of {all_of[kind]}" for kind, count in of.most_common()}
    print(json.dumps(figures, indent=1, ensure_ascii=False))
    if args.missed:
        print(*(f"{row['kind']}: {row['text']!r} -> {scrub(row['text'])!r}" for row in missed + alarms), sep="\n")


if __name__ == "__main__":
    main()

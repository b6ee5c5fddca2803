"""Precision and recall of the checks on a set file.

``python -m benchmarks.drafts.evidence_sets KIND FILE [--errors N]`` prints them. Formats and scoring rules stand in
``finetune/annotations/sets/README.md``.
"""

from __future__ import annotations

import json

from benchmarks.common import arguments
from tests.listing.scoring import KINDS, read_set


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("kind", choices=sorted(KINDS))
    parser.add_argument("file")
    parser.add_argument("--errors", type=int, default=0, help="how many wrong rows to print")
    args = parser.parse_args()
    report = KINDS[args.kind](read_set(args.file))
    errors = report.pop("errors")
    print(json.dumps({"file": args.file, **report, "wrong_rows": len(errors)}, ensure_ascii=False, indent=1))
    for line in errors[: args.errors]:
        print(line)


if __name__ == "__main__":
    main()

"""Write ``held2_contacts.jsonl`` from the marked lines of ``held2_contacts.txt``.

``== PATTERN LANGUAGE`` opens a group. A contact is marked ``<<k:text>>`` with k one of p, m, e, u, a.
``\\n`` is a new line, ``\\u200b`` a zero-width space. Stops at a mark that does not stand where it was meant.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

HERE = Path(__file__).parent
KINDS = {"p": "phone", "m": "messenger", "e": "email", "u": "url", "a": "address"}
MARK = re.compile(r"<<([pmeua]):(.+?)>>")


def rows() -> list[dict[str, object]]:
    """Rows in the order of the source."""
    out: list[dict[str, object]] = []
    seen: set[str] = set()
    group, count = "", 0
    for source in (HERE / "held2_contacts.txt").read_text(encoding="utf-8").splitlines():
        if source.startswith("== "):
            group, count = "_".join(source.split()[1:]), 0
            continue
        line = source.strip().replace("\\n", "\n").replace("\\u200b", "\u200b")
        text, at = "", 0
        contacts: list[dict[str, object]] = []
        for mark in MARK.finditer(line):
            text += line[at : mark.start()]
            start = len(text)
            text += mark[2]
            at = mark.end()
            assert text[start:] == mark[2], line
            contacts.append({"kind": KINDS[mark[1]], "text": mark[2], "start": start, "end": len(text)})
        text += line[at:]
        for c in contacts:
            assert text.index(str(c["text"])) == c["start"], line
        assert not re.search("<<|>>|^$", text), line
        assert text not in seen, line
        assert bool(contacts) != ("clean" in group), line
        seen.add(text)
        count += 1
        out.append({"id": f"held2-{group}-{count}", "group": group, "text": text, "contacts": contacts})
    return out


def main() -> None:
    lines = [json.dumps(row, ensure_ascii=False) for row in rows()]
    (HERE / "held2_contacts.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

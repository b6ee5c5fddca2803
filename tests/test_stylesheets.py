"""Rules of the seller's stylesheet survive Gradio, which writes each of them anew from what the browser has parsed."""

from __future__ import annotations

import re

from app.theme import stylesheet

RULE = re.compile(r"[{;}]?\s*([^{};]+)\{([^{}]*)\}")
LONGHANDS = {
    "background": ("clip", "color", "image", "origin", "position", "repeat", "size"),
    "border": ("bottom", "color", "left", "right", "style", "top", "width"),
    "font": ("family", "size", "style", "weight"),
}


def lost(css: str) -> list[str]:
    """Rules with a shorthand that holds var() beside one of its longhands: the browser gives such a shorthand as ''."""
    found = []
    for selector, body in RULE.findall(css):
        lines = dict(line.strip().split(":", 1) for line in body.split(";") if ":" in line)
        for short, longer in LONGHANDS.items():
            beside = [f"{short}-{name}" for name in longer if f"{short}-{name}" in lines]
            if "var(" in lines.get(short, "") and beside:
                found.append(f"{selector.strip()}: {short} beside {', '.join(beside)}")
    return found


def test_no_rule_is_lost() -> None:
    assert lost(".a { border: 1px solid var(--line); border-bottom: 0; }") == [".a: border beside border-bottom"]
    assert lost(stylesheet("seller")) == []

"""Contact data are taken out of a listing together with the words that only served them: no "Call me on" is left."""

from __future__ import annotations

import re

from listing.lexicon import words
from listing.safety.contacts import MASK, scrub

_REST = re.compile(r"[^.!?,;)\n]*")
_SUBORDINATE = re.compile(
    r"(?:^|(?<=[.!?\n,;(]))[ \t]*(?:if|when|for|wenn|falls|bei|für|si|pour|para)\b[^.!?\n,;]*,[ \t]*\Z", re.I
)
_SERVING, _BESIDE, _OPEN, _JOINTS = map(words, ("contact", "beside", "open", "joints"))
_AROUND = _SERVING | _BESIDE | _OPEN
_MASKED = re.compile(rf"\({re.escape(MASK)}\)|{re.escape(MASK)}")
_MORE = re.compile(r"[ \t]*,((?:[ \t]*[\w'’]+)+)[ \t]*(?=[.!?\n]|$)")  # a clause behind a comma
_MARKS = " \t,;:–—-/&"  # they join words to others
_NEAR = 200  # characters before contact data that may lead up to them
_SHORT_FORMS = frozenset(("tel", "mob", "nr", "no"))
_LAST_WORD, _FIRST_WORD = re.compile(r"\w+(?:['’]\w+)?(?=[^\w\n]*\Z)"), re.compile(r"[^\w\n]*(\w+(?:['’]\w+)?)")


def scrub_listing(text: str) -> str:
    """``text`` without contact data and what only served them; a clause that says more keeps the rest.

    "Very soft, text me on +49 170 1234567 for more photos." is "Very soft."
    """
    left = scrub(text)
    while (match := _MASKED.search(left)) is not None:
        near = max(0, match.start() - _NEAR)
        start, serves = _start(left[near : match.start()])
        left = _joined(left[: near + start], left[_end(left, match.end(), serves) :])
    return left


def _start(before: str) -> tuple[int, bool]:
    """Where the words begin that lead up to the contact, and whether they speak of it ("text me on")."""
    at, serves, start = len(before), False, len(before)
    while (word := _LAST_WORD.search(before[:at])) is not None and not _parted(word[0], before[word.end() : at]):
        if word[0].lower() not in _AROUND:
            break
        at = word.start()
        serves = serves or word[0].lower() in _SERVING
        if serves or word[0].lower() in _OPEN:
            start = at
    if serves and (clause := _SUBORDINATE.search(before[:start])) is not None:
        start = clause.start()
    return start, serves


def _parted(word: str, between: str) -> bool:
    """True if a clause ends behind a word; a stop behind a short form ends none ("Tel. 0170")."""
    stops = ".,;!?)" if word.lower() not in _SHORT_FORMS else ",;!?)"
    return bool(set(between) & set(stops))


def _end(text: str, at: int, serves: bool) -> int:
    """Where the words end that belong to the contact: "or on Telegram", "after 6 pm"."""
    last, end = "", at
    while (word := _FIRST_WORD.match(text, at)) is not None and not set(word[0]) & set(".!?,;)"):
        if text[at : word.start(1)].strip(" \t/") == "[" and (again := _MASKED.search(text, at)) is not None:
            at = end = again.end()
            continue
        if not serves or word[1].lower() not in _AROUND:
            break
        at, last = word.end(), word[1].lower()
        end = at if last in _SERVING | _OPEN else end
    at = at if re.match(r"[ \t]*(?:[.!?,;)\n]|$)", text[at:]) else end
    if last in _OPEN and at == end:
        rest = _REST.match(text, at)
        at = rest.end() if rest else at
    more = _MORE.match(text, at) if serves else None
    spoken = {word.lower() for word in re.findall(r"\w+", more[1])} if more else set()
    return more.end() if more and spoken <= _AROUND else at


def _joined(before: str, after: str) -> str:
    """Both sides as whole sentences, without marks and joints that joined the gap to them."""
    left, right = before.rstrip(f"{_MARKS}("), after.lstrip(f"{_MARKS})")
    parted = bool(set(before[len(left) :] + after[: len(after) - len(right)]) & set(",;–—"))
    first = not left or left[-1] in ".!?\n"
    if first:
        right = _as_opening(right, new_line=left[-1:] in ("", "\n"))
    elif not right or right[0] in ".!?\n":
        while (word := _LAST_WORD.search(left)) is not None and word[0].lower() in _JOINTS:
            left = left[: word.start()].rstrip(_MARKS)
    word = _FIRST_WORD.match(right)
    comma = "," if parted and not first and word and word[1].lower() not in _JOINTS else ""
    blank = "" if not left or not right or left[-1] == "\n" or right[0] in ".!?,;:\n" else f"{comma} "
    return f"{left}{blank}{right}".strip()


def _as_opening(text: str, *, new_line: bool) -> str:
    """The rest of a sentence as one of its own; ``new_line``: it begins a line already."""
    text = text.lstrip(".!? \t")
    if (word := _FIRST_WORD.match(text)) and word[1].lower() in _JOINTS:
        text = text[word.end() :].lstrip()
    text = text[1:] if new_line and text.startswith("\n") else text
    return text[:1].upper() + text[1:]

"""Writes ``dev_contacts.jsonl``: contact data with evasions and clean look-alikes. ``python -m tests.sets.make_contacts``."""

# ruff: noqa: E501  (one example a line)
from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

from tests.sets.contact_words import ADDRESSES, CLEAN_LINES, CLEAN_TEMPLATES, EMAIL_STYLES, HAND_LINES, HANDLES, URLS

SEED = 20260801
HERE = Path(__file__).parent
Row = dict[str, object]

CUES = [
    "Call me on {}", "call {} after 6pm", "text {} for more photos", "Tel: {}", "tel. {}", "phone {}", "My number is {}",
    "ring me {} anytime", "{}", "Cash only, {}", "Nice jacket, size M. {} if you want it", "contact: {}", "mob {}",
    "Blue jeans, W32. Reach me at {} please", "sms {} no calls", "Pick up only. {}", "interested? {}", "☎ {}", "📞{}",
    "Red dress, worn once ({})", "Ruf mich an: {}", "电话 {}", "手机号：{}", "quicker on {} than here", "{} - ask for Tom",
]  # fmt: skip
COUNTRIES = ["+44 7{3} {6}", "07{3} {6}", "+49 15{1} {8}", "015{1} {8}", "+33 6 {2} {2} {2} {2}", "06 {2} {2} {2} {2}",
             "+1 415 555 {4}", "(212) 555-{4}", "415-555-{4}", "+86 13{1} {4} {4}", "13{1}{8}", "18{1} {4} {4}", "+34 6{2} {3} {3}",
             "+39 33{1} {3} {4}", "+31 6 {8}", "06-{8}", "+48 5{2} {3} {3}", "+351 91{1} {3} {3}", "+61 4{2} {3} {3}", "+91 98{3} {5}",
             "+380 67 {3} {4}", "8 (916) {3}-{2}-{2}", "+7 916 {3} {2} {2}", "0044 7{3} {6}", "020 7946 {4}", "030 {4} {4}", "+81 90 {4} {4}",
             "+852 9{3} {4}", "+65 8{3} {4}", "+55 11 9{4} {4}", "+353 87 {3} {4}", "+41 79 {3} {2} {2}"]  # fmt: skip
ENGLISH = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
CHINESE = "零一二三四五六七八九"
FORMAL = "零壹贰叁肆伍陆柒捌玖"


def number(rng: random.Random) -> str:
    """A written phone number; ``{n}`` in the pattern stands for n random digits."""
    pattern, out, i = rng.choice(COUNTRIES), "", 0
    while i < len(pattern):
        if pattern[i] == "{":
            end = pattern.index("}", i)
            out += "".join(rng.choice("0123456789") for _ in range(int(pattern[i + 1 : end])))
            i = end + 1
        else:
            out += pattern[i]
            i += 1
    return out


def digits(written: str) -> str:
    return "".join(c for c in written if c.isdigit())


def doubled(rng: random.Random, plain: str) -> str:
    """'double seven' and 'triple 0' where a digit repeats."""
    words, i = [], 0
    while i < len(plain):
        run = 1
        while i + run < len(plain) and plain[i + run] == plain[i] and run < 3:
            run += 1
        name = rng.choice([ENGLISH[int(plain[i])], "oh" if plain[i] == "0" else ENGLISH[int(plain[i])]])
        words.append({1: "", 2: "double ", 3: "triple "}[run] + name)
        i += run
    return " ".join(words)


def mixed(rng: random.Random, plain: str) -> str:
    words = [rng.choice([d, d, ENGLISH[int(d)], "oh" if d == "0" else d]) for d in plain]
    return rng.choice([" ", " ", "-", ""]).join(words)


def noisy_join(rng: random.Random, plain: str) -> str:
    separators = [" ", ".", "-", "/", "_", "*", " - ", "..", "~", "|", "·", ",", " . "]
    return rng.choice(separators).join(plain)


def chunks(rng: random.Random, plain: str) -> str:
    cut, out = 0, []
    while cut < len(plain):
        size = rng.choice([2, 3, 4])
        out.append(plain[cut : cut + size])
        cut += size
    return rng.choice([" ", "-", ".", " / ", "  ", "–", " ... "]).join(out)


PHONE_STYLES: dict[str, Callable[[random.Random, str], str]] = {
    "plain": lambda r, w: w,
    "solid": lambda r, w: digits(w),
    "spaced": lambda r, w: noisy_join(r, digits(w)),
    "chunks": lambda r, w: chunks(r, digits(w)),
    "full-width": lambda r, w: "".join(chr(ord(c) + 0xFEE0) if c.isdigit() else c for c in w),
    "circled": lambda r, w: "".join("⓪①②③④⑤⑥⑦⑧⑨"[int(c)] for c in digits(w)),
    "keycap": lambda r, w: r.choice(["", " "]).join(c + "\ufe0f\u20e3" for c in digits(w)),
    "superscript": lambda r, w: "".join("⁰¹²³⁴⁵⁶⁷⁸⁹"[int(c)] for c in digits(w)),
    "math": lambda r, w: "".join(chr(0x1D7CE + int(c)) for c in digits(w)),
    "zero-width": lambda r, w: "\u200b".join(digits(w)),
    "homoglyph": lambda r, w: "".join(r.choice({"0": "oO0", "1": "lI1", "5": "S5"}.get(c, c)) for c in digits(w)),
    "english": lambda r, w: " ".join(ENGLISH[int(c)] for c in digits(w)),
    "english-joined": lambda r, w: r.choice(["-", ", ", "."]).join(ENGLISH[int(c)] for c in digits(w)),
    "english-double": lambda r, w: doubled(r, digits(w)),
    "mixed": lambda r, w: mixed(r, digits(w)),
    "chinese": lambda r, w: "".join(CHINESE[int(c)] for c in digits(w)),
    "chinese-formal": lambda r, w: "".join(FORMAL[int(c)] for c in digits(w)),
    "chinese-mixed": lambda r, w: "".join(r.choice([c, CHINESE[int(c)]]) for c in digits(w)),
}
MESSENGER_CUES = [
    "WeChat: {}", "wechat {}", "add my WeChat {}", "wx: {}", "wx {}", "vx：{}", "VX{}", "微信：{}", "微信号 {}", "薇信 {}", "加微信{}", "加V {}",
    "V信: {}", "威信 {}", "add me on Telegram {}", "telegram: {}", "tg: {}", "TG {}", "t.me/{}", "telegram @{}", "tg @{}", "@{} on telegram",
    "insta: {}", "my insta is {}", "IG: {}", "ig @{}", "find me on Instagram {}", "instagram @{}", "snap: {}", "add my snap {}", "snapchat {}",
    "Kik: {}", "kik me {}", "Line ID: {}", "LINE id {}", "signal: {}", "Discord: {}", "skype: {}", "my skype is {}", "DM @{}", "message @{} for price",
    "W e C h a t: {}", "we.chat {}", "we chat id {}", "tele-gram {}", "i n s t a: {}", "Wickr: {}", "viber {}", "facebook: {}", "fb messenger: {}",
    "KakaoTalk ID: {}", "tiktok @{}", "threema id: {}", "venmo @{}", "my telegram handle is {}", "add {} on snapchat", "hit me up on ig, {}",
]  # fmt: skip
NUMBERED_CUES = [
    "WhatsApp {}", "whatsapp: {}", "whats app {}", "WA: {}", "wa {}", "wapp {}", "watsapp me {}", "what's app {}", "w h a t s a p p {}", "QQ: {}",
    "QQ{}", "扣扣 {}", "qq号 {}", "Q Q {}", "signal {}", "viber {}", "wats app {}", "Whatsap {}", "telegram {}", "wa.me/{}", "W/A {}", "wh@tsapp {}",
]  # fmt: skip
FILLER = [
    "Nice warm coat. ",
    "Size 38, worn twice. ",
    "Blue shirt, 100% cotton. ",
    "",
    "",
    "Brand new with tag, 25 EUR. ",
    "很好看的外套。",
    "",
]


def clean_row(rng: random.Random) -> str:
    """One clean line with its slots filled: {n} one digit, {nn} two, ..., {ean} 13 digits, {year}, {price}."""
    line = rng.choice(CLEAN_TEMPLATES)
    while "{" in line:
        start = line.index("{")
        end = line.index("}", start)
        slot = line[start + 1 : end]
        if slot == "ean":
            body = "4" + "".join(rng.choice("0123456789") for _ in range(11))
            check = -sum(int(d) * (3 if i % 2 else 1) for i, d in enumerate(body)) % 10
            value = f"{body}{check}"
        elif slot == "year":
            value = str(rng.randint(1950, 2026))
        elif slot == "price":
            value = rng.choice([f"{rng.randint(1, 300)}", f"{rng.randint(1, 90)}.{rng.choice(['50', '99', '00'])}"])
        else:
            value = str(rng.randint(1, 9)) + "".join(rng.choice("0123456789") for _ in slot[1:])
        line = line[:start] + value + line[end + 1 :]
    return line


def rows() -> list[Row]:
    rng = random.Random(SEED)
    out: list[Row] = []

    def add(group: str, text: str, *contacts: tuple[str, str]) -> None:
        assert all(c in text for _, c in contacts), (text, contacts)
        out.append({"group": group, "text": text, "contacts": [{"kind": k, "text": c} for k, c in contacts]})

    for style, write in PHONE_STYLES.items():
        for _ in range(24):
            written = write(rng, number(rng)).strip()
            add(f"phone-{style}", rng.choice(CUES).format(written), ("phone", written))
    for cue in MESSENGER_CUES:
        for _ in range(3):
            handle = rng.choice(HANDLES)
            add("messenger", rng.choice(FILLER) + cue.format(handle), ("messenger", handle))
    for cue in NUMBERED_CUES:
        for _ in range(3):
            written = (
                digits(number(rng)) if "qq" not in cue.lower() and "扣" not in cue else str(rng.randint(10**7, 10**10))
            )
            add("messenger-number", rng.choice(FILLER) + cue.format(written), ("messenger", written))
    for style in EMAIL_STYLES:
        for _ in range(6):
            user, domain = (
                rng.choice(HANDLES).strip(".-"),
                rng.choice(["gmail", "outlook", "web", "mail", "yahoo", "proton"]),
            )
            tld = {"web": "de", "proton": "me"}.get(domain, "com")
            written = style.format(u=user, d=domain, t=tld)
            add(
                "email",
                rng.choice(FILLER)
                + rng.choice(["mail me: {}", "{}", "email {} please", "write to {}"]).format(written),
                ("email", written),
            )
    for url in URLS:
        for _ in range(2):
            add(
                "url",
                rng.choice(FILLER)
                + rng.choice(["see {}", "more at {}", "{}", "my shop: {}", "Visit {} for more"]).format(url),
                ("url", url),
            )
    for address in ADDRESSES:
        for cue in rng.sample(
            ["Pick up at {}", "collect from {}", "{}", "I live at {}", "Address: {}", "come to {} any evening"], 2
        ):
            add("address", rng.choice(FILLER) + cue.format(address), ("address", address))
    for text, *contacts in HAND_LINES:
        add("hand", text, *[(str(k), str(c)) for k, c in contacts])
    for line in CLEAN_LINES:
        add("clean-hand", line)
    seen = set(CLEAN_LINES)
    while len(seen) < len(CLEAN_LINES) + 420:
        line = clean_row(rng)
        if line not in seen:
            seen.add(line)
            add("clean", line)
    return [{"id": f"c{i:04}", **row} for i, row in enumerate(out)]


def write(name: str, found: list[Row]) -> None:
    """One JSON object a line."""
    (HERE / name).write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in found), encoding="utf-8")


if __name__ == "__main__":
    write("dev_contacts.jsonl", rows())

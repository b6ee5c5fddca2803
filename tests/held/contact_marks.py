# ruff: noqa: E501 - lines of data read better whole
"""Contact data as sellers write and hide them. ``PATTERNS``: group -> a maker of one marked string.

Numbers come from ranges kept for fiction where a country has one (UK, US, Germany, France, Australia, Sweden), else from
chance.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

Maker = Callable[[Random], str]

EN = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
DE = ["null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun"]
FR = ["zéro", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf"]
ES = ["cero", "uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve"]
IT = ["zero", "uno", "due", "tre", "quattro", "cinque", "sei", "sette", "otto", "nove"]
NL = ["nul", "een", "twee", "drie", "vier", "vijf", "zes", "zeven", "acht", "negen"]
PL = ["zero", "jeden", "dwa", "trzy", "cztery", "pięć", "sześć", "siedem", "osiem", "dziewięć"]
PT = ["zero", "um", "dois", "três", "quatro", "cinco", "seis", "sete", "oito", "nove"]
SV = ["noll", "ett", "två", "tre", "fyra", "fem", "sex", "sju", "åtta", "nio"]
NAMES = [
    "mia.kern",
    "jo_hartley",
    "ben.okafor",
    "lena_vogt",
    "tomek.zielak",
    "chiara_bo",
    "ruth.m",
    "sofie_dk",
    "kasia_w",
]
NICKS = ["velvetfox", "oldgoldattic", "tinythreads", "nordloft", "miakern", "lunaresale", "retrobjorn", "kleiderjule"]
HOSTS = ["gmail", "outlook", "proton", "gmx", "yahoo", "web"]
TLD = {"gmail": "com", "outlook": "com", "proton": "me", "gmx": "de", "yahoo": "fr", "web": "de"}


def _digits(r: Random, count: int) -> str:
    return "".join(str(r.randrange(10)) for _ in range(count))


def uk(r: Random) -> str:
    return "07700900" + _digits(r, 3)


def us(r: Random) -> str:
    return r.choice(["212", "415", "312", "617"]) + "55501" + _digits(r, 2)


def de(r: Random) -> str:
    return r.choice(["017139200", "017604069", "015228817"]) + _digits(r, 3)


def fr(r: Random) -> str:
    return "063998" + _digits(r, 4)


def au(r: Random) -> str:
    return "0491570" + _digits(r, 3)


def se(r: Random) -> str:
    return "070174" + r.choice(["06", "07", "08"]) + _digits(r, 2)


def cn(r: Random) -> str:
    return r.choice(["138", "139", "159", "186", "177"]) + "0013" + _digits(r, 4)


def any_phone(r: Random) -> str:
    return r.choice([uk, de, fr, au])(r)


def cut(text: str, *sizes: int, by: str = " ") -> str:
    """``text`` in pieces of the given sizes, the rest as the last piece."""
    parts, at = [], 0
    for size in sizes:
        parts.append(text[at : at + size])
        at += size
    return by.join([*parts, text[at:]] if at < len(text) else parts)


def pairs(text: str, by: str) -> str:
    return by.join(text[i : i + 2] for i in range(0, len(text), 2))


def spelled(text: str, words: list[str], by: str = " ") -> str:
    return by.join(words[int(c)] for c in text)


def shifted(text: str, zero: str) -> str:
    """Digits of another script, by the code point of its zero."""
    return "".join(chr(ord(zero) + int(c)) for c in text)


def mapped(text: str, table: str) -> str:
    return "".join(table[int(c)] for c in text)


def half_words(r: Random, text: str, words: list[str]) -> str:
    return " ".join(words[int(c)] if r.random() < 0.5 else c for c in text)


def lookalike(text: str) -> str:
    return text.translate(str.maketrans("01", "OI"))


def email(r: Random, at: str = "@", dot: str = ".") -> str:
    host = r.choice(HOSTS)
    name = r.choice(NAMES) + r.choice(["", str(r.randrange(70, 99))])
    return f"{name}{at}{host}{dot}{TLD[host]}"


def nick(r: Random) -> str:
    return r.choice(NICKS) + r.choice(["", "_", "."]) + str(r.randrange(10, 99))


def _p(fmt: str, number: Callable[[Random], str]) -> Maker:
    return lambda r: fmt.replace("#", number(r))


def _one(choices: list[str], number: Callable[[Random], str]) -> Maker:
    return lambda r: r.choice(choices).replace("#", number(r))


PHONES: dict[str, Maker] = {
    "phone-plain": _one(
        ["Quickest is a text: [[phone|#]].", "Ring [[phone|#]] after six.", "Mobile [[phone|#]], ask for Jo"], uk
    ),
    "phone-intl": lambda r: (
        r.choice(["Tel. ", "Reach me: ", "Anruf an "])
        + "[[phone|"
        + r.choice(
            [
                cut("+44" + uk(r)[1:], 3, 4, 3),
                "0044 " + uk(r)[1:],
                "+49 (0)" + cut(de(r)[1:], 3, 4),
                "+33 " + cut(fr(r)[1:], 1, 2, 2, 2),
            ]
        )
        + "]]"
    ),
    "phone-us": lambda r: f"Text only [[phone|({(n := us(r))[:3]}) {n[3:6]}-{n[6:]}]], no voicemail please",
    "phone-middots": lambda r: f"Noch Fragen? [[phone|{cut(de(r), 4, 3, 2, by='·')}]]",
    "phone-stars": lambda r: f"my no is [[phone|{'*'.join(uk(r))}]] (remove the stars)",
    "phone-emoji-between": lambda r: f"Write here [[phone|{r.choice('🌸🧵✨🐝').join(uk(r))}]]",
    "phone-brackets": lambda r: "Call [[phone|" + "".join(f"({c})" for c in any_phone(r)) + "]] for pick up",
    "phone-lines": lambda r: "Numéro :\n[[phone|" + pairs(fr(r), "\n") + "]]\nmerci",
    "phone-pipes": lambda r: f"contact // [[phone|{pairs(fr(r), r.choice([' | ', ' / ', ' _ ']))}]]",
    "phone-keycaps": lambda r: "DM or [[phone|" + "".join(c + "\ufe0f\u20e3" for c in uk(r)) + "]]",
    "phone-fullwidth": lambda r: f"可以打电话[[phone|{shifted(cn(r), '０')}]]",
    "phone-circled": lambda r: f"电联 [[phone|{mapped(cn(r), '⓪①②③④⑤⑥⑦⑧⑨')}]]",
    "phone-bold-digits": lambda r: f"Text me on [[phone|{shifted(uk(r), '𝟎')}]] x",
    "phone-arabic-digits": lambda r: f"واتساب [[phone|{shifted(uk(r), '٠')}]]",
    "phone-hanzi": lambda r: (
        f"手机号 [[phone|{mapped(cn(r), r.choice(['零一二三四五六七八九', '〇壹贰叁肆伍陆柒捌玖', '零幺二三四五六七八九']))}]] 随时联系"
    ),
    "phone-zero-width": lambda r: (
        "SMS: [[phone|" + r.choice(["\u200b", "\u200d", "\u2060"]).join(any_phone(r)) + "]] danke"
    ),
    "phone-letter-o": lambda r: f"call or txt [[phone|{lookalike(cut(uk(r), 5, 3))}]]",
    "phone-words-en": lambda r: (
        f"You can get hold of me on [[phone|{spelled(uk(r), EN, r.choice([' ', '-', ', ']))}]]."
    ),
    "phone-oh-double": lambda r: (
        f"ring [[phone|oh double seven double oh nine double oh {spelled(_digits(r, 3), EN)}]]"
    ),
    "phone-words-de": lambda r: f"Ruft mich an: [[phone|{spelled(de(r), DE)}]]",
    "phone-words-fr": lambda r: f"appelez le [[phone|{spelled(fr(r), FR)}]] le soir",
    "phone-words-es": lambda r: f"Mi móvil: [[phone|{spelled('600' + _digits(r, 6), ES, r.choice([' ', '.']))}]]",
    "phone-words-it": lambda r: f"Chiamatemi al [[phone|{spelled('333' + _digits(r, 7), IT)}]]",
    "phone-words-nl": lambda r: f"Bel gerust [[phone|{spelled('06' + _digits(r, 8), NL)}]]",
    "phone-words-pl": lambda r: f"tel. [[phone|{spelled('50' + _digits(r, 7), PL)}]]",
    "phone-words-pt": lambda r: f"liga para [[phone|{spelled('91' + _digits(r, 7), PT)}]]",
    "phone-words-sv": lambda r: f"ring mig på [[phone|{spelled(se(r), SV)}]]",
    "phone-half-words": lambda r: f"number is [[phone|{half_words(r, uk(r), EN)}]]",
    "phone-half-words-de": lambda r: f"meine Nummer [[phone|{half_words(r, de(r), DE)}]]",
    "phone-fake-size": lambda r: (
        f'My "style code" is [[phone|{cut(uk(r), 5, 3, by=r.choice(["/", "–", "."]))}]], text it ;)'
    ),
    "phone-fake-price": lambda r: (
        f"Not really priced at [[phone|{cut(de(r), 4, 4, by=',')}]] but you know how to reach me, call!"
    ),
    "phone-se": lambda r: f"Mobilnr [[phone|{cut(se(r), 3, 3, 2, by=r.choice(['-', ' ']))}]], skicka sms",
    "phone-au": lambda r: f"Pick up Geelong, mob [[phone|{cut(au(r), 4, 3)}]]",
    "phone-two": lambda r: f"Days [[phone|{cut(uk(r), 5)}]], evenings [[phone|{cut(fr(r), 2, 2, 2, 2, by='.')}]]",
    "phone-no-cue": lambda r: f"Smoke free home, washed once. [[phone|{cut(uk(r), 5, 3)}]]",
    "phone-spaced-out": lambda r: f"Anfragen gern unter [[phone|{'  '.join(de(r))}]]",
    "phone-cyrillic": lambda r: (
        f"Звоните [[phone|8 9{_digits(r, 2)} {_digits(r, 3)}-{_digits(r, 2)}-{_digits(r, 2)}]], Анна"
    ),
}

MESSENGERS: dict[str, Maker] = {
    "wa-number": lambda r: (
        f"{r.choice(['WA', 'w.app', 'Whatsap', 'wapp', 'whats app', 'WhatsAp', 'wasap', 'Zap'])}: [[phone|{cut(uk(r), 5)}]]"
    ),
    "wa-link": lambda r: (
        f"[[url|{r.choice(['wa.me/44', 'https://wa.me/44', 'api.whatsapp.com/send?phone=44'])}{uk(r)[1:]}]] quickest"
    ),
    "wa-link-spoken": lambda r: f"type [[url|wa dot me slash 44{uk(r)[1:]}]] into your browser",
    "tg-handle": lambda r: (
        f"{r.choice(['tg', 'TG:', 'Telegramm', 'tele gram', 'Telega', 't3legram'])} [[messenger|@{nick(r).replace('.', '_')}]]"
    ),
    "tg-link": lambda r: f"more pics at [[url|t.me/{nick(r).replace('.', '_')}]]",
    "tg-cyrillic": lambda r: (
        f"пишите в {r.choice(['телегу', 'телеграм', 'тг'])} [[messenger|@{nick(r).replace('.', '_')}]]"
    ),
    "wechat": lambda r: (
        r.choice(["加V：", "薇信 ", "➕vx ", "威❤ ", "微❤信 ", "卫星号 ", "wx号:", "绿泡泡 ", "V❤ "])
        + f"[[messenger|{nick(r).replace('.', '_')}]]"
        + r.choice([" 聊", "，备注衣服", ""])
    ),
    "wechat-en": lambda r: (
        f"{r.choice(['wechat id', 'we chat:', 'WeCh@t', 'Weixin'])} [[messenger|{nick(r).replace('.', '_')}]]"
    ),
    "qq": lambda r: (
        f"{r.choice(['扣扣', '企鹅号', 'Q Q：', '加球球 ', '秋秋', 'QQ群'])}[[messenger|{r.randrange(1, 9)}{_digits(r, r.choice([8, 9]))}]]"
    ),
    "qq-spaced": lambda r: f"私聊 扣 [[messenger|{' '.join(str(r.randrange(1, 9)) + _digits(r, 8))}]]",
    "insta": lambda r: (
        f"{r.choice(['IG', 'insta:', 'Inst@', '1nstagram', 'find me on the gram'])} [[messenger|@{nick(r)}]]"
    ),
    "snap": lambda r: (
        f"{r.choice(['snap:', 'sc:', 'add my snapchat', '👻'])} [[messenger|{nick(r).replace('.', '_')}]]"
    ),
    "signal": lambda r: f"I am on Signal as [[messenger|{r.choice(NICKS)}.{r.randrange(10, 99)}]]",
    "line": lambda r: (
        f"{r.choice(['LINE ID:', 'ライン', 'line id →', '加賴'])} [[messenger|{nick(r).replace('.', '_')}]]"
    ),
    "kakao": lambda r: (
        f"{r.choice(['카톡 아이디', 'kakao id:', 'KakaoTalk:'])} [[messenger|{nick(r).replace('.', '_')}]]"
    ),
    "discord": lambda r: f"discord [[messenger|{r.choice(NICKS)}#{r.randrange(1000, 9999)}]]",
    "viber": lambda r: f"Viber / Zalo [[phone|+84 90 {_digits(r, 3)} {_digits(r, 4)}]]",
    "facebook": lambda r: (
        f"{r.choice(['FB messenger', 'Messenger:', 'facebook →'])} [[url|{r.choice(['fb.me/', 'm.me/', 'facebook.com/'])}{r.choice(NICKS)}{r.randrange(10, 99)}]]"
    ),
}

LINKS: dict[str, Maker] = {
    "email-plain": lambda r: f"Mail to [[email|{email(r)}]] for more photos",
    "email-brackets": lambda r: (
        f"E-Mail: [[email|{email(r, *r.choice([('(at)', '.'), ('[at]', '[dot]'), (' {at} ', ' {dot} '), ('<at>', '<punkt>'), ('(ät)', '.')]))}]]"
    ),
    "email-words": lambda r: (
        f"write me: [[email|{email(r, *r.choice([(' at ', ' dot '), (' AT ', ' DOT '), ('-at-', '-dot-')]))}]]"
    ),
    "email-es": lambda r: f"correo [[email|{email(r, ' arroba ', ' punto ')}]]",
    "email-de": lambda r: f"schreibt an [[email|{email(r, ' klammeraffe ', ' punkt ')}]]",
    "email-it": lambda r: f"scrivetemi a [[email|{email(r, ' chiocciola ', ' punto ')}]]",
    "email-fr": lambda r: f"mon mail [[email|{email(r, ' arobase ', ' point ')}]]",
    "email-pl": lambda r: f"pisz na [[email|{email(r, ' małpa ', ' kropka ')}]]",
    "email-ru": lambda r: f"почта [[email|{email(r, ' собака ', ' точка ')}]]",
    "email-zh": lambda r: f"邮箱 [[email|{_digits(r, 9)}艾特qq点com]]",
    "email-fullwidth": lambda r: f"联系 [[email|{email(r, '＠', '．')}]]",
    "email-spaced": lambda r: f"[[email|{' '.join(email(r))}]] is where I answer",
    "email-comma": lambda r: f"my address: [[email|{email(r, '@', ',')}]] (comma = point)",
    "url-plain": lambda r: (
        f"Same piece cheaper at [[url|{r.choice(['https://', 'http://', 'www.', ''])}{r.choice(NICKS)}{r.choice(['-shop', '', '-vintage'])}.{r.choice(['com', 'de', 'co.uk', 'shop', 'store', 'fr'])}]]"
    ),
    "url-path": lambda r: (
        f"See [[url|{r.choice(['linktr.ee/', 'bit.ly/', 'tinyurl.com/', 'etsy.com/shop/', 'depop.com/'])}{r.choice(NICKS)}{r.randrange(10, 99)}]] for the rest"
    ),
    "url-hxxp": lambda r: (
        f"[[url|hxxps://{r.choice(NICKS)}[.]{r.choice(['com', 'eu', 'store'])}/{r.choice(['coats', 'sale', 'new'])}]]"
    ),
    "url-spaced": lambda r: f"look at [[url|www . {r.choice(NICKS)} . {r.choice(['com', 'de', 'nl'])}]] too",
    "url-dot": lambda r: (
        f"my own shop is [[url|{r.choice(NICKS)}{r.choice([' dot ', ' (dot) ', ' punkt ', '[dot]'])}{r.choice(['com', 'de', 'net'])}]]"
    ),
}

STREETS: dict[str, list[str]] = {
    "address-de": ["Lindenstraße", "Am Mühlbach", "Goethestr.", "Bahnhofstrasse", "Kirchweg", "Rosenallee"],
    "address-en": ["Mill Lane", "Station Road", "Elm Street", "Harcourt Avenue", "Quarry Close", "Maple Drive"],
    "address-fr": ["rue des Lilas", "avenue Jean Moulin", "boulevard Carnot", "impasse du Four", "place du Marché"],
    "address-es": ["Calle Mayor", "Avenida de la Luz", "C/ Olivo", "Plaza del Pozo"],
    "address-it": ["Via Garibaldi", "Viale dei Pini", "Corso Roma", "Piazza Dante"],
    "address-nl": ["Kerkstraat", "Dorpsweg", "Beatrixlaan", "Nieuwe Gracht"],
    "address-pl": ["ul. Lipowa", "ul. Polna", "al. Różana", "os. Słoneczne"],
    "address-zh": ["中山路", "人民南路", "梧桐街", "解放大道"],
}


def _address(group: str) -> Maker:
    def make(r: Random) -> str:
        street, no = r.choice(STREETS[group]), r.randrange(2, 99)
        after = r.choice(["", "a", "b"])
        return {
            "address-de": f"Abholung in der [[address|{street} {no}{after}]], bitte klingeln",
            "address-en": f"Collect from [[address|{no} {street}]], side door",
            "address-fr": f"À retirer au [[address|{no} {street}]]",
            "address-es": f"Se recoge en [[address|{street} {no}]], segundo piso",
            "address-it": f"Ritiro in [[address|{street} {no}]] dopo le 18",
            "address-nl": f"Ophalen: [[address|{street} {no}{after}]]",
            "address-pl": f"Odbiór [[address|{street} {no}]], domofon",
            "address-zh": f"自提：[[address|{street}{no}号]]",
        }[group]

    return make


PATTERNS: dict[str, Maker] = {**PHONES, **MESSENGERS, **LINKS, **{g: _address(g) for g in STREETS}}

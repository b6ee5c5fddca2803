"""E-mail addresses and links, written plainly or around the rules ('name at domain dot com', 'hxxp', 'shop[.]com')."""

# ruff: noqa: E501  (a pattern is read in one piece)
from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from listing.lexicon import load_lexicon
from listing.safety.contacts_handles import spaced, word_list
from listing.safety.fold import ContactSpan, Folded, bounded
from listing.words import words

_PROVIDERS = r"(?:g\W?mail|googlemail|outlook|hotmail|yahoo|icloud|proton(?:mail)?|gmx|aol|yandex|live|msn|tutanota|posteo|web\W?de|163|126)"
_SURE = (
    r"(?:co|com|org|net)\.(?:uk|br|au|nz|za|jp|tr|pl|ua|cn|kr|in|mx|ar|sg|hk|tw|es|il)|com|net|org|de|fr|uk|nl|pl|es|pt|ru|ua|cn|eu|ch|cz|se|dk|fi|gr|ro|hu|ie|au|nz|ca|br|mx|jp|kr|tr|io|gg|ly|ee|gl|biz|info|xyz|ai|tv|cc|"
    r"tk|ml|cat|edu|gov|lt|lv|sk|si|hr|bg|lu|li|hk|tw|sg|vn|ph|id|za|il|ar|cl|moe|fm|vc|pw|ws"
)
_WORDY = r"shop|store|online|site|app|dev|club|top|live|fashion|style|shoes|clothing|boutique|fun|world|today|blog|link|page|market|sale|deals|bid|art|life|one|space"
_SHORT = r"in|it|to|me|at|no|is|so|be|am|us|my|by|co|pm|as|do"
_DOT = r"(?:\s?[.,·。•・]\s?|\s?[\[({<]\s?(?:\.|dot|d0t|punkt|point|punto)\s?[\])}>]\s?|[\s_-]+(?:dot|d0t|punkt|punto|kropka)[\s_-]+|\*dot\*)"
_DOT_TIGHT = (
    r"(?:[.·•・。]|\s?[\[({<]\s?(?:\.|dot|d0t|punkt|point)\s?[\])}>]\s?|[\s_-]+(?:dot|d0t)[\s_-]+|\s\.\s?(?=[a-z]))"
)
_AT = r"(?:\s?@\s?|\s?[\[({<*]\s?(?:at|@|a|ät|arroba|klammeraffe|aet)\s?[\])}>*]\s?|[\s_-]+(?:at|arroba|klammeraffe|aet|chez|malpa)(?:[\s_-]+|(?=[a-z])))"
_AT_SIGN = r"(?:\s?@{1,3}\s?|\s?[\[({<*]\s?(?:at|@|a|ät|arroba|klammeraffe|aet)\s?[\])}>*]\s?)"
_AT_WORD = r"[\s_-]+(?:at|arroba|klammeraffe|aet|chez|malpa|bei)(?:[\s_-]+|(?=[a-z]))"
_DOT_WORD = r"(?:\s?[\[({<*]\s?(?:\.|dot|d0t|punkt|point|punto)\s?[\])}>*]\s?|[\s_-]+(?:dot|d0t|punkt|punto|point|kropka)[\s_-]+)"
_USER = r"(?<![\w.])[a-z0-9][\w.+-]{0,40}"

_EMAILS = tuple(
    bounded(p)
    for p in (
        rf"{_USER}{_AT_SIGN}[a-z0-9][\w-]*(?:{_DOT}[\w-]+){{0,2}}?{_DOT}(?:{_SURE}|{_WORDY}|{_SHORT})\b",
        rf"{_USER}{_AT_WORD}[a-z0-9][\w-]*(?:{_DOT_WORD}[\w-]+){{0,2}}?{_DOT_WORD}(?:{_SURE}|{_WORDY}|{_SHORT})\b",
        rf"{_USER}{_AT_WORD}[a-z0-9][\w-]*\.(?:{_SURE})\b",
        rf"{_USER}{_AT}{_PROVIDERS}\b(?:\W{{1,3}}com\b)?",
        rf"{_USER}\s+{_PROVIDERS}\s+(?:dot\s+)?(?:com|de|net|fr|co)\b",
        rf"{_USER}\s?[(\[]\s?(?:@\s?)?{_PROVIDERS}\s?[)\]]",
        r"(?<!\w)(?:[\w.+-] ){2,48}@ ?(?:\w ){2,48}(?:\. ?(?:\w ?){2,3})+(?!\w)",
        rf"{_USER}@[a-z][\w-]+",
        r"(?<![\w.])(?!(?:my|your|the|a|e?mail|via|by|is|on|from|and|or)\b)[a-z][\w.]{3,40}\s(?:gmail|googlemail|hotmail|gmx|icloud)(?=\s*(?:$|[.,;!)\n]))",
        rf"\b{_PROVIDERS}\s?[:=]\s?(?=\w*[\d._])[\w.]{{4,}}",
        rf"\be?-?mail(?:\sis|:)\s[\w.]{{3,}}\W+(?:it'?s |on |at |with )?{_PROVIDERS}\b",
        rf"(?<![\w.])[a-z][\w.]{{3,}}\W{{1,3}}(?:it'?s|that'?s|is)\s(?:an?\s|my\s|on\s|at\s)?{_PROVIDERS}\b(?!\w)",
        rf"\b(?:{_PROVIDERS})(?:\s(?:is|ist|es|est|e|to)|\s?[:=-])?\s(?=[\w.]*[\d._]\w)[a-z][\w.]{{3,}}\w",
        rf"{_USER}\W{{1,2}}(?:and then|then|and|plus|followed by|bei|chez|on|with)\s(?:an?\s)?{_PROVIDERS}\W?(?:com|de|fr|net)\b",
        rf"(?<![\w.@])[a-z0-9]\w*(?:\s?[.+]\s?\w+){{0,3}}\s?@\s?[a-z0-9][\w-]*\s?\.\s?(?:{_SURE})\b",
        rf"(?<!\w)[a-z0-9][\w.]+at{_PROVIDERS}dot(?:com|de|net|fr|co)\b",
    )
)
_PATH = r"(?:\s?/[^\s,;)]*)?"
_URLS = tuple(
    bounded(p)
    for p in (
        r"h(?:tt|xx|\*\*)ps?\s?(?::|\[:\])\s?/(?:\s?/)?\s?[^\s,;)]+(?:\s?[.]\s?(?:com|net|org|de)\b[^\s]*)?",
        rf"\bw\s?w\s?w\d?{_DOT}[a-z0-9][\w-]*(?:{_DOT}[\w-]+){{0,3}}?{_DOT}(?:{_SURE}|{_WORDY}|{_SHORT})\b{_PATH}",
        rf"\bwww[a-z0-9][\w-]+\.(?:{_SURE}|{_WORDY}|{_SHORT})\b{_PATH}",
        r"\bwww\d?\s?\.\s?[\w-]{3,}",
        r"\bh t t p(?: s)? : / /(?: ?[\w./-]){3,40}",
        r"\b(?:t|wa|m|fb|ig)\s?[\[(]?\s?\.\s?[\])]?\s?me\s?/\s?[\w/+-]+",
        r"(?<![\w.])[a-z][\w-]{2,}\s(?:com|net|org|de|ly)/[\w/-]+",
        rf"\bwww\W+[\w-]{{3,}}\W+(?:{_SURE})\b",
        r"(?<!\w)(?:bitly|tinyurl|linktree|wame|tme|instagram|facebook|insta|paypal|tiktok)\s?/\s?@?(?=[\w.]*[\d._])[\w./-]{3,}",
        r"(?<![\w.])[a-z][\w-]{3,},(?:com|net|org)\b(?!\w)",
        r"(?<![\w.])[a-z0-9][\w-]{2,}\s(?:point|punto|period|punkt)\s(?:com|net|org)\b|(?<![\w.])[a-z0-9][\w-]{2,}\spunkt\s(?:de|at|ch)\b",
    )
)
_BARE = bounded(
    rf"(?<![\w@.$€£-])(?P<labels>(?:[a-z0-9][\w-]*{_DOT_TIGHT}){{0,3}}(?P<label>[a-z0-9][\w-]+){_DOT_TIGHT})(?P<tld>co\.uk|co\s+dot\s+uk|com\.\w\w|{_SURE}|{_WORDY}|{_SHORT})"
    rf"(?![\w'@-])(?P<path>/[^\s,;)]+|\s?/\s?(?=\S*[\d_-])[^\s,;)]+)?"
)


@cache
def _spoken() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Addresses whose signs are words of any language: 'lea chiocciola libero punto it'."""
    dots, ats, joints = ("|".join(sorted(spaced(name), key=len, reverse=True)) for name in ("dot", "at", "joint"))
    sites = "|".join(word_list("site_cues"))
    name = rf"(?<![\w.@])[a-z0-9][\w.+-]*(?:[\s(\[-]+(?:{dots}|{joints}|point)[\s)\]-]+[\w.+-]+){{0,3}}"
    dot = rf"(?:\s?[.,·。•]\s?|[\s(\[{{-]+(?:{dots}|point)[\s)\]}}-]+)"
    tld = rf"(?:{_SURE})\b"
    any_tld = rf"(?:{_SURE}|{_WORDY}|{_SHORT}|[a-z]{{2,10}})\b"
    sign = r"\s?[\[({<*]\s?(?:at|@|a|ät|arroba|klammeraffe|aet)\s?[\])}>*]\s?"
    stop = r"\s?[\[({<*]\s?(?:\.|dot|d0t|punkt|point|punto)\s?[\])}>*]\s?"
    gap = r"[\s\"'|/\\=*_~()\[\]{}<>,.-]{1,4}"
    at_words = rf"(?:at|at-sign|ät|aet|bei|chez|在|snabel\sa|a\scong|a\scommercial|{ats})"
    dot_words = rf"(?:dot|d0t|d\so\st|full\sstop|period|point|{dots})"
    parts = rf"(?<![\w.@])[a-z0-9][\w+-]*(?:(?:\.|\s[.,]\s|,|\s(?:{joints}|{dots}|point)\s)[\w+-]+){{0,3}}"
    return (
        # Words for both signs, with whatever marks stand around them: 'lea |at| gmail |dot| com'.
        (
            "email",
            bounded(rf"{parts}{gap}{at_words}{gap}[a-z0-9\u0430-\u044f][\w-]*{gap}{dot_words}{gap}(?:{_SURE}|ру|рф)\b"),
        ),
        ("email", bounded(rf"{parts}{gap}(?:{ats}|bei|chez){gap}[a-z0-9][\w-]*\s?\.\s?(?:{_SURE})\b")),
        ("email", bounded(rf"{parts}\sat\s[a-z0-9][\w-]*\s?\.\s?(?:{_SURE})\b")),
        (
            "email",
            bounded(
                rf"(?<![\w.@])[a-z0-9]\w*\s?,\s?[a-z]\w*\s?@\s?[a-z0-9][\w-]*\s?[.,]\s?(?:{_SURE})\b|mailto:[^\s@]{{1,64}}@[^\s@]{{1,64}}\.\w+"
            ),
        ),
        ("email", bounded(r"(?<!\w)(?:[a-z0-9] ){2,48}at (?:[a-z] ){2,48}dot (?:[a-z] ?){2,3}(?!\w)")),
        (
            "email",
            bounded(rf"(?<=mail )(?:address )?(?:is )?[a-z]\w*[._]\w+ (?:with|on|at|bei|chez) {_PROVIDERS}\b"),
        ),
        (
            "url",
            bounded(rf"(?<![\w.@-])[a-z0-9][\w-]{{3,}}\sd o t\s(?:{_SURE})\b|(?<![\w.@-])[a-z0-9][\w-]{{3,}}\.c0m\b"),
        ),
        ("url", bounded(r"(?<!\w)https?\s?//\s?[a-z0-9][\w.-]+\.\w{2,}(?:/\S*)?")),
        (
            "url",
            bounded(
                r"(?<!\w)(?:tinyurl|bit|cutt|goo|linktr|is|t|wa)\s?[\[(]?\s?(?:\.|dot)\s?[\])]?\s?(?:com|ly|gl|ee|gd|me)\s?/\s?[\w-]+"
            ),
        ),
        ("url", bounded(r"(?<![\w.@])[a-z0-9][\w-]*\.(?:com|me|gg|fr|de|net)\sslash\s[\w.-]+")),
        (
            "url",
            bounded(
                r"(?<!\w)(?:web)?site(?:'s|\sis|:|\s=)?\s(?:at\s)?(?P<it>[a-z0-9][\w-]{2,}\s(?:dot|d0t)\s[a-z]{2,10})\b"
            ),
        ),
        (
            "email",
            bounded(
                r"(?<![\w.@])[a-z0-9][\w.]*\s?[#@]\s?(?:qq|163|126|gmail|foxmail|sina|outlook)\s?[.。点點]\s?(?:com|cn|net)\b"
            ),
        ),
        # 'wa dot me slash 4477...', 't punto me barra maja'
        (
            "url",
            bounded(
                rf"(?<![\w.@-])[a-z0-9][\w-]*(?:\s(?:dot|point|{dots})\s[a-z]{{2,9}}){{1,2}}\s(?:(?:forward\s)?slash|schragstrich|barra|barre|ukosnik|slasz|слэш|слеш)\s[\w.+-]+"
            ),
        ),
        (
            "email",
            bounded(
                rf"(?<![\w.@])[a-z0-9][a-z0-9_.+-]*\s?(?:艾特|圈\s?a?|小老鼠|@|at|爱特)\s?[a-z0-9][a-z0-9-]*\s?[点點]\s?{tld}"
            ),
        ),
        ("email", bounded(rf"{name}\sa\scommercial\s[a-z0-9][\w-]*{dot}{tld}")),
        (
            "email",
            bounded(
                rf"(?<![\w.@])[a-z0-9][\w.+-]*\s(?:at|@)\s{_PROVIDERS},?\s(?:dot|punkt|point|punto)\s(?:com|de|fr|net)\b"
            ),
        ),
        ("url", bounded(rf"(?<![\w.@-])[a-z0-9][a-z0-9-]{{2,}}\s?[点點]\s?{tld}")),
        ("url", bounded(r"(?<!\w)h t t p (?:s )?: ?/ ?/ ?[a-z0-9][\w-]*(?:\s?\.\s?[a-z]{2,})+")),
        ("url", bounded(rf"(?<!\w)w w w\W+[a-z0-9][\w-]{{2,}}\W+{tld}")),
        ("url", bounded(r"(?<![\w.@-])[a-z][\w-]{4,}\s(?:com|net|org)\b(?=[^.\n]{0,40}\b(?:dots?|period)\b)")),
        (
            "email",
            bounded(rf"{name}[\s(\[{{-]+(?:{ats})[\s)\]}}-]+[a-z0-9][\w-]*(?:{dot}[\w-]+){{0,2}}?{dot}{any_tld}"),
        ),
        ("email", bounded(rf"{name}\s(?:at|chez|@)\s[a-z0-9][\w-]*{dot}{tld}")),
        (
            "email",
            bounded(rf"(?<![\w.@])[a-z0-9][\w.+-]*\s?(?:@{{1,3}}|📧|✉️?|📩|ⓐ|﹫)\s?[a-z0-9][\w-]*[.,]{{1,3}}\s?{tld}"),
        ),
        # Any ending will do where the signs leave no doubt.
        ("email", bounded(r"(?<![\w.@])[a-z0-9][\w.+-]*@[a-z0-9][\w-]*(?:\.[a-z0-9-]+){0,3}\.[a-z]{2,10}\b")),
        ("email", bounded(rf"{name}{sign}[a-z0-9][\w-]*(?:{stop}|\.|{dot})[a-z]{{2,10}}\b")),
        ("email", bounded(r"(?<![\w.@])[a-z0-9][\w.+-]*\sat\s[a-z0-9][\w-]*\s(?:dot|d0t)\s[a-z]{2,10}\b")),
        ("url", bounded(r"(?<![\w.])www\.[a-z0-9][\w-]*(?:\.[a-z0-9-]+)*\.[a-z]{2,10}\b(?:/[^\s,;)]*)?")),
        (
            "url",
            bounded(
                r"(?<![\w.@])[a-z0-9][\w-]{2,}(?:(?:\.|\s?[\[(]?\s?dot\s?[\])]?\s?)[\w-]+)?(?:\.|\s?[\[(]?\s?\bdot\b\s?[\])]?\s?)(?:example|test|invalid)\b(?:/\S*|\s?[(\[]?slash[)\]]?\s\S+)?"
            ),
        ),
        ("url", bounded(r"(?<!\w)(?:[a-z0-9] ){3,48}\. ?(?:[a-z] ?){2,3}(?!\w)")),
        (
            "url",
            bounded(
                r"(?<![\w.])(?:go to|visit|see|site:?|shop:?)\s(?P<it>[a-z][\w]*-[\w-]+\s(?:com|net|org|de|shop|store))\b"
            ),
        ),
        # 'il sito è armadiogiulia punto it', 'brechodabia ponto com ponto br', '店铺 mumu点taobao点com'
        (
            "url",
            bounded(
                rf"(?:{sites})\W{{1,3}}(?:[a-z\u0430-\u044f]{{1,5}}\W{{1,2}})?(?P<it>[a-z0-9][\w-]{{2,}}\s(?:{dots}|point|dot)\s(?:{_SURE}|{_WORDY}|{_SHORT}|ру|рф|ком)\b)"
            ),
        ),
        (
            "url",
            bounded(
                rf"(?<![\w.@-])[a-z0-9][\w-]{{2,}}(?:\s(?:{dots}|point|dot)\s[a-z0-9-]{{2,12}}){{1,2}}\s(?:{dots}|point|dot)\s(?:{_SURE}|{_SHORT})\b"
            ),
        ),
        (
            "url",
            bounded(
                rf"(?<![\w.@-])[a-z0-9][\w-]{{2,}}(?:\s(?:{joints})\s[a-z0-9]+){{1,3}}\s(?:{dots}|point|dot)\s(?:{_SURE}|ру|рф)\b"
            ),
        ),
        ("url", bounded(r"(?<![\w.@-])[a-z0-9][\w-]{3,}\sточка\s(?:ру|рф|ком|com|ru|net)\b")),
        ("url", bounded(rf"(?<![\w.@-])[a-z0-9][a-z0-9-]{{2,}}(?:\s?[点點]\s?[a-z0-9-]{{2,}})?\s?[点點]\s?{tld}")),
        ("url", bounded(rf"(?<![\w.@-])[a-z0-9][\w-]{{3,}}\s(?:{dots})\s{tld}(?=\s*(?:$|[.,;!?)\n]))")),
        ("url", bounded(r"(?<![\w.@-])[a-z0-9][\w-]{3,}\spoint\s(?:fr|com|net|org|be|ch)\b(?=\s*(?:$|[.,;!?)\n]))")),
    )


_NEVER_WORDS = frozenset(("com", "net", "org", "co.uk"))
_PLAIN_LABELS = words("no_domains")
_LINK_CUE = re.compile(
    r"\b(?:see|visit|at|on|shop|site|link|more|web|buy|order|check|google|page|url|homepage|store|from|via|to)\W{0,3}$"
)


def _bare_is_link(folded: Folded, found: re.Match[str]) -> bool:
    """A domain without scheme or www; sentences that run together ('cotton.In good condition') are not links."""
    tld, label, text = found["tld"], found["label"], folded.lower
    start, end = found.span("tld")
    if label in _PLAIN_LABELS or (label.replace("-", "").isdigit() and not found["path"]):
        return False
    if label in word_list("brand_sites") and not found["path"] and found["labels"].count(".") == 1:
        return False
    if found["path"] and found["path"].lstrip().startswith("/"):
        return True
    sentence = (
        folded.cased[start].isupper()
        and folded.cased[found.start() : start].upper() != folded.cased[found.start() : start]
    )
    dotted = folded.lower[start - 1] in ".·•・。" and folded.lower[start - 2 : start - 1] not in (" ", "")
    if sentence and dotted:
        return False
    if not found["path"] and len(tld) < 5 and tld not in _NEVER_WORDS and _runs_together(folded, found):
        return False
    if re.fullmatch(rf"(?:{_SURE})|co\.uk|co\s+dot\s+uk|com\.\w\w", tld):
        spaced = text[start - 2 : start - 1] == " " and text[start - 1] == "."
        return not (spaced and tld not in ("com", "net", "org", "de", "co.uk"))
    if not dotted:
        return tld in ("shop", "store", "online", "me", "app", "co", "site") and bool(
            _LINK_CUE.search(text[: found.start()])
        )
    runs_on = re.match(r"\s+[a-z]", folded.cased[end : end + 3])
    cued = bool(_LINK_CUE.search(text[max(0, found.start() - 12) : found.start()]))
    return (
        cued
        or (not runs_on and (len(tld) > 2 or bool(re.search(r"[\d-]", label)) or tld in ("me", "co", "it", "us", "at")))
        or (bool(re.search(r"[\d_-]", label)) and len(tld) > 2)
    )


def _runs_together(folded: Folded, found: re.Match[str]) -> bool:
    """'robe noire.fr 38', 'wool jumper.ca. 60 cm': a sentence ends at the dot, and the next begins with what looks like a domain."""
    text, end = folded.lower, found.end()
    before = text[max(0, found.start() - 12) : found.start()]
    if "." not in found["labels"][-1:] or re.search(r"[\d_-]", found["label"]) or found["labels"].count(".") > 1:
        return False
    if _LINK_CUE.search(before) or re.search(r"[:@/]\s*$", before):
        return False
    size = re.match(r"\s\d{1,2}(?:[.,]5)?(?!\d)|\.?\s\d{1,3}\s?(?:cm|mm|kg|g|%)", text[end : end + 9])
    lexicon = load_lexicon()
    everyday = (
        found["label"] in lexicon.common or found["label"] in lexicon.nouns or bool(lexicon.meaning(found["label"]))
    )
    return bool(size) or (everyday and bool(re.match(r"[.]?\s+[a-z]", folded.cased[end : end + 4])))


def find_links(folded: Folded) -> Iterator[ContactSpan]:
    """Spans of e-mail addresses and links."""
    text = folded.lower
    for pattern in _EMAILS:
        for found in pattern.finditer(text):
            if not re.fullmatch(r"\d+\s?@\s?\d*", found[0]):
                yield folded.span("email", *found.span())
    for pattern in _URLS:
        for found in pattern.finditer(text):
            yield folded.span("url", *found.span())
    for kind, pattern in _spoken():
        for found in pattern.finditer(text):
            yield folded.span(kind, *found.span("it" if "it" in pattern.groupindex else 0))
    for found in _BARE.finditer(text):
        if _bare_is_link(folded, found):
            yield folded.span("url", *found.span())

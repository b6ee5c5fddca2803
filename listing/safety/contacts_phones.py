"""Phone numbers: which runs of digits are one, by their length, their grouping and what stands around them."""

# ruff: noqa: E501  (a pattern or a list is read in one piece)
from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from listing.safety.contacts_digits import Atom, runs, trim
from listing.safety.fold import ContactSpan, Folded

_ODD_JOINT = re.compile(r"[^\w\s.,/'\"()x×:;#+&%|°-]|--|\t|\n|_")
_HARD_STOP = re.compile(r"[;\n]|[.!?,]\s|\bor\b")
_OTHER_NUMBER = re.compile(r"\s[/|&]\s")  # parts two numbers in full

_PHONE_CUE = re.compile(
    r"call|text|phone|\btel|\bfon\b|(?<!play)mobil|handy|\bnumber(?! of| \d)|(?<![a-z])(?:telefon|handy|mobil|ruf)?nummer|\bmob\b|\bring(?:\s+(?:me|us|him|her|up|on|at|mig|til|op))*\b\W{0,3}$|landline|festnetz|\bfixe\b|portable|contact(?:o|er|ez)?|joignable|dzwon|erreichbar|volejte|soita|\bara\b|gọi|telepon|hivj|sunati|\bzap\b|bizum|swish|mobilepay|\bpix\b|twint|\bmb ?way|puhelin|\bcel\b|reach|\bdial\b(?!\s+(?:watch|type|colou?r))|\bsms\b|contact|whats|\bwa\b|ruf|anruf|"
    r"numero|tlf|\bcell|signal|viber|telegram|wechat|\bwx\b|\bvx\b|area code|appel|llama|chiama|bel\b|zadzwon|т\W?е\W?л|звон|"
    r"电话|手机|號碼|号码|q\s?号|扣|联系|微信|加我|热线|☎|📞|📱|📲|interested|quicker|ping|hmu|fax|hotline|message|write to|schreib\w*|ecri\w+|escrib\w+|scriv\w+|dm\b|\bask for\b"
)
_OTHER_CUE = re.compile(
    r"\b(?:ean|isbn|upc|gtin|sku|asin|style|art|article|artikel|artikelnr|ref|reference|model|order|bestellnummer|serial|sn|imei|rn|ca|part|item|lot|"
    r"batch|tracking|barcode|bar\s?code|set|product|(?<!area )(?<!country )code|catalogue|number\s+plate|patent|registered|vat|kvk|zara|ikea|lego|levi'?s|"
    r"firmware|version|s/n|oem?|gtin|customer|member(?:ship)?|policy|account|ticket|case|auftrag|bestellung|rechnung|\w*(?:artikel|teile|kunden|auftrags|rechnungs|bestell|serien|modell|sendungs|vertrags)\w*|commande|facture|pedido|fattura|zamowieni\w+|bestelling|factuur|console|disc|pages?|needle|movement|catalog|zip|seat|row|sizes?|grosse[n]?|taille|kod|mpn|pattern|invoice|parcel|receipt|certificate)\b\W*(?:(?:no|nr|number|num|code|nummer|id)\b\W*)?"
    r"(?:is\s|was\s|reads\s)?\W*(?:\w{1,3}\W)?$|(?:serial|registered design|label) (?:no|number|says)\W*$|货号|款号|条码|订单|编号|尺码"
)
# 'DPCI 669-37-4138': an abbreviation in capitals names a code, unless it names a telephone.
_CODE_NAME = re.compile(
    r"(?<![A-Za-z])(?!TEL|MOB|CALL|SMS|TXT|TEXT|PHONE|FON|CELL|FAX|WA|WX|VX|QQ|TG|NR|NO|NOW|ME|DM|PM|PIX|OK|NEW|EUR|USD|GBP|CHF|PLN|SEK|AUD|CAD|XS|XL|XXL)[A-Z]{2,6}\s?[:#]?\s?$"
)
# Mobile numbers of Britain and Germany in full length: no code looks like them.
_MOBILE = re.compile(r"(?:0|0?0?44)7[1-9]\d{8}|0?1[567]\d{8,9}(?<=\d{11})")
_DAY = r"(?:\d{1,2}[./-]\d{1,2}[./-](?:19|20)?\d\d|(?:19|20)\d\d[./-]\d{1,2}[./-]\d{1,2})"
_DATES = re.compile(
    rf"{_DAY}(?:\W{{1,3}}{_DAY})+|(?:19|20)\d\d\W?[01]\d\W?[0-3]\d[ _t-]{{1,2}}\d\d[.:]?\d\d(?:[.:]?\d\d)?|(?:(?:19|20)?\d0s\W*)+"
)
_COUNT_UP = re.compile(r"0?123456789?(?:10(?:11(?:12)?)?)?")
_VERSION = re.compile(r"\d{1,3}\.\d{1,2}\.\d{3,6}\.\d{1,3}")
_COUNTRIES = (
    "GB",
    "DE",
    "FR",
    "US",
    "CN",
    "IT",
    "ES",
    "NL",
    "PL",
    "RU",
    "UA",
    "PT",
    "AU",
    "IN",
    "IE",
    "CH",
    "JP",
    "BR",
)
# Nouns of codes in other languages; a 'numero' or 'номер' beside one is no telephone.
_CODE_NOUN = re.compile(
    r"(?:\b(?:numero|numer|nr|no|n)\.?\W{0,2}(?:de |di |d'|du |del )?)?\b(?:serie|seryjny|ordine|pedido|commande|zamowienia|articolo|articulo|article|"
    r"(?<!area )(?<!country )code|codice|codigo|kod|modell?o?|modele|modelu|reference|referencia|riferimento|ref|kat|katalog\w*|produktu|production|edition|design|label|"
    r"etikett|etiquette|etiqueta|box|tag|stamped|printed|engraved|inside|serienummer|artikelnummer|ordernummer|varenummer)\b"
    r"|(?:номер\W+)?(?:артикул|сери[ий]н\w*|модели|заказа?|изделия)(?:\W+номер)?"
)
# Shops whose article numbers have ten figures and a zero in front.
_OWN_NUMBERS = re.compile(r"\b(?:h&m|h & m|hm|cos|arket|weekday|monki|& other stories)\b[^\d]{0,24}$")
_ASKED_AFTER = re.compile(
    r"\W{0,4}(?:ring|call|bel|soita|sms|text me|volejte|dzwon|zadzwon|llama|chiama|appelle|ara)\b"
)
# 'L47131300': a letter and figures in one piece.
_LETTERED_CODE = re.compile(r"[A-HJ-NP-Z]\d+[A-Z]{0,2}")
# 'A 176 738 82 18': a part of a car, behind its one capital letter.
_LETTERED_PART = re.compile(r"(?<![\w'])[A-DFKNQR] \d{3} \d{3} \d\d \d\d$")
_CALLING = re.compile(r"call|phone|tel\b|mobil|whats|ring|text|sms|contact|reach")


def _is_list(run: list[Atom], text: str) -> bool:
    """'36 38 40 42' or '6, 8, 10, 12': sizes that rise; measures of two figures each; years."""
    years = [a for a in run if re.fullmatch(r"(?:19|20)\d\d", a.digits)]
    if len(years) == len(run) or (len(years) > 1 and sum(len(a.digits) for a in run if a not in years) < 3):
        return True
    values = [int(a.digits) for a in run]
    if len(run) > 2 and all(v and v % 10 == 0 for v in values) and not any(a.digits[0] == "0" for a in run):
        return True
    if len(run) < 3 or any(len(a.digits) > 3 for a in run):
        return False
    total = sum(len(a.digits) for a in run)
    steps = {b - a for a, b in pairwise(values)}
    if total >= 8 and all(_ODD_JOINT.search(text[a.end : b.start]) for a, b in pairwise(run)):
        return False
    if total >= 9 and len(steps) > 1 and run[0].digits[0] == "0" and len(run[0].digits) > 1:
        return False
    if [len(a.digits) for a in run] == [3, 3, 3] and values[0] >= 200 and any(v % 5 for v in values):
        return False  # no size is that large
    if len(run[0].digits) == 3 and re.fullmatch(r"\d{3}([-.])\d{3}(?:\1\d{2,4})+", text[run[0].start : run[-1].end]):
        return False  # '509-567-874' rises by chance
    rising = all(b > a for a, b in pairwise(values))
    single = all(len(a.digits) == 1 for a in run)
    pairs = all(len(a.digits) in (2, 3) for a in run) and not run[0].digits.startswith("0")
    even = pairs and len(run) >= 3 and all(len(a.digits) == len(run[0].digits) for a in run) and len(run[0].digits) == 2
    return (rising and (not single or len(run) < 10)) or (even and all(a.plain for a in run))


def _checksum(digits: str) -> bool:
    """True for a valid EAN-13 or UPC-A."""
    if len(digits) not in (12, 13):
        return False
    body = digits.zfill(13)
    return sum(int(d) * (3 if i % 2 else 1) for i, d in enumerate(body)) % 10 == 0


def _valid(digits: str, international: bool, regions: Sequence[str] = _COUNTRIES) -> bool:
    """phonenumbers' word, as an international number or as a national one of ``regions`` (the larger countries)."""
    import phonenumbers

    for region in (None,) if international else regions:
        try:
            parsed = phonenumbers.parse(f"+{digits}" if region is None else digits, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(parsed):
            return True
    return False


def _beside_code(folded: Folded, start: int, end: int) -> bool:
    """'1K0 615 301 AA', 'RB3025 901 58': a neighbour of capitals and figures makes the digits a part of a code."""
    left, right = folded.cased[max(0, start - 9) : start], folded.cased[end : end + 7]
    mixed = r"(?=[A-Z\d]*[A-Z])(?=[A-Z\d]*\d)[A-Z\d]{2,8}"
    return bool(re.search(rf"(?<![\w+]){mixed}[ .-]$", left) or re.match(rf"[ .-](?:{mixed}|[A-Z]{{2}})(?!\w)", right))


def _names_code(before: str) -> str:
    """The word right before a number that makes it a code, '' when there is none or a telephone is named behind it."""
    found = _OTHER_CUE.search(before)
    if found is None:
        nouns = list(_CODE_NOUN.finditer(before[-30:]))
        found = (
            nouns[-1]
            if nouns and re.fullmatch(r"[\W\d]{0,3}(?:\w{1,10}\W{1,3}){0,2}", before[-30:][nouns[-1].end() :])
            else None
        )
        if found and _CALLING.search(before[-30:][found.end() :]):
            return ""
    return found[0] if found else ""


def _phone_shaped(written: str, digits: str, coded: str) -> bool:
    """Whether the figures are grouped as telephones are and no code is: '020 7946 0123', '06 39 98 12 34', '212-555-0123'.

    Solid figures count for countries whose mobile numbers begin in a way of their own. Barcodes, orders and serial
    numbers have no such shape by definition, so behind their names nothing counts.
    """
    if not coded or re.search(r"isbn|ean|gtin|upc|order|track|serial|serie|imei|part|oem|zara|ikea|lego", coded):
        return False
    if re.fullmatch(r"\(?[2-9]\d\d\)?[-. ]{1,2}[2-9]\d\d[-. ]\d{4}", written):
        return True
    if digits[0] != "0" or digits[1] == "0" or not 9 <= len(digits) <= 11 or not re.fullmatch(r"[\d() ./-]+", written):
        return False
    groups = re.findall(r"\d+", written)
    if len(groups) == 1:
        mobile_like = len(digits) == 10 and bool(re.match(r"0[467]", digits))
        return mobile_like or (len(digits) == 11 and _valid(digits, False, ("GB",)))
    in_pairs = len(digits) == 10 and all(len(g) in (2, 4) for g in groups)
    return (
        "/" not in written and 2 <= len(groups[0]) <= 5 and len(groups[-1]) > 1 and (in_pairs or _valid(digits, False))
    )


def _judge(folded: Folded, run: list[Atom]) -> bool:
    """Is this run of digits a phone number, here, in this text?"""
    text = folded.lower
    digits = "".join(a.digits for a in run)
    if not 6 <= len(digits) <= 17:
        return False
    start, end = run[0].start, run[-1].end
    before, after = text[max(0, start - 34) : start], text[end : end + 24]
    plus = before.rstrip(" (").endswith("+")
    coded = _names_code(before.rsplit("\n", 1)[-1])
    international = plus or (
        digits.startswith("00") and len(digits) >= 11 and (not coded or _valid(digits[2:], international=True))
    )
    shaped = not _OWN_NUMBERS.search(before) and _phone_shaped(text[start:end], digits, coded)
    mobile = bool(_MOBILE.fullmatch(digits)) or shaped
    owned = mobile or (digits[0] == "0" and len(digits) >= 10 and bool(_PHONE_CUE.search(after)))
    if _DATES.fullmatch(text[start:end]) or _COUNT_UP.fullmatch(digits) or _VERSION.fullmatch(text[start:end]):
        return False
    if _OWN_NUMBERS.search(before) and len(run) <= 2 and not mobile and not international:
        return False
    if not international and not owned and _beside_code(folded, start, end):
        return False
    if not international and not owned and coded:
        return False
    if not international and digits[0] != "0" and _CODE_NAME.search(folded.cased[max(0, start - 12) : start]):
        return False
    if not international and _LETTERED_PART.search(folded.cased[max(0, start - 3) : end]):
        return False
    phone_at = max((m.end() for m in _PHONE_CUE.finditer(_CODE_NOUN.sub("", before))), default=-1)
    if phone_at < 0 and not international and not owned and re.search(r"\b(?:no|nr|num|n°)\W*$", before):
        return False
    cued = phone_at >= 0 or bool(_PHONE_CUE.search(after) or _ASKED_AFTER.match(after))
    written = text[start:end]
    disguised = not all(a.plain for a in run)
    close = phone_at > len(before) - 4 and "numb" not in before[-12:] and len(digits) >= 8
    rises = len(run[0].digits) != 3 and all(int(b.digits) > int(a.digits) for a, b in pairwise(run))
    if cued and phone_at >= 0 and (not _is_list(run, text) or (close and not rises)):
        return len(digits) >= 7 or phone_at > len(before) - 6
    pairs = [len(a.digits) for a in run] == [2, 2, 2, 2]
    if _is_list(run, text) and not (pairs and not rises and _ASKED_AFTER.match(after)):
        return False
    if disguised:
        if not cued and _LETTERED_CODE.fullmatch(folded.cased[start:end]):
            return False
        letters_only = re.fullmatch(r"[0-9oliszb\W_]+", written) and not any(folded.odd[start:end])
        spelled = sum(text[a.start : a.end].isalpha() for a in run)
        sparse = letters_only or (spelled < 3 and not any(folded.odd[start:end]))
        return len(digits) >= (9 if sparse else 7)
    if re.fullmatch(r"\d{4}/\d{3}/\d{3}|\d{6,7}-\d{3}|\d{5}-\d{4}", written) or (
        re.search(r"\d,\d{3}\b", written) and not cued and not (digits[0] == "0" and len(digits) >= 9)
    ):
        return False
    if international or cued:
        return len(digits) >= 7
    # No measure, price or code is grouped by '=', '~' or stars.
    if (
        len(run) > 2
        and 9 <= len(digits) <= 13
        and all(_ODD_JOINT.search(text[a.end : b.start]) for a, b in pairwise(run))
    ):
        return True
    if len(digits) < 9:
        return (pairs and bool(_ASKED_AFTER.match(after))) or bool(re.fullmatch(r"\d(?:[^\w]{1,3}\d){6,}", written))
    solid = written.isdigit()
    if solid and not mobile and _checksum(digits) and not re.match(r"0[1-9]|861[3-9]", digits):
        return False
    if solid:
        return (
            mobile or _valid(digits, international=False) or (len(digits) >= 11 and _valid(digits, international=True))
        )
    if re.fullmatch(r"1[3-9]\d[ -]\d{4}[ -]\d{4}", written):
        return True  # a Chinese mobile, assigned or not
    if digits.startswith("0") or max(len(a.digits) for a in run) == 1:
        return True
    if len(run) == 2 and len(run[0].digits) >= 4:
        return False  # '10265 75192', '4000032 0090': two numbers; an area code is shorter or has a zero
    return _valid(digits, international=False) or _valid(digits, international=True)


def _numbers(folded: Folded, run: list[Atom], pieces: list[list[Atom]]) -> Iterator[list[Atom]]:
    """The parts of a run that are phone numbers: the whole if it is one, else the longest rows of its pieces."""
    text, least = folded.lower, 0
    if len(pieces) == 1 or sum(len(a.digits) for a in run) <= 13:
        if _judge(folded, trim(text, run)):
            yield trim(text, run)
            return
        if len(pieces) == 1:
            # 'coat 12 2125550936': a size before the number.
            rest = trim(text, run[1:])
            alone = len(rest) == 1 and text[run[0].end : rest[0].start].isspace() and len(rest[0].digits) >= 9
            if alone and len(run[0].digits) <= 2 and _judge(folded, rest):
                yield rest
            return
    for first in range(len(pieces)):
        if first < least:
            continue
        lone_year = re.fullmatch(r"(?:19|20)\d\d", "".join(a.digits for a in pieces[first]))
        if (
            lone_year
            and pieces[first + 1 :]
            and text[pieces[first][-1].end] != text[pieces[first + 1][-1].end : pieces[first + 1][-1].end + 1]
        ):
            continue  # '... in 2021. 348\n83\n26': the year ends a sentence of its own
        for last in range(min(len(pieces), first + 6), first, -1):
            part = trim(text, [atom for piece in pieces[first:last] for atom in piece])
            whole = last - first == 1 or 9 <= sum(len(a.digits) for a in part) <= 13
            if part and whole and _judge(folded, part):
                yield part
                least = last
                break


def find_phones(folded: Folded) -> Iterator[ContactSpan]:
    """Spans of phone numbers; a leading plus sign or bracket belongs to the number."""
    text = folded.lower
    for whole in runs(folded):
        run = trim(text, whole)
        if not run:
            continue
        pieces: list[list[Atom]] = [[run[0]]]
        total = sum(len(a.digits) for a in run)
        gaps = Counter(text[a.end : b.start] for a, b in pairwise(run))
        for left, right in pairwise(run):
            # 'size 38. 0,7,7,0': a stop that parts nothing else ends a sentence.
            lone = gaps[text[left.end : right.start]] == 1 and max(gaps.values()) >= 2
            small = len(left.digits) <= 2 and len(right.digits) <= 2 and not lone
            if (_HARD_STOP.search(text, left.end, right.start) and not small) or (
                total > 15 and _OTHER_NUMBER.search(text, left.end, right.start)
            ):
                pieces.append([])
            pieces[-1].append(right)
        for kept in _numbers(folded, run, pieces):
            start = kept[0].start
            while start > 0 and text[start - 1] in "+(":
                start -= 1
            yield folded.span("phone", start, kept[-1].end)

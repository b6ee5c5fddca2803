"""Street addresses with a house number, in the usual European, American and Chinese orders, and post boxes."""

# ruff: noqa: E501  (a pattern is read in one piece)
from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import yaml

from listing.safety.fold import ContactSpan, Folded, bounded

_UK_CODE = r"[A-Z]{1,2}\d[A-Z\d]?\s?\d[A-Z]{2}"
_TAIL = rf"(?:,?\s+(?:{_UK_CODE}|[A-Z]{{2}}\s\d{{5}}(?:-\d{{4}})?|\d{{4,5}}(?:\s[A-Z][\w'-]+)?)|,\s*(?:\d{{4,5}}\s|[A-Z]-?\d{{4,5}}\s)?[A-Z][^\W\d_'-]*(?:['-][^\W\d_]+)*\b(?:\s[A-Z][^\W\d_]+\b){{0,2}}(?:\s\d{{4,5}}|\s{_UK_CODE})?)"
_TYPES = (
    r"(?:[Ss]treet|[Ss]t|[Rr]oad|[Rr]d|[Aa]venue|[Aa]ve|[Ll]ane|[Ll]n|[Dd]rive|[Dd]r|[Bb]oulevard|[Bb]lvd|[Cc]ourt|[Cc]t|[Cc]lose|Cl|[Pp]lace|[Pp]l|[Ss]quare|[Ss]q|"
    r"[Tt]errace|[Ww]ay|[Cc]rescent|[Gg]rove|[Gg]ardens|[Pp]ark|[Hh]ill|[Rr]ow|[Mm]ews|[Pp]arade|[Ww]alk|[Hh]ighway|[Hh]wy|[Pp]arkway|[Cc]ircle|[Rr]ise|[Gg]ate|[Yy]ard|[Gg]reen|[Qq]uay|[Vv]iew)"
)
_STOPS = r"(?=\.?\s*(?:$|[,.;:!?()\n/|–]|-\s|[A-Z]{1,2}\d|\d|#|[A-Z][a-z]+(?:\s[A-Z][a-z]+)?,?\s[A-Z]{2}\b|NW|NE|SW|SE|(?:in|near|any|after|between|from|on|if|please|pls|for|or|and|tomorrow|today|weekdays|evenings?|at|is|flat|[Aa]pt|[Uu]nit|[Aa]partment|[Ss]uite|Flat|opposite|next|behind|by|buzzer|ring|bell|then|when)\b))"
_UNIT = r"(?:(?:[Ff]lat|[Aa]pt|[Aa]partment|[Uu]nit|[Ss]uite|[Rr]oom)\.?\s?\w{1,4},?\s+|\d{1,2}(?:st|nd|rd|th)\s[Ff]loor,?\s+)?"
_PICKUP = r"(?:(?i:pick\W?up|collect(?:ion)?|live|address|come|visit|meet|bring|deliver|find us|located|shop|abholung|adresse|from|at|to))\b[^.\n]{0,20}?"
_NUMBER = r"(?<![\w.,/-])(?:[Nn]o\.?\s?|[Nn]umber\s)?\d{1,5}[A-Za-z]?(?:\s?[-/]\s?\d{1,4}[A-Za-z]?)?"

_PLACES = tuple(
    bounded(p, 24)
    for p in (
        rf"{_UNIT}{_NUMBER},?[ ]+(?:(?:[NSEW]\.?|North|South|East|West)\s)?(?:[A-Z][\w'’.-]+[^\S\n]+){{1,4}}{_TYPES}\b{_STOPS}\.?(?:\s(?:NW|NE|SW|SE)\b)?{_TAIL}{{0,4}}",
        rf"{_UNIT}{_NUMBER}\s+(?:[NSEW]\.?\s|North\s|South\s|East\s|West\s)?(?:\d{{1,3}}(?:st|nd|rd|th)|Broadway|Park Lane|(?:The )?Strand|High St(?:reet)?|Whitehall|Piccadilly)(?:\s{_TYPES})?\b{_STOPS}{_TAIL}{{0,3}}",
        rf"(?<=\b){_PICKUP}(?P<it>{_NUMBER}\s+(?:[a-z][\w'-]+\s+){{1,3}}(?:street|road|rd|avenue|ave|lane|drive|blvd|close|terrace|crescent|grove|square|court){_STOPS}(?:,?\s?[a-z]+)?)",
        rf"(?i:\bunit\s\d{{1,3}}[a-z]?,?\s(?:[a-z]+\s){{1,3}}(?:park|estate|centre|center)\b){_TAIL}{{0,3}}",
        r"[\u4e00-\u9fff]{2,}[区市县][\u4e00-\u9fff\w]*\s?\d+\s?号[\u4e00-\u9fff\d]*",
        rf"(?i:{_NUMBER}\s+(?:[a-z][\w'-]+\s+){{1,2}}(?:street|st|road|rd|avenue|ave|lane|drive|blvd|crescent|grove|close|terrace|court),?\s+(?:[a-z]+,?\s)?[a-z]{{1,2}}\d[a-z\d]?\s?\d[a-z]{{2}}\b)",
        r"(?i:\b(?:flat|apt|apartment|unit)\.?\s?\w{1,3},?\s+\d{1,4}[a-z]?\s+(?:[a-z][\w'-]+\s+){1,2}(?:street|st|road|rd|avenue|ave|lane|drive|close|grove|terrace|court)\b(?:,?\s[a-z]+)?)",
        rf"(?i:\b(?:house|number|no\.?|nr\.?)\s?(?:number|no\.?|nr\.?)?\s?)\d{{1,4}}[a-z]?,?\s(?:on|in|at|of)?\s?(?:[A-Z][\w'-]+\s){{1,3}}{_TYPES}\b",
        # Named street, then the number.
        rf"(?<!\w)(?:[A-ZÄÖÜ][\wäöüß'-]*\s|[A-ZÄÖÜ][\wäöüß']*-){{0,3}}[A-ZÄÖÜa-z][\wäöüß.-]*(?:straße|strasse|[Ss]tr\.|str|weg|platz|allee|gasse|damm|ufer|chaussee|steig|straat|laan|gracht|plein|kade|gata|gatan|vej|gade|katu)\.?\s?(?:Nr\.?\s?)?\d{{1,4}}\s?[a-zA-Z]?\b(?:\s?[-/]\s?\d{{1,4}}[a-z]?\b)?{_TAIL}{{0,3}}",
        rf"(?<!\w)(?:[A-ZÄÖÜ][\wäöüß-]+(?:er|[- ])\s?)(?:Straße|Strasse|Str\.|Weg|Platz|Allee|Gasse|Ring|Damm|Ufer|Chaussee|Markt)\s\d{{1,4}}\s?[a-zA-Z]?\b(?:\s?[-/]\s?\d{{1,4}}\b){{0,3}}{_TAIL}{{0,3}}",
        rf"(?<!\w)[A-ZÄÖÜ][\wäöüß-]{{2,}}ring\s\d{{1,4}}\b{_TAIL}{{1,3}}",
        rf"(?<!\w)(?:An der|An den|Am|Im|In der|Zum|Zur|Auf der|Auf dem|Unter den|Hinter der|Vor dem|Alte[rs]?|Neue[rs]?)\s[A-ZÄÖÜ][\wäöüß-]+(?:\s[A-ZÄÖÜ][\wäöüß-]+)?\s\d{{1,3}}\s?[a-z]?(?=\W|$){_TAIL}{{1,3}}",
        rf"(?<![\w])\d{{1,4}}\s?(?:bis|ter|[a-cA-C])?,?\s(?i:rue|avenue|av\.|boulevard|bd\.?|place|chemin|impasse|all[ée]es?|quai|cours|route|square|passage|sentier)\s(?:(?:de|du|des|la|le|les|l'|d'|à|aux)\s?)*[A-Z\d][\w'’.-]+(?:[\s-][A-Z][\w'’-]+){{0,3}}{_TAIL}{{0,3}}",
        rf"(?<!\w)(?:Via|Viale|Piazza|Corso|Vicolo|Largo|Strada|Calle|C/|Avenida|Avda\.?|Av\.|Plaza|Paseo|Carrer|Ronda|Camino|Rua|Praça|Praca|Travessa|Estrada|Alameda|Rue)\s?(?:(?:de|del|della|delle|degli|dello|dell|dei|da|do|dos|di|la|las|los|el)\s)*(?:[A-Z][\w'’.-]+\s?){{1,4}},?\s(?:[Nn][.º°o]*\s?)?\d{{1,4}}[a-zA-Z]?\b(?:,?\s\d[°ºª])?{_TAIL}{{0,3}}",
        rf"(?<!\w)(?:ul\.|ul(?=\s[A-ZŁŚŻĆ])|al\.|os\.|pl\.|[Uu]lica)\s?(?:[\wÀ-ž.-]+\s){{1,4}}\d{{1,4}}[a-zA-Z]?(?:/\d{{1,4}})?{_TAIL}{{0,3}}",
        r"(?<!\w)(?:ул\.?|улица|пр\.?|проспект|пр-т|пер\.?|бульвар|вул\.?)\s[\w .-]{2,30}?,?\s(?:д\.?|дом|буд\.?)?\s?\d{1,4}\w?(?:,?\s?(?:кв\.?|квартира)\s?\d{1,4})?",
        r"[\u4e00-\u9fff\d]*(?:路|街|大道|道|巷|弄|胡同|小区|村|镇|花园|里)[\u4e00-\u9fff\d-]*?\s?[\d一二三四五六七八九十]+\s?(?:号|號|弄|栋|幢|室|楼|单元|座)[\u4e00-\u9fff\d号室楼单元栋-]*",
        r"[\u4e00-\u9fff\d-]{2,}(?:丁目|番地)[\d一二三四五六七八九十番号-]*|\d+-\d+-\d+\s?[A-Z][a-z]+-(?:ku|cho|shi)\b",
        r"\b(?:[Pp]\.?\s?[Oo]\.?\s?[Bb]ox|PO BOX|[Pp]ost\s?[Bb]ox|[Pp]ostfach|[Pp]ackstation|Apartado|Casella Postale|BP)\s#?\d{2,6}(?:\s\d{2,3}(?!\d))?" + rf"{_TAIL}{{0,2}}",
        rf"\b(?i:post\s?code|postal code|zip(?: code)?|plz|postcode is)\W{{0,3}}(?:is\s)?(?:{_UK_CODE}|\d{{4,5}})\b",
    )
)  # fmt: skip
_COMING = (
    r"pick\W?up|collect(?:ion|ed)?|abhol\w+|abzuholen|selbstabholer|treffpunkt|treff|wohne?|adresse?|address|übergabe|"
    r"retrait|à retirer|a retirer|remise en mains? propre|habite|rendez-vous|rdv|chercher|je suis|"
    r"recog\w+|entrega|entreg\w+|encuentro|incontro|encontro|vivo|quedamos|dirección|ritir\w+|abito|indirizzo|consegn\w+|"
    r"ophal\w+|af te halen|afhal\w+|woon|adres|odbi[oó]r\w*|do odebrania|mieszkam|spotk\w+|"
    r"levanta\w+|retirada|retir\w+|moro|endereço|morada|самовывоз|забрать|забирать|адрес|живу|встреч\w+"
)
_SLOTS = {
    "{pickup}": rf"(?<!\w)(?i:{_COMING})\b\W{{1,3}}(?:(?!\d)[^\W\d_]{{1,7}}\W{{1,2}}){{0,3}}?",
    "{n}": r"(?<![\w.,/-])(?:[Nn]o\.?\s?|[Nn]umber\s)?\d{1,5}[A-Za-z]?(?:\s?[-/]\s?\d{1,4}[A-Za-z]?)?",
    "{name}": r"[A-ZÀ-ÞĀ-ŽȘȚ][^\W\d_]*(?:[.'’-][^\W\d_]+){0,4}(?:\s[A-ZÀ-ÞĀ-ŽȘȚ][^\W\d_]*(?:[.'’-][^\W\d_]+){0,4}){0,2}",
    "{tail}": rf"{_TAIL}{{0,3}}",
}
# Words before the number or inside the name that make it a style, a print or a count.
_NOT_A_PLACE = re.compile(
    r"^[^\d,]*\s(?:19|20)\d\d\s*$|^\d (?:Square )?Way$|"
    r"\b(?:Sizes?|Print|Tee|Style|Route|Fighter|One|Year|Years|Pack|Piece|Pieces|Month|Months|Pcs|Pairs?)\b"
)


@cache
def _by_country() -> tuple[re.Pattern[str], ...]:
    patterns = yaml.safe_load(Path(__file__).with_name("contacts_places.yaml").read_text(encoding="utf-8")).values()
    for slot, meaning in _SLOTS.items():
        patterns = [p.replace(slot, meaning) for p in patterns]
    return tuple(bounded(p, 24) for p in patterns)


@cache
def _choose(patterns: tuple[re.Pattern[str], ...], plain: bool) -> tuple[re.Pattern[str], ...]:
    """Patterns worth a search: those of another script cannot match plain ASCII (those with an announcement can)."""
    other = re.compile(r"u4e00|[\u0370-\u04ff\u1ea0-\u1eff\uac00-\ud7a3\u3040-\u30ff]")
    return tuple(
        p
        for p in patterns
        if not (plain and other.search(p.pattern) and "-(?:ku" not in p.pattern and "(?P<it>" not in p.pattern)
    )


# What may follow an address: the door, the floor, the postcode of countries that put it last.
_MORE = re.compile(
    r"(?:,?\s(?:(?i:bajo|\d{1,2}\.\s?(?:OG|Stock|Etage|Obergeschoss)|\d{1,2}(?:er|e|ème)\s(?:étage|etage)|apto\.?\s\d{1,4}|r/c|(?:подъезд|под\.|этаж|эт\.)\s?\d{1,2}|[1-9][ºª°]\s?[A-D]|izq|dcha|rear entrance|hinterhaus|vorderhaus|seitenflügel|erdgeschoss|eg|og|huis|I{2,3}|rez-de-chaussée|rdc)\b|(?i:appt|apt|app|piso|puerta|lok|кв|et|floor|stock|etage|flat|unit)\.?\s?\w{1,4}\b|m\.\s?\d{1,4}|bis\b|ter\b|hs\b)"
    r"|,?\s\d\d-\d{3}\s[^\W\d_]+|,\s\d{4,5}\s[A-Z][^\W\d_]+|\s[A-Z]\d[A-Z]\s\d[A-Z]\d\b|\s\([A-Z][a-zäöüß]{2,16}\)|[A-Z]座\d+室?|\s[A-Z]{1,2}\d{1,2}(?![\w.])|,\s[À-ÞŁŚŻŹĆ][^\W\d_]+)+"
)
_TOWN_FIRST = re.compile(
    r"(?:(?:г|м)\.\s?[А-ЯЁ][а-яё-]+,\s|\b(?:bei|chez|presso|c/o)\s(?:Fam(?:ilie|\.)\s)?[A-ZÄÖÜ][^\W\d_]+,\s|(?:Résidence|Residence|Résid\.|Lotissement)\s(?:[A-ZÀ-Þ][^\W\d_]+[\s,]+){1,4}(?:[Bb][aâ]t(?:iment|\.)?\s?\w{1,2},?\s)?)$"
)


def find_places(folded: Folded) -> Iterator[ContactSpan]:
    """Spans of street addresses with what belongs to them on either side."""
    text = folded.source
    for span in _bare_places(folded):
        before, after = _TOWN_FIRST.search(text[: span.start]), _MORE.match(text, span.end)
        start, end = before.start() if before else span.start, after.end() if after else span.end
        yield ContactSpan("address", start, end, text[start:end])


def _bare_places(folded: Folded) -> Iterator[ContactSpan]:
    """Streets and numbers. Capitals matter: '12 high street brands' is no address."""
    if not re.search(
        r"[\d/]|[A-Z]\w* (?:Street|Road|Lane|Court|Avenue|Drive|Close|Place|Terrace|Crescent|Grove|Gardens|Way|Mews)",
        folded.source,
    ):
        return
    for pattern in _choose(_by_country(), folded.source.isascii()):
        for found in pattern.finditer(folded.source):
            if not _NOT_A_PLACE.search(found[0]):
                group = "it" if pattern.groupindex.get("it") else 0
                yield ContactSpan("address", *found.span(group), found[group])
    for text in dict.fromkeys((folded.cased, folded.source)):
        for pattern in _choose(_PLACES, text.isascii()):
            for found in pattern.finditer(text):
                group = "it" if found.re.groupindex.get("it") else 0
                if _NOT_A_PLACE.search(found[group]):
                    continue
                if text is folded.cased:
                    yield folded.span("address", *found.span(group))
                else:  # umlauts and Polish letters are folded away in `cased`
                    yield ContactSpan("address", *found.span(group), found[group])

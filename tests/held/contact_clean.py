"""Honest strings that look like contact data. ``TEMPLATES``: group -> templates; ``CLEAN``: group -> fixed strings.

In a template ``{a-b}`` is a whole number from that range, ``{d8}`` eight digits.
"""

from __future__ import annotations

import re
from random import Random

SLOT = re.compile(r"\{(?:d(\d+)|(\d+)-(\d+))\}")

TEMPLATES: dict[str, list[str]] = {
    "ean": ["EAN 40{d11}", "Barcode on the tag: 5 0{d5} {d6}", "GTIN 0{d13} still on the box", "Strichcode 42{d6} lesbar"],
    "isbn": ["ISBN 978-3-{d3}-{d5}-{1-9}", "ISBN-10: 0-{d3}-{d5}-{1-9}, second printing"],
    "style-number": ["Style {d6}-{d3} on the inner tag", "Art.-Nr. {d4}/{d3}/{d3}", "REF. {d4}/{d3}", "Article no {d7}, colourway {d3}"],
    "model": ["Sony WH-{1000-1999}XM{2-5}", "Bosch GSR 12V-{15-35} body", "Canon EF {16-24}-{70-105}mm f/{2-4}.8", "Casio F-{80-99}W with strap", "ThinkPad T{430-490}s, 8 GB RAM, 256 GB SSD", "Modell MUM{4000-5900}XL, {500-1000} W"],
    "part-number": ["A {d3} {d3} {d2} {d2} fits the estate", "OEM {d2}.{d4}-{d4}.{1-9}", "Part no. 1K0 {d3} {d3} C"],
    "serial": ["S/N {d4}{d4}{d4} intact", "Seriennummer {d10} auf der Unterseite", "Batch LOT {d6}-{d2}"],
    "order-number": ["Order no. {d3}-{d7}-{d7} was the original invoice", "Rechnung {2018-2024}-{d6} liegt bei"],
    "price": ["Paid {120-480}.00, asking {20-99}.50", "NP 1.{200-900},- €, jetzt {90-300} €", "2 for £{8-30}, 3 @ £{31-45}", "原价{300-900}元，现{50-200}元", "{1000-9000} Ft or {10-30} EUR"],
    "jeans": ["W{26-40} L{30-36}, inseam {70-86} cm", "Size {26-40}/{30-36}, rise {24-30} cm, hem {16-22} cm", "501 0{100-199}, W{28-38}"],
    "measure-list": ["Pit to pit {44-60}, shoulders {38-48}, length {60-78}, sleeve {58-66}", "{44-60} / {60-78} / {38-48} / {58-66} (laid flat, cm)", "Maße: B {40-60} x L {60-80} x Ä {55-65} cm", "Achsel {40-60} Länge {60-80} Saum {40-60}"],
    "inches": ["chest {18-24}\" length {25-31}\" sleeve {22-26}\"", "waist {13-18}.5in across, rise {9-12}.25in"],
    "size-run": ["EU {36-46} / UK {3-11} / US {5-13} / {23-29}.5 cm", "Sizes 36 37 38 39 40 41, one of each, tell me which", "FR {36-46} IT {40-50} DE {34-44}", "fits {116-128}-{134-152} cm tall kids"],
    "dims": ["{60-120} x {40-80} x {30-75} cm", "H{20-90} B{20-90} T{20-90}", "{100-300}×{50-200}mm, {2-12} kg"],
    "date": ["Worn once on {10-28}.0{1-9}.20{18-24}", "20{18-24}/0{1-9}/{10-28} printed on the label", "Bought around 0{1-9}-20{18-24}", "Tour {1970-1999}-{10-12}-{10-28}", "{2015-2024}年{1-12}月{1-28}日的小票还在"],
    "time": ["I post between {8-11}:30 and {14-18}:45", "Mo–Fr {8-11}.00–{16-19}.30 Uhr erreichbar hier im Chat", "Runs {10-40} h {10-59} min per charge"],
    "quantity": ["{20-90} pieces, {3-12} bags of {10-60}", "Lot of {12-60}: {1-9} shirts, {1-9} tops, {1-9} skirts", "{d3}/{500-999} numbered print", "1000 1500 2000 piece puzzles, all three"],
    "composition": ["{50-60}% cotton {20-30}% polyester {5-9}% elastane", "{60-80} Baumwolle / {20-40} Leinen, 30° waschbar", "{200-400} g/m², Ne {20-40}/2", "羊毛{50-80}% 聚酯纤维{10-40}%"],
    "zh-tag": ["货号 CN{d4}-{d3} 尺码 {160-185}/{80-100}A", "执行标准 GB/T {d4}-{2009-2020} FZ/T {d5}-{2009-2020}", "腰围{60-80} 裤长{90-105} 臀围{88-110}", "身高{160-180} 体重{90-150}斤穿正好"],
    "ids": ["RN {d5} CA {d5} on the care label", "Made to EN {1000-1999}:{2007-2019}+A1", "ISO {d4}-{1-9} certified, IP{54-68}", "Patent US {1-9},{d3},{d3}"],
    "version": ["iOS {12-17}.{1-6}.{1-4}, battery {80-99} %", "Firmware {1-4}.{d2}.{d3}", "HDMI 2.1, USB 3.2, 802.11ax"],
    "lego": ["Set {10001-76000}, {500-4000} pieces, box opened", "Playmobil {3000-9900} and {3000-9900}, nothing missing"],
    "years": ["Season {1988-1998}-{89-99} home shirt", "{1960-1979}/{60-79}er Jahre Kleid", "ca. {1920-1959}–{1960-1969}, estate find"],
    "hashtags": ["#y2k #{1990-1999} #size{34-44} #no{100-999}", "#vintage{70-99} #w{26-34}l{30-34} #denim501"],
    "weights": ["{d3} g, 925 silver, {16-20} mm", "yarn {400-800} m / {100-200} g, needle {2-5}.5", "{1-4} x {100-750} ml unopened"],
    "optics": ["{48-56}□{16-21} {135-150}, frame only", "sph -{1-4}.25 cyl -0.{25-75} ax {10-170}"],
    "postcode-town": ["Pick-up near {d5} town centre, exact place in the chat here", "Versand aus {10115-80999} Raum Süd"],
    "tire": ["{165-225}/{45-65} R{14-18} {80-95}H, DOT {10-52}{17-23}", "26x{1-2}.{75-95}, ETRTO {40-50}-559"],
    "room": ["Worn on stage {1-9} times, seat {1-40} row {1-30} ticket as a keepsake", "Hotel key fob no. {100-999}, brass"],
    "score": ["Print says {10-99}-{10-99} {1950-1999} across the chest", "Number {10-99} on the back, {1-9} on the sleeve"],
    "separated": ["Sizes left: {36-38} | {39-41} | {42-44} | {45-47}", "{1-9}-{10-19}-{20-29}-{30-39}-{40-49} punch card print", "colour codes {d3} {d3} {d3} {d3} (four skeins)"],
}

CLEAN: dict[str, list[str]] = {
    "bare-names": [
        "Telegram print tee, soft cotton", "Pin with the WhatsApp logo", "Plush in the shape of the LINE bear", "微信 logo 帆布袋",
        "QQ企鹅 公仔，八成新", "Instagram-style photo frame", "Snapchat ghost costume for kids", "Signal red raincoat",
        "Messenger bag, canvas strap", "Discord-purple beanie", "Facebook blue, if that helps", "A viber-ant shade of pink",
        "Skype blue scarf", "Cap with a Discord patch", "Vans-style slip-ons, no laces",
    ],
    "number-words": [
        "One pair, worn two or three times", "Seven buttons, one spare, four pockets", "Zwei Taschen, drei Knöpfe, ein Gürtel",
        "Un bouton manque sur six", "Tiene dos bolsillos y cuatro botones", "Due tasche, una cerniera", "size ten to twelve, nine at a pinch",
        "Ocean's Eleven tee", "Forever twenty one, not my size any more", "Catch twenty-two, first edition",
        "三件一起，两件八折", "一百二十码，九成新", "one two three GO print for toddlers", "Half a dozen, five white and one grey",
        "First, second and third gear replaced", "zero flaws, ten out of ten would wear again",
    ],
    "missing-space": [
        "Lovely coat.Never worn", "Navy blue.It has two pockets", "Größe M.Kaum getragen", "Warm and soft.In good shape",
        "belle robe.Taille un peu grand", "cotton.no stretch", "Size L.XL possible", "washed at 30.no shrinkage",
        "Nice fit.To be ironed", "Made well.Me and my sister shared it", "e.g. for autumn, i.e. not too warm", "approx.10 years old",
    ],
    "at-and-dot": [
        "3 @ 5 euro each", "Polka dot at the hem, plain at the back", "@ the moment a bit creased", "dot com era mousepad, no print",
        "at home in a smoke-free flat", "Swiss dot fabric, sheer", "look at dots, they are tiny", "Good at keeping the wind out",
        "Punkt Punkt Komma Strich print", "arroba weight scale, antique, 1 arroba = 11.5 kg", "mit Klammer und Punkt als Muster",
        "pattern: dot, dash, dot", "chiocciola di plastica per bambini",
    ],
    "cue-words": [
        "Call me by Your Name, paperback", "Message me here for more photos", "Text on the chest is cracked", "Contact lens case, unused",
        "Phone pocket inside, fits a 6.7 inch screen", "Address book, blank pages", "Mail order catalogue from 1974",
        "Mobile for a baby's cot, wooden", "Ring size 54, plain band", "Schreibt mir gern hier über die App", "Telefon aus Bakelit, Deko",
        "Snap fasteners down the front", "Add two sizes if you like it loose", "加大码，显瘦", "V领 针织衫 加厚", "加V领打底衫一件",
        "email-blue enamel mug", "Line dried, never tumbled", "Signal whistle, brass", "wx-proof? no, only showerproof",
        "Q: does it stretch? A: no", "V: neck. Not crew.", "Ig noble prize shirt", "sc 38, which is a small M",
    ],
    "towns": [
        "From Bristol, happy to post", "Pick-up possible in Köln-Ehrenfeld", "Envoi depuis Lyon", "Se envía desde Sevilla", "上海发货，包邮",
        "Ritiro a Torino possibile", "Collected from a house clearance in Leeds", "Wohnt jetzt in Graz", "Market find from Lille, 2016",
        "Odbiór osobisty Kraków", "Ophalen in Utrecht kan", "Shirt says Venice Beach",
    ],
    "street-words": [
        "Carnaby Street style shirt", "Abbey Road print, size M", "Wall Street braces, red", "Rue de Rivoli souvenir scarf",
        "Sesamstraße Kuscheltier", "Route 66 belt buckle", "Via Appia print linen towel", "5th Avenue look, big buttons",
        "Streetwear hoodie, 42 cm wide", "Straßenschuhe Gr. 42", "Baker Street mug, holds 300 ml", "21 Jump Street DVD",
        "avenue-length coat, 110 cm", "Plaza sandals, 39", "calle is Spanish for street, says the print",
    ],
    "plain": [
        "Soft and warm, little pilling at the cuffs", "Kleiner Fleck am Saum, sonst gut", "Robe légère, doublée", "Falda plisada, cintura elástica",
        "Gonna a pieghe, vita alta", "Rok met knopen, valt klein", "Sukienka w kwiaty, stan dobry", "Kjole i bomuld, brugt få gange",
        "Tröja i ull, nopprig", "Платье летнее, почти новое", "針織外套，袖口有點起球", "裙子全新，只试穿过", "ワンピース、未使用", "원피스 한 번 입었어요",
        "Sells as seen, see photo 3", "Ask me anything in the chat", "Bundle of summer things", "Hem let down once, line visible",
        "Zip runs well", "Belt loops all there", "Elastic a bit loose", "Smells of nothing but soap",
    ],
}


def fill(template: str, r: Random) -> str:
    """The template with a number in every slot."""

    def number(m: re.Match[str]) -> str:
        if m[1]:
            return "".join(str(r.randrange(10)) for _ in range(int(m[1])))
        return str(r.randint(int(m[2]), int(m[3])))

    return SLOT.sub(number, template)

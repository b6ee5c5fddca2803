"""Hand-marked descriptions and templates of the claims set; see ``make_claims`` for the markup."""

# ruff: noqa: E501  (one example a line)
from __future__ import annotations

from typing import Any

WORDS: dict[str, dict[str, list[str]]] = {
    "colour": {"black": ["black", "jet black"], "white": ["white", "off-white"], "red": ["red", "bright red"], "navy": ["navy", "navy blue", "dark blue"],
               "green": ["green", "bottle green"], "beige": ["beige", "camel", "sand-coloured"], "pink": ["pink", "dusty pink"], "light-blue": ["light blue", "sky blue"],
               "burgundy": ["burgundy", "wine red"], "grey": ["grey", "charcoal", "light grey"], "yellow": ["yellow", "mustard"]},
    "pattern": {"striped": ["striped", "stripy"], "floral": ["floral", "flower-print"], "checked": ["checked", "plaid", "tartan"], "polka-dot": ["polka dot", "dotted"],
                "solid": ["plain"], "animal": ["leopard-print", "zebra-print"], "camouflage": ["camo", "camouflage"]},
    "material": {"denim": ["denim"], "knit": ["knitted"], "leather": ["leather"], "cotton": ["cotton"], "linen": ["linen"], "wool": ["woollen", "wool"],
                 "satin": ["satin"], "corduroy": ["corduroy", "cord"]},
    "sleeve": {"long": ["long sleeves", "long-sleeved"], "short": ["short sleeves", "short-sleeved"], "sleeveless": ["sleeveless"], "three-quarter": ["three-quarter sleeves", "3/4 sleeves"]},
    "neckline": {"v-neck": ["v-neck", "V-neckline"], "crew": ["crew neck", "round neck"], "turtleneck": ["turtleneck", "roll neck"], "collar": ["collar"], "hood": ["hood"]},
    "closure": {"buttons": ["buttons", "a button front"], "zip": ["zip", "zipper"], "velcro": ["velcro straps"], "laces": ["laces"], "buckle": ["buckle"]},
    "audience": {"women": ["women's", "ladies'"], "men": ["men's"], "kids": ["kids'", "children's"], "baby": ["baby"]},
    "size": {"M": ["size M"], "38": ["size 38"], "L": ["size L"], "42": ["size 42", "EU 42"]},
    "brand": {"Nike": ["Nike"], "Zara": ["Zara"], "Adidas": ["adidas"], "Levi's": ["Levi's"], "H&M": ["H&M"]},
}  # fmt: skip

_OUTER = [("two pockets", "feature", "u"), ("water-resistant", "feature", "u"), ("a warm lining", "feature", "u")]
_ANY = [("never worn", "condition", "u"), ("like new", "condition", "u"), ("only 15 EUR", "price", "p"), ("100% authentic", "authenticity", "p"),
        ("bought in 2019", "age", "p"), ("with a warranty", "warranty", "p"), ("free shipping", "shipping", "p"), ("no stains", "condition", "u")]  # fmt: skip
# (category, nouns, template, extra claims)
TEMPLATES: list[tuple[str, list[str], str, list[tuple[str, str, str]]]] = [
    ("Dress", ["dress"], "{colour} {pattern} {noun} in {material}. A lovely piece for warm days, {extra}.", _ANY),
    ("Dress", ["dress", "midi dress"], "{audience} {colour} {noun} with a {neckline}. Easy to style, {extra}.", _ANY),
    ("Shirt", ["shirt"], "{colour} {pattern} {noun} from {brand}. It has {closure} at the front, {extra}.", _ANY),
    ("Shirt", ["shirt", "button-up shirt"], "This {material} {noun} is {colour} and comes in {size}.", _ANY),
    (
        "Longsleeve",
        ["sweater", "jumper"],
        "{brand} {noun} in {colour} with a {neckline}. Nice and soft, {extra}.",
        _ANY,
    ),
    ("Outwear", ["jacket", "coat"], "{colour} {noun} with a {neckline} and {closure}. It also has {extra}.", _OUTER),
    ("Outwear", ["jacket"], "{audience} {material} {noun}, {colour}, {size}. A good basic for everyday wear.", _ANY),
    ("Pants", ["jeans", "trousers"], "{colour} {material} {noun} by {brand}. {size}, {extra}.", _ANY),
    (
        "Shoes",
        ["sneakers", "shoes"],
        "{brand} {noun} in {colour} with {closure}. Comfortable for every day, {extra}.",
        _ANY,
    ),
    ("T-Shirt", ["t-shirt", "tee"], "{audience} {pattern} {noun} in {colour}. {size}.", _ANY),
    ("Skirt", ["skirt"], "A {colour} {noun} with a {pattern} look, made of {material}. {extra}.", _ANY),
    ("Hoodie", ["hoodie"], "Comfy {colour} {noun} with {closure}, {extra}.", _ANY),
]

Context = dict[str, Any]
HAND: list[tuple[str, dict[str, Any], Context, str]] = [
    ("Dress", {"colour": "blue", "pattern": "floral", "sleeve": "short"}, {}, "[[Blue|colour|s]] [[floral|pattern|s]] [[dress|category|s]] with [[short sleeves|sleeve|s]] and [[two side pockets|feature|u]]."),
    ("Dress", {"colour": "black", "sleeve": "sleeveless"}, {}, "[[Black|colour|s]] [[sleeveless|sleeve|s]] [[dress|category|s]]. [[100% silk|material|u]], [[dry clean only|feature|u]]."),
    ("Dress", {"colour": "red", "material": "lace"}, {}, "A [[red|colour|s]] [[lace|material|s]] [[dress|category|s]] that looks pretty at a party. It is [[authentic Chanel|authenticity|p]]."),
    ("T-Shirt", {"colour": "white", "pattern": "graphic", "text": "SUMMER VIBES"}, {"ocr": ["SUMMER VIBES"]}, "[[White|colour|s]] [[tee|category|s]] with the words [[\"Summer Vibes\"|text|s]] on the front. [[No stains|condition|u]] or [[holes|condition|u]]."),
    ("T-Shirt", {"colour": "grey"}, {}, "[[Grey|colour|s]] [[t-shirt|category|s]] with a [[Batman|text|u]] print."),
    ("Hoodie", {"colour": "grey", "neckline": "hood", "closure": "zip"}, {}, "[[Grey|colour|s]] [[hooded|neckline|s]] [[sweatshirt|category|s]] with a [[full zip|closure|s]]. [[Worn twice|condition|u]]."),
    ("Hoodie", {"colour": "black", "closure": "pull-on"}, {}, "[[Black|colour|s]] [[pullover|closure|s]] [[hoodie|category|s]] with a [[zip|closure|c]] and [[fleece lining|feature|u]]."),
    ("Outwear", {"colour": "olive", "closure": "zip", "neckline": "hood"}, {"note": "has a warm lining"}, "[[Olive green|colour|s]] [[parka|category|s]] with a [[hood|neckline|s]], a [[zip|closure|s]] and a [[warm lining|feature|s]]."),
    ("Outwear", {"colour": "black", "material": "leather"}, {"note": "Bought in 2020, hardly worn"}, "[[Black|colour|s]] [[leather|material|s]] [[jacket|category|s]], [[bought in 2020|age|s]] and [[hardly worn|condition|s]]."),
    ("Outwear", {"colour": "beige"}, {"neighbours": {"brand": ["Burberry"]}}, "[[Beige|colour|s]] [[trench coat|category|s]] by [[Burberry|brand|k]]."),
    ("Outwear", {"colour": "navy", "material": "padded"}, {}, "[[Dark blue|colour|s]] [[quilted|material|s]] [[jacket|category|s]]. [[Waterproof|feature|u]] and [[windproof|feature|u]], it keeps you warm."),
    ("Shoes", {"colour": "white", "closure": "laces", "brand": "Nike"}, {"ocr": ["NIKE"]}, "[[White|colour|s]] [[Nike|brand|s]] [[trainers|category|s]] with [[laces|closure|s]] in [[size 43|size|u]]."),
    ("Shoes", {"colour": "brown", "closure": "slip-on", "condition": ["scuffed"]}, {}, "[[Brown|colour|s]] [[slip-on|closure|s]] [[loafers|category|s]] that show [[scuffs|condition|s]] at the toes. [[Genuine leather|material|u]]."),
    ("Shoes", {"colour": "black", "closure": "velcro", "audience": "kids"}, {}, "[[Kids'|audience|s]] [[black|colour|s]] [[shoes|category|s]] with a [[hook-and-loop|closure|s]] strap, [[orthopaedic|medical|p]] and [[good for flat feet|medical|p]]."),
    ("Pants", {"colour": "blue", "material": "denim", "condition": ["faded"]}, {}, "[[Blue|colour|s]] [[jeans|category|s]] with [[light fading|condition|s]] on the thighs. [[Levi's|brand|u]] [[W32 L34|size|u]]."),
    ("Pants", {"colour": "grey", "closure": "tie"}, {}, "[[Grey|colour|s]] [[sweatpants|category|s]] with a [[drawstring|closure|s]] waist and [[back pocket|feature|u]]."),
    ("Pants", {"colour": "black"}, {}, "[[Red|colour|c]] [[trousers|category|s]], [[original price 89 EUR|price|p]]."),
    ("Shorts", {"colour": "green", "pattern": "solid"}, {}, "[[Plain|pattern|s]] [[green|colour|s]] [[shorts|category|s]] for [[men|audience|u]]. [[Ships within 24 hours|shipping|p]]."),
    ("Shorts", {"colour": "navy", "pattern": "graphic"}, {}, "[[Navy|colour|s]] [[swim shorts|category|s]] with a [[printed|pattern|s]] palm motif. [[Quick-drying|feature|u]]."),
    ("Skirt", {"colour": "pink", "pattern": "polka-dot"}, {}, "[[Pink|colour|s]] [[skirt|category|s]] with [[white|colour|u]] [[dots|pattern|s]]."),
    ("Skirt", {"colour": "black", "colour2": "white", "pattern": "striped"}, {}, "[[Black|colour|s]] and [[white|colour|s]] [[striped|pattern|s]] [[mini skirt|category|s]]. [[Returns accepted|shipping|p]]."),
    ("Hat", {"colour": "black", "brand": "New Era"}, {"ocr": ["NEW ERA"]}, "[[Black|colour|s]] [[baseball cap|category|s]] from [[New Era|brand|s]], [[one size|size|u]]."),
    ("Hat", {"colour": "white", "material": "knit"}, {}, "A simple [[white|colour|s]] [[knitted|material|s]] [[beanie|category|s]]. [[Handmade|origin|u]] with [[merino wool|material|c]]."),
    ("Hat", {"colour": "beige"}, {}, "[[Beige|colour|s]] [[bucket hat|category|s]], [[made in Italy|origin|u]]."),
    ("Polo", {"colour": "navy", "sleeve": "short", "neckline": "collar"}, {}, "[[Navy|colour|s]] [[short-sleeve|sleeve|s]] [[polo shirt|category|s]] with a soft [[collar|neckline|s]] and a [[crocodile logo|brand|u]]."),
    ("Polo", {"colour": "green", "brand": "Lacoste"}, {"ocr": ["LACOSTE"]}, "[[Green|colour|s]] [[Lacoste|brand|s]] [[polo|category|s]], [[genuine|authenticity|p]] and [[in perfect condition|condition|u]]."),
    ("Shirt", {"colour": "white", "pattern": "striped", "colour2": "blue"}, {}, "[[White|colour|s]] [[shirt|category|s]] with [[blue|colour|s]] [[stripes|pattern|s]]."),
    ("Shirt", {"colour": "red", "pattern": "checked", "material": "cotton"}, {}, "[[Red|colour|s]] [[plaid|pattern|s]] [[flannel|material|u]] [[shirt|category|s]]."),
    ("Shirt", {"colour": "light-blue", "closure": "buttons", "condition": ["creased"]}, {}, "[[Pale blue|colour|s]] [[button-up|closure|s]] [[shirt|category|s]], a bit [[creased|condition|s]] in the photo."),
    ("Shirt", {"colour": "black"}, {"note": "size L, smoke free home"}, "[[Black|colour|s]] [[shirt|category|s]] in [[size L|size|s]]. From a [[smoke-free home|condition|s]]."),
    ("Blouse", {"colour": "white", "material": "chiffon"}, {}, "Airy [[white|colour|s]] [[chiffon|material|s]] [[blouse|category|s]] with a [[bow|feature|u]] at the neck."),
    ("Blouse", {"colour": "yellow"}, {"neighbours": {"pattern": ["floral"]}}, "[[Yellow|colour|s]] [[blouse|category|s]] with a [[floral|pattern|k]] print."),
    ("Blazer", {"colour": "grey", "closure": "buttons"}, {}, "[[Grey|colour|s]] [[blazer|category|s]] with [[two buttons|closure|s]]. [[Tailored by hand|origin|u]] in [[Savile Row|origin|u]]."),
    ("Blazer", {"colour": "navy", "audience": "women"}, {}, "[[Ladies'|audience|s]] [[navy blue|colour|s]] [[blazer|category|s]] with [[shoulder pads|feature|u]]; [[two years old|age|p]]."),
    ("Body", {"colour": "white", "audience": "baby"}, {}, "[[White|colour|s]] [[baby|audience|s]] [[bodysuit|category|s]], [[organic cotton|material|u]], [[hypoallergenic|medical|p]]."),
    ("Body", {"colour": "pink", "closure": "buttons", "audience": "baby"}, {}, "[[Pink|colour|s]] [[romper|category|s]] with [[snaps|closure|s]], [[3-6 months|size|u]]."),
    ("Longsleeve", {"colour": "burgundy", "neckline": "turtleneck"}, {}, "[[Wine-red|colour|s]] [[roll-neck|neckline|s]] [[jumper|category|s]], [[cashmere|material|u]], [[washed once|condition|u]]."),
    ("Longsleeve", {"colour": "green", "pattern": "striped"}, {}, "[[Green|colour|s]] [[striped|pattern|s]] [[sweater|category|s]]. [[No pilling|condition|u]], [[no holes|condition|u]]."),
    ("Longsleeve", {"colour": "grey", "condition": ["pilling"]}, {}, "[[Grey|colour|s]] [[pullover|category|s]] with some [[pilling|condition|s]]. It [[looks like new|condition|u]] otherwise."),
    ("Undershirt", {"colour": "black", "sleeve": "sleeveless"}, {}, "[[Black|colour|s]] [[tank top|category|s]] with a [[racerback|feature|u]]."),
    ("Undershirt", {"colour": "white"}, {}, "[[White|colour|s]] [[sleeveless|sleeve|u]] [[vest top|category|s]] in [[ribbed|feature|u]] [[jersey|material|u]]."),
    ("Top", {"colour": "purple", "neckline": "off-shoulder"}, {}, "[[Purple|colour|s]] [[off-the-shoulder|neckline|s]] [[top|category|s]] from [[Mango|brand|u]]."),
    ("Top", {"colour": "gold"}, {}, "[[Gold|colour|s]] [[sequin|feature|u]] [[top|category|s]], a real eye-catcher for a night out."),
    ("Dress", {"colour": "blue"}, {}, "[[Blue|colour|s]] [[jacket|category|c]] with [[buttons|closure|u]]."),
    ("Shoes", {"colour": "pink"}, {}, "[[Pink|colour|s]] [[dress|category|c]] with a [[heel|feature|u]] of [[8 cm|size|u]]."),
    ("Dress", {"colour": "green", "audience": "women"}, {}, "Elegant [[green|colour|s]] [[evening dress|category|s]] in [[very good condition|condition|u]], [[no signs of wear|condition|u]], fits true to size."),
    ("Outwear", {"colour": "grey", "condition": ["stain"]}, {}, "[[Grey|colour|s]] [[coat|category|s]] with [[a small stain|condition|s]] on the sleeve, [[belt included|feature|u]]."),
    ("T-Shirt", {"colour": "black", "brand": "Adidas"}, {"ocr": ["adidas"]}, "[[Adidas|brand|s]] [[t-shirt|category|s]] in [[black|colour|s]]. [[Limited edition|feature|u]], [[sold out everywhere|feature|u]]."),
    ("Pants", {"colour": "brown", "material": "corduroy"}, {}, "[[Brown|colour|s]] [[corduroy|material|s]] [[trousers|category|s]] with a [[high waist|feature|u]] and [[wide legs|feature|u]]."),
    ("Shoes", {"colour": "silver", "closure": "buckle"}, {}, "[[Silver|colour|s]] [[sandals|category|s]] with a [[buckle|closure|s]] and a [[cork sole|feature|u]]. [[Vegan|material|u]]."),
]  # fmt: skip

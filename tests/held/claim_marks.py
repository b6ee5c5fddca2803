"""Descriptions in a private seller's voice; every claim is marked with its kind and what the facts make of it.

``[[colour+|navy]]``: ``+`` supported, ``-`` contradicted, ``?`` unsupported, ``~`` only a neighbour says so, ``!`` prohibited.
"""

from __future__ import annotations

from dataclasses import dataclass, field

Value = str | list[str]


@dataclass(frozen=True)
class Described:
    """One marked description and all that is known of its item."""

    group: str
    category: str
    facts: dict[str, Value]
    text: str
    note: str = ""
    ocr: list[str] = field(default_factory=list)
    neighbours: dict[str, list[str]] = field(default_factory=dict)


D = Described

HONEST = [
    D(
        "honest",
        "shirt",
        dict(item="shirt", colour="navy", pattern="checked", sleeve="long", closure="buttons"),
        "My [[item+|shirt]] in [[colour+|dark blue]], [[pattern+|checked]], with [[sleeve+|long sleeves]]. It [[closure+|buttons up]] at the front.",
    ),
    D(
        "honest",
        "dress",
        dict(item="dress", colour="green", pattern="floral", sleeve="short", neckline="v-neck"),
        "This [[item+|dress]] is [[colour+|green]] with [[pattern+|flowers]] all over, a [[neckline+|V-neck]] and [[sleeve+|short sleeves]]. Lovely for a garden party.",
    ),
    D(
        "honest",
        "hoodie",
        dict(item="hoodie", colour="grey", neckline="hood", closure="zip", condition=["pilling"]),
        "A [[colour+|grey]] [[item+|hoodie]] with a [[closure+|zip]]. The fabric is [[condition+|a little bobbly]], as you can see.",
    ),
    D(
        "honest",
        "shoes",
        dict(item="shoes", colour="white", closure="laces", condition=["scuffed", "worn-sole"]),
        "[[colour+|White]] [[item+|shoes]] that [[closure+|lace up]]. They have [[condition+|scuffs]] and the [[condition+|soles are worn]].",
    ),
    D(
        "honest",
        "skirt",
        dict(item="skirt", colour="beige", material="corduroy", closure="buttons"),
        "[[colour+|Beige]] [[item+|skirt]] in [[material+|cord]], [[closure+|buttoned]]. Goes with nearly everything.",
    ),
    D(
        "honest",
        "t-shirt",
        dict(item="t-shirt", colour="black", text="NEVER MIND", pattern="graphic"),
        "[[colour+|Black]] [[item+|tee]] that says [[text+|NEVER MIND]] across it. One of my favourites.",
        ocr=["NEVER MIND"],
    ),
    D(
        "honest",
        "jumper",
        dict(item="jumper", colour="burgundy", neckline="turtleneck", material="wool"),
        "Cosy [[item+|sweater]] with a [[neckline+|roll neck]], [[material+|wool]], in [[colour+|wine red]]. I will miss it in winter.",
    ),
    D(
        "honest",
        "trousers",
        dict(item="trousers", colour="olive", closure="zip", condition=["creased"]),
        "[[colour+|Olive green]] [[item+|pants]] with a [[closure+|zip fly]]. They are [[condition+|wrinkled]] from the drawer.",
    ),
    D(
        "honest",
        "coat",
        dict(item="coat", colour="brown", material="suede", neckline="lapel"),
        "A [[colour+|brown]] [[item+|coat]] in [[material+|suede]] with [[neckline+|lapels]]. Makes any outfit look dressed up.",
    ),
    D(
        "honest",
        "top",
        dict(item="top", colour="pink", sleeve="sleeveless", neckline="halter"),
        "[[colour+|Pink]] [[neckline+|halterneck]] [[item+|top]], [[sleeve+|no sleeves]]. Sweet thing for summer.",
    ),
    D(
        "honest-label",
        "jeans",
        dict(item="jeans", colour="blue", material="denim", brand="Levi's", size="W30 L32"),
        "[[brand+|Levi's]] [[item+|jeans]], [[colour+|blue]] [[material+|denim]], [[size+|W30 L32]] on the label.",
        ocr=["LEVI'S", "W30 L32"],
    ),
    D(
        "honest-label",
        "jacket",
        dict(item="jacket", colour="yellow", size="164", audience="kids", neckline="hood"),
        "[[colour+|Yellow]] [[item+|jacket]] for [[audience+|children]], size [[size+|164]], with a [[neckline+|hood]].",
        ocr=["164"],
    ),
    D(
        "honest-note",
        "dress",
        dict(item="dress", colour="red"),
        "[[colour+|Red]] [[item+|dress]]. I [[condition+|wore it twice]], and it [[feature+|has pockets]].",
        note="Worn twice. It has pockets!",
    ),
    D(
        "honest-note",
        "boots",
        dict(item="boots", colour="black", material="leather"),
        "[[colour+|Black]] [[material+|leather]] [[item+|boots]]. I [[age+|bought them in 2021]]; the [[price+|price then was 140 euros]].",
        note="bought in 2021 for 140 euros",
    ),
    D(
        "honest-note",
        "jumper",
        dict(item="cardigan", colour="white", closure="buttons"),
        "[[colour+|White]] [[item+|cardigan]]. [[condition+|One button is missing]]. [[shipping+|I post on Mondays]].",
        note="one button missing; posting on mondays only",
    ),
    D(
        "honest-two",
        "shirt",
        dict(item="shirt", colour="blue", colour2="white", pattern="striped", neckline="collar"),
        "[[pattern+|Stripes]] in [[colour+|blue]] and [[colour+|white]], a proper [[neckline+|collar]]: a [[item+|shirt]] that works on most days.",
    ),
    D(
        "honest-none",
        "hat",
        dict(item="hat", colour="orange", pattern="solid"),
        "A [[colour+|bright orange]] [[item+|hat]], [[pattern+|plain]]. Hard to lose.",
    ),
    D(
        "honest-blank",
        "blouse",
        dict(item="blouse", colour="unknown", closure="unknown"),
        "A pretty [[item+|blouse]] looking for a new home. Easy to dress up or down.",
    ),
]

WRONG = [
    D(
        "wrong-colour",
        "dress",
        dict(item="dress", colour="yellow", sleeve="short"),
        "Here is my [[colour-|lilac]] [[item+|dress]] with [[sleeve+|short sleeves]]. So cheerful.",
    ),
    D(
        "wrong-colour",
        "trousers",
        dict(item="trousers", colour="black", pattern="solid"),
        "[[colour-|Cream]] [[item+|trousers]], [[pattern+|plain]], for the office or a dinner.",
    ),
    D(
        "wrong-colour",
        "jumper",
        dict(item="jumper", colour="green", neckline="crew"),
        "I am letting go of this [[colour-|rust-coloured]] [[item+|jumper]] with its [[neckline+|round neck]].",
    ),
    D(
        "wrong-colour",
        "coat",
        dict(item="coat", colour="red", closure="buttons"),
        "A [[colour-|charcoal]] [[item+|coat]] that does up with [[closure+|buttons]].",
    ),
    D(
        "wrong-pattern",
        "skirt",
        dict(item="skirt", colour="navy", pattern="polka-dot"),
        "[[colour+|Navy]] [[item+|skirt]] with [[pattern-|stripes]]. Twirls nicely.",
    ),
    D(
        "wrong-pattern",
        "shirt",
        dict(item="shirt", colour="white", pattern="solid", sleeve="long"),
        "A [[pattern-|tartan]] [[item+|shirt]], [[colour+|white]], [[sleeve+|long-sleeved]].",
    ),
    D(
        "wrong-pattern",
        "blouse",
        dict(item="blouse", colour="purple", pattern="striped"),
        "[[colour+|Purple]] [[item+|blouse]], covered in [[pattern-|little flowers]].",
    ),
    D(
        "wrong-sleeve",
        "dress",
        dict(item="dress", colour="black", sleeve="sleeveless", neckline="square"),
        "[[colour+|Black]] [[item+|dress]] with a [[neckline+|square neckline]] and [[sleeve-|long sleeves]].",
    ),
    D(
        "wrong-sleeve",
        "t-shirt",
        dict(item="t-shirt", colour="grey", sleeve="short"),
        "[[colour+|Grey]] [[item+|T-shirt]], [[sleeve-|three-quarter sleeves]], good for layering.",
    ),
    D(
        "wrong-neck",
        "jumper",
        dict(item="jumper", colour="beige", neckline="crew", material="knit"),
        "[[material+|Knitted]] [[item+|pullover]] in [[colour+|sand]] with a [[neckline-|deep V-neck]].",
    ),
    D(
        "wrong-neck",
        "top",
        dict(item="top", colour="blue", neckline="boat"),
        "This [[colour+|blue]] [[item+|top]] sits [[neckline-|off the shoulder]]. I love it with a long necklace.",
    ),
    D(
        "wrong-closure",
        "jacket",
        dict(item="jacket", colour="olive", closure="zip"),
        "[[colour+|Olive]] [[item+|jacket]] that [[closure-|buttons up]]. Great for a walk.",
    ),
    D(
        "wrong-closure",
        "shoes",
        dict(item="shoes", colour="brown", closure="buckle", material="leather"),
        "[[colour+|Brown]] [[material+|leather]] [[item+|shoes]] with [[closure-|laces]].",
    ),
    D(
        "wrong-closure",
        "shoes",
        dict(item="shoes", colour="pink", closure="velcro", audience="kids"),
        "[[colour+|Pink]] [[audience+|kids']] [[item+|shoes]], [[closure-|slip-on]], easy in the morning.",
    ),
    D(
        "wrong-material",
        "skirt",
        dict(item="skirt", colour="black", material="leather"),
        "[[colour+|Black]] [[item+|skirt]] made of [[material-|linen]]. Feels special.",
    ),
    D(
        "wrong-material",
        "trousers",
        dict(item="trousers", colour="blue", material="linen"),
        "[[colour+|Blue]] [[item+|trousers]] in [[material-|corduroy]] for colder days.",
    ),
    D(
        "wrong-material",
        "jacket",
        dict(item="jacket", colour="grey", material="fleece", closure="zip"),
        "[[colour+|Grey]] [[material-|denim]] [[item+|jacket]], closes with a [[closure+|zipper]].",
    ),
    D(
        "wrong-audience",
        "coat",
        dict(item="coat", colour="navy", audience="men"),
        "[[audience-|Women's]] [[item+|coat]] in [[colour+|navy blue]], a classic.",
    ),
    D(
        "wrong-audience",
        "boots",
        dict(item="boots", colour="red", audience="kids"),
        "[[colour+|Red]] [[item+|boots]] for [[audience-|men]], ready for puddles.",
    ),
    D(
        "wrong-item",
        "skirt",
        dict(item="skirt", colour="green", closure="zip"),
        "A [[colour+|green]] [[item-|cardigan]] with a [[closure+|zip]].",
    ),
    D("wrong-item", "hat", dict(item="hat", colour="beige"), "Comfortable [[item-|boots]] in [[colour+|beige]]."),
    D(
        "wrong-brand",
        "hoodie",
        dict(item="hoodie", colour="black", brand="Puma"),
        "[[colour+|Black]] [[item+|hoodie]] by [[brand-|Adidas]]. Good for the gym.",
        ocr=["PUMA"],
    ),
    D(
        "wrong-size",
        "jeans",
        dict(item="jeans", colour="blue", size="W28 L30"),
        "[[colour+|Blue]] [[item+|jeans]], [[size-|W34 L36]] on the tag.",
        ocr=["W28 L30"],
    ),
    D(
        "wrong-size",
        "dress",
        dict(item="dress", colour="pink", size="38"),
        "[[colour+|Rose]] [[item+|dress]] in [[size-|size 44]].",
        ocr=["38"],
    ),
    D(
        "wrong-text",
        "t-shirt",
        dict(item="t-shirt", colour="white", text="SUNDAY CLUB"),
        '[[colour+|White]] [[item+|t-shirt]], the print reads [[text-|"MONDAY BLUES"]].',
        ocr=["SUNDAY CLUB"],
    ),
    D(
        "wrong-condition",
        "shoes",
        dict(item="shoes", colour="white", condition=["scuffed"]),
        "[[colour+|White]] [[item+|shoes]] [[condition-|without a single scuff]].",
    ),
    D(
        "wrong-condition",
        "shirt",
        dict(item="shirt", colour="blue", condition=["stain"]),
        "[[colour+|Blue]] [[item+|shirt]] with [[condition-|no stains]] at all.",
    ),
    D(
        "wrong-condition",
        "jumper",
        dict(item="jumper", colour="grey", condition=["hole"]),
        "[[colour+|Grey]] [[item+|jumper]], [[condition-|no holes]], good for the sofa.",
    ),
]

INVENTED = [
    D(
        "invented-condition",
        "dress",
        dict(item="dress", colour="blue"),
        "[[colour+|Blue]] [[item+|dress]], [[condition?|never worn]]. It simply never was my style.",
    ),
    D(
        "invented-condition",
        "trousers",
        dict(item="trousers", colour="beige"),
        "[[colour+|Beige]] [[item+|trousers]] in [[condition?|as-new condition]].",
    ),
    D(
        "invented-condition",
        "coat",
        dict(item="coat", colour="grey", closure="buttons"),
        "[[colour+|Grey]] [[item+|coat]] with [[closure+|buttons]]. [[condition?|Only worn a handful of times]], and [[condition?|dry-cleaned]] since.",
    ),
    D(
        "invented-feature",
        "skirt",
        dict(item="skirt", colour="red", pattern="checked"),
        "[[pattern+|Plaid]] [[item+|skirt]] in [[colour+|red]]. It is [[feature?|fully lined]] and has [[feature?|two side pockets]].",
    ),
    D(
        "invented-feature",
        "jacket",
        dict(item="jacket", colour="black", closure="zip"),
        "[[colour+|Black]] [[item+|jacket]], [[closure+|zipped]], with a [[feature?|detachable hood]].",
    ),
    D(
        "invented-feature",
        "boots",
        dict(item="boots", colour="brown"),
        "[[colour+|Brown]] [[item+|boots]], and they are [[feature?|waterproof]].",
    ),
    D(
        "invented-material",
        "blouse",
        dict(item="blouse", colour="white", sleeve="long"),
        "[[colour+|White]] [[item+|blouse]] with [[sleeve+|long sleeves]] in [[material?|pure silk]].",
    ),
    D(
        "invented-material",
        "jumper",
        dict(item="jumper", colour="pink", material="unknown"),
        "[[colour+|Pink]] [[item+|jumper]] knitted from [[material?|cashmere]].",
    ),
    D(
        "invented-material",
        "dress",
        dict(item="dress", colour="black"),
        "[[colour+|Black]] [[item+|dress]], [[material?|95% viscose and 5% elastane]].",
    ),
    D(
        "invented-brand",
        "t-shirt",
        dict(item="t-shirt", colour="green", sleeve="short"),
        "[[colour+|Green]] [[item+|tee]] from [[brand?|Tommy Hilfiger]] with [[sleeve+|short sleeves]].",
    ),
    D(
        "invented-brand",
        "coat",
        dict(item="coat", colour="beige", brand="unknown"),
        "A [[colour+|beige]] [[item+|coat]] by [[brand?|Burberry]]. Timeless.",
    ),
    D(
        "invented-size",
        "shirt",
        dict(item="shirt", colour="blue", pattern="checked"),
        "[[colour+|Blue]] [[pattern+|check]] [[item+|shirt]], [[size?|size L]].",
    ),
    D(
        "invented-size",
        "shoes",
        dict(item="shoes", colour="white", closure="laces"),
        "[[colour+|White]] [[closure+|lace-up]] [[item+|shoes]], [[size?|EU 41]].",
    ),
    D(
        "invented-measure",
        "trousers",
        dict(item="trousers", colour="grey"),
        "[[colour+|Grey]] [[item+|trousers]]. The [[size?|inside leg is 78 cm]].",
    ),
    D(
        "invented-origin",
        "hat",
        dict(item="hat", colour="brown"),
        "[[colour+|Brown]] [[item+|hat]], [[origin?|made in Italy]].",
    ),
    D(
        "invented-origin",
        "jumper",
        dict(item="cardigan", colour="red", closure="buttons"),
        "[[colour+|Red]] [[item+|cardigan]] with [[closure+|buttons]], [[origin?|hand-knitted in Scotland]].",
    ),
    D(
        "invented-detail",
        "dress",
        dict(item="dress", colour="purple"),
        "[[colour+|Purple]] [[item+|dress]] with a [[neckline?|V-neck]] and [[sleeve?|short sleeves]].",
    ),
    D(
        "invented-detail",
        "shirt",
        dict(item="shirt", sleeve="long"),
        "A [[item+|shirt]] with [[sleeve+|long sleeves]] in [[colour?|pale yellow]]. Soft and easy.",
    ),
    D(
        "invented-audience",
        "jumper",
        dict(item="jumper", colour="olive"),
        "[[audience?|Men's]] [[item+|jumper]], [[colour+|olive]].",
    ),
]

COPIED = [
    D(
        "copied-brand",
        "jeans",
        dict(item="jeans", colour="blue"),
        "[[colour+|Blue]] [[item+|jeans]] by [[brand~|Wrangler]].",
        neighbours={"brand": ["Wrangler"]},
    ),
    D(
        "copied-brand",
        "shoes",
        dict(item="shoes", colour="grey", closure="laces"),
        "[[colour+|Grey]] [[brand~|New Balance]] [[item+|shoes]] with [[closure+|laces]].",
        neighbours={"brand": ["New Balance", "Asics"]},
    ),
    D(
        "copied-size",
        "skirt",
        dict(item="skirt", colour="black"),
        "[[colour+|Black]] [[item+|skirt]], [[size~|size 36]].",
        neighbours={"size": ["36"]},
    ),
    D(
        "copied-material",
        "coat",
        dict(item="coat", colour="navy"),
        "[[colour+|Navy]] [[item+|coat]] of [[material~|wool]]. Smart in every way.",
        neighbours={"material": ["wool"]},
    ),
    D(
        "copied-material",
        "blouse",
        dict(item="blouse", colour="white", neckline="collar"),
        "[[colour+|White]] [[item+|blouse]] with a [[neckline+|collar]], in [[material~|satin]].",
        neighbours={"material": ["satin"], "colour": ["white"]},
    ),
    D(
        "copied-colour",
        "hat",
        dict(item="hat", pattern="striped"),
        "[[pattern+|Stripy]] [[item+|hat]] in [[colour~|green]].",
        neighbours={"colour": ["green"]},
    ),
    D(
        "copied-closure",
        "jacket",
        dict(item="jacket", colour="red"),
        "[[colour+|Red]] [[item+|jacket]], shuts with a [[closure~|zip]].",
        neighbours={"closure": ["zip"]},
    ),
    D(
        "copied-sleeve",
        "dress",
        dict(item="dress", colour="orange"),
        "[[colour+|Orange]] [[item+|dress]], [[sleeve~|sleeveless]].",
        neighbours={"sleeve": ["sleeveless"]},
    ),
]

PROHIBITED = [
    D(
        "forbidden-genuine",
        "boots",
        dict(item="boots", colour="black", brand="Dr. Martens"),
        "[[colour+|Black]] [[brand+|Dr. Martens]] [[item+|boots]], [[authenticity!|100% genuine]].",
        ocr=["Dr. Martens"],
    ),
    D(
        "forbidden-genuine",
        "jacket",
        dict(item="jacket", colour="green"),
        "[[colour+|Green]] [[item+|jacket]]. [[authenticity!|I guarantee it is an original]].",
    ),
    D(
        "forbidden-warranty",
        "shoes",
        dict(item="shoes", colour="blue"),
        "[[colour+|Blue]] [[item+|shoes]], [[warranty!|with six months of warranty]].",
    ),
    D(
        "forbidden-medical",
        "trousers",
        dict(item="trousers", colour="grey"),
        "[[colour+|Grey]] [[item+|trousers]] that [[medical!|help against back pain]].",
    ),
    D(
        "forbidden-medical",
        "jumper",
        dict(item="jumper", colour="white"),
        "[[colour+|White]] [[item+|jumper]], and it is [[medical!|hypoallergenic]].",
    ),
    D(
        "forbidden-price",
        "dress",
        dict(item="dress", colour="gold"),
        "[[colour+|Golden]] [[item+|dress]]. [[price!|It cost 220 euros new]].",
    ),
    D(
        "forbidden-age",
        "skirt",
        dict(item="skirt", colour="brown", material="suede"),
        "[[colour+|Brown]] [[material+|suede]] [[item+|skirt]], [[age!|from the 1970s]].",
    ),
    D(
        "forbidden-age",
        "shirt",
        dict(item="shirt", colour="black"),
        "[[colour+|Black]] [[item+|shirt]], [[age!|bought last summer]].",
    ),
    D(
        "forbidden-shipping",
        "coat",
        dict(item="coat", colour="burgundy"),
        "[[colour+|Burgundy]] [[item+|coat]]. [[shipping!|Postage is free]].",
    ),
    D(
        "forbidden-returns",
        "top",
        dict(item="top", colour="silver"),
        "[[colour+|Silver]] [[item+|top]]. [[shipping!|Returns are accepted within 14 days]].",
    ),
]

MIXED = [
    D(
        "mixed",
        "shirt",
        dict(item="shirt", colour="blue", pattern="striped", sleeve="short", closure="buttons", size="M"),
        "I am clearing my wardrobe. The [[item+|shirt]] is a [[size+|medium]], [[pattern+|striped]], with [[sleeve-|long sleeves]] and [[closure+|a row of buttons]]. "
        "It comes from [[brand?|Hugo Boss]] and has a [[feature?|chest pocket]].",
        ocr=["M"],
    ),
    D(
        "mixed",
        "dress",
        dict(item="dress", colour="black", colour2="white", pattern="polka-dot", neckline="v-neck"),
        "[[colour+|Black]] with [[colour+|white]] [[pattern+|dots]], this [[item+|dress]] has a [[neckline-|high turtleneck]]. "
        "[[condition?|Worn once]], and I [[shipping!|ship worldwide]].",
    ),
    D(
        "mixed",
        "hoodie",
        dict(item="hoodie", colour="navy", text="ROWING 84", neckline="hood", condition=["faded"]),
        "[[colour+|Navy]] [[item+|hooded sweatshirt]] with [[text+|ROWING 84]] on it. The print has [[condition+|faded]] a bit, still it is [[authenticity!|authentic]] "
        "and [[material?|organic cotton]].",
        ocr=["ROWING 84"],
    ),
    D(
        "mixed",
        "boots",
        dict(item="boots", colour="brown", material="leather", closure="zip", condition=["worn-sole"]),
        "[[colour+|Brown]] [[item+|boots]] in [[material+|leather]], they [[closure+|zip up]]. The [[condition-|soles are like new]], the [[feature?|heel is 6 cm]].",
        neighbours={"closure": ["laces"]},
    ),
    D(
        "mixed",
        "jumper",
        dict(item="cardigan", colour="grey", material="knit", closure="buttons"),
        "[[colour+|Grey]] [[material+|knit]] [[item+|cardigan]], [[closure-|zipped]]. A [[brand~|COS]] piece. Good on the balcony at night.",
        neighbours={"brand": ["COS"]},
    ),
    D(
        "mixed",
        "jacket",
        dict(item="jacket", colour="blue", material="denim", closure="buttons", audience="women"),
        "[[audience+|Ladies']] [[material+|jeans]] [[item+|jacket]] in a [[colour+|blue]] that suits everyone, [[closure+|buttoned]], [[sleeve?|with three-quarter sleeves]].",
    ),
]

ALL = [*HONEST, *WRONG, *INVENTED, *COPIED, *PROHIBITED, *MIXED]

"""Writes ``dev_goods.jsonl`` from hand-written lines. ``python -m tests.sets.make_goods``."""

# ruff: noqa: E501  (one example a line)
from __future__ import annotations

from tests.sets.jsonl import write

# (category or None, text)
PROHIBITED: list[tuple[str | None, str]] = [
    (None, "Glock 19 pistol, 9mm, two magazines included"),
    (None, "Box of 50 rounds .45 ACP ammunition"),
    ("Outwear", "Hunting jacket, comes with the hunting rifle too"),
    (None, "Pepper spray 400 ml, police grade"),
    (None, "Brass knuckles, heavy, never used"),
    (None, "Switchblade knife with ivory look handle"),
    (None, "Taser with holster"),
    (None, "10 g of weed, home grown, very strong"),
    (None, "LSD blotters, pack of ten"),
    (None, "Xanax 2mg bars, full box, no prescription needed"),
    (None, "Unopened Viagra 100 mg, 8 tablets"),
    (None, "Ozempic pen, unopened, kept in the fridge"),
    (None, "Leftover antibiotics amoxicillin 500mg"),
    (None, "Carton of Marlboro cigarettes, duty free"),
    (None, "Disposable vape, 5000 puffs, mango"),
    (None, "E-liquid 50 ml, 20 mg nicotine"),
    (None, "Bottle of Johnnie Walker whisky, sealed"),
    (None, "Six bottles of red wine, Rioja 2015"),
    (None, "Labrador puppies, 8 weeks old, looking for a home"),
    (None, "Live ball python with terrarium"),
    (None, "Carved elephant ivory bracelet, antique"),
    ("Outwear", "Coat made from real leopard skin, shot in 1950"),
    (None, "Tortoiseshell comb from real hawksbill turtle"),
    (None, "Real human skull, medical specimen"),
    ("Shoes", "Nike Air Jordan 1:1 replica, AAA quality, comes with box"),
    (None, "Gucci bag, super fake, looks identical to the original"),
    (None, "Louis Vuitton inspired mirror quality handbag with fake logo"),
    (None, "Blank passport and driver's licence, any name"),
    (None, "Police badge and warrant card, genuine"),
    (None, "iPhone 13, found it, iCloud locked, no questions asked"),
    (None, "RFID card skimmer with software"),
    (None, "Hacked Netflix account, lifetime login"),
    (None, "Fireworks, 200 shots battery, category F3"),
    (None, "Steam gift card codes 100 EUR for 60 EUR"),
    (None, "Used worn panties, sealed in a bag, unwashed, with pictures on request"),
    (None, "Lottery ticket for the Saturday draw, syndicate share"),
    (None, "Recalled baby rocker Fisher-Price Rock 'n Play"),
    (None, "Contact lenses -2.5 coloured, prescription"),
    (None, "Escort service, one hour massage with happy end"),
    (None, "Counterfeit 50 euro notes, pass the pen test"),
]
LEGITIMATE: list[tuple[str | None, str]] = [
    (None, "Toy gun with foam darts, Nerf Elite"), ("Outwear", "Gun metal grey puffer jacket"), ("Dress", "Leopard print dress, size S"),
    ("Shoes", "Killer heels in red satin"), (None, "Set of six wine glasses"), ("Pants", "Cigarette trousers in navy"),
    ("Pants", "Tobacco coloured corduroy trousers"), ("Shoes", "Hunting boots in brown leather"), (None, "Medicine ball 5 kg"),
    ("T-Shirt", "Grass green tee"), ("Pants", "Diesel jeans, straight leg"), ("Outwear", "Bomber jacket, olive, size L"),
    (None, "Bullet journal, dotted, unused"), ("T-Shirt", "Weed print tee with a cartoon leaf"), ("T-Shirt", "Guns N' Roses tour t-shirt"),
    ("T-Shirt", "Jack Daniel's logo t-shirt"), (None, "Wine rack in oak"), (None, "Whisky tumbler, crystal, set of 2"), (None, "Beer mug from Munich"),
    ("Hat", "Corona beer promo cap"), ("Shoes", "Snake print ankle boots"), ("Outwear", "Faux fur coat, ivory"), ("Dress", "Ivory lace wedding dress"),
    ("Shirt", "Ivory blouse with buttons"), (None, "Tortoiseshell effect hair clip, plastic"), ("Outwear", "Camouflage army jacket"),
    ("Shirt", "Military style shirt with epaulettes"), (None, "Water pistol, bright orange"), (None, "Glue gun with sticks"), (None, "Massage gun, four heads"),
    (None, "Nail gun, cordless"), (None, "Heat gun 2000 W"), (None, "Fire TV stick"), ("T-Shirt", "Police band tour shirt 1983"), (None, "Toy police badge"),
    (None, "Passport holder in leather"), (None, "Passport cover with floral print"), ("Shoes", "Bullet toe cowboy boots"), ("Dress", "Shotgun wedding party dress"),
    (None, "Knife block, kitchen, five knives"), (None, "Butter knife set, silver plated"), (None, "Bread knife, hardly used"), (None, "Swiss army style key ring"),
    (None, "Sword fern in pot"), (None, "Lightsaber toy"), ("T-Shirt", "Drug free since 1999 slogan tee"), ("T-Shirt", "Cocaine & Rhinestones podcast tee"),
    (None, "Crack effect glaze vase"), (None, "Speed skates size 40"), ("Shoes", "Acid wash denim sneakers"), ("Pants", "Acid wash jeans"),
    (None, "Poppy seed print scarf"), (None, "Hemp fibre tote bag"), ("Pants", "Hemp trousers"), (None, "CBD city map poster of Sydney"), (None, "Coke bottle glass, vintage Coca-Cola"),
    ("Hat", "Heroin chic 90s style hat photo book"), (None, "Plush dog, 30 cm"), (None, "Dog bed, washable"), (None, "Cat scratching post"), (None, "Puppy print baby blanket"),
    (None, "Aquarium 60 l with pump, no fish"), (None, "Bird cage, decorative"), (None, "Horse riding boots"), ("Body", "Baby sleepsuit with bear"),
    ("Outwear", "Crocodile embossed belt jacket"), (None, "Crocodile print purse, vegan"), ("Shoes", "Crocs clogs, lime"), (None, "Elephant figurine, wood"),
    (None, "Shark tooth shaped pendant, resin"), ("T-Shirt", "Skull print t-shirt"), (None, "Skull ring, stainless steel"), (None, "Human anatomy poster"),
    (None, "Hair extension clips, synthetic"), (None, "Replica football shirt, official replica kit 2019"), (None, "Eiffel tower replica, 20 cm"),
    (None, "Scale model 1:18 Porsche"), (None, "Model railway 1:87"), (None, "1:1 scale drawing set"), (None, "AAA batteries, pack of 12"), (None, "Fake fur collar"),
    (None, "Fake plants, set of 3"), (None, "Fake nails, unopened"), ("Blazer", "Mock two-piece blazer with fake pockets"), (None, "Costume jewellery, imitation pearls"),
    (None, "Stolen Kisses perfume sample box, empty"), (None, "ID card holder lanyard"), (None, "Gift card envelope set, paper"), (None, "Greeting cards, handmade"),
    (None, "Poker set with chips"), (None, "Bingo game for children"), (None, "Lottery ball machine toy"), (None, "Playing cards"), (None, "Dartboard with darts"),
    (None, "Bow tie, silk"), ("Dress", "Bow detail dress"), (None, "Crossbow print scarf"), (None, "Arrow necklace"), (None, "Firework print Diwali cushion"), ("Dress", "Firework print dress"),
    (None, "Bomb shaped bath fizz, lavender"), (None, "Photo bomb party props"), (None, "Blood orange scented candle"), (None, "Medical drama DVD box"),
    (None, "Doctor costume for kids with toy stethoscope"), (None, "Nurse dress up costume"), (None, "Pill box hat, 1960s"), ("Longsleeve", "No pilling sweater"), ("Hat", "Pillbox hat with veil"),
    (None, "Vintage medicine cabinet, wood"), (None, "Pharmacy jar, antique, empty"), (None, "Inhaler necklace art print"), ("Shorts", "Smoking hot red shorts"), ("Blazer", "Le smoking tuxedo blazer"),
    (None, "Smoking jacket, velvet"), (None, "Ashtray, Murano glass"), (None, "Cigar box guitar kit, wood only"), (None, "Cigarette case, silver, empty"), (None, "Smoke grey scarf"), (None, "Pipe cleaner craft set"),
    ("Top", "Champagne coloured satin top"), ("Dress", "Wine red velvet dress"), ("Skirt", "Burgundy skirt"), (None, "Champagne bucket"), (None, "Gin glass, large"), (None, "Cocktail dress, black"), ("Dress", "Cocktail dress with sequins"),
    ("Undershirt", "Rum Runner slogan tank top"), ("Shirt", "Rum raisin coloured shirt"), ("Shirt", "Beer festival shirt, checked"), ("Shoes", "Stiletto heels, never worn"), ("Shoes", "Dagger heel boots"),
    ("T-Shirt", "Sex Pistols t-shirt"), ("Dress", "Sexy black dress"), (None, "Adult colouring book"), ("Shoes", "Adult size roller skates"), ("Skirt", "Escort car badge print skirt"), (None, "Ford Escort model car"),
    ("Pants", "Cargo trousers with hacking pockets, riding style"), ("Blazer", "Hacking jacket, tweed, riding"), (None, "Life hacks book"), ("Shoes", "Skimmer flats, navy"), ("Hat", "Captain hat for carnival"), ("Hat", "Police hat, fancy dress"),
    ("Outwear", "Flak jacket style vest in khaki"), ("Outwear", "Trench coat"), ("Outwear", "Rifle green parka"), ("Shirt", "Khaki safari shirt"), ("Outwear", "Flying jacket with sheepskin collar"), ("Shoes", "Machine gun grey runners"),
]  # fmt: skip


if __name__ == "__main__":
    table = [(True, row) for row in PROHIBITED] + [(False, row) for row in LEGITIMATE]
    write(
        "dev_goods.jsonl",
        [{"id": f"g{i:03}", "category": c, "text": t, "prohibited": bad} for i, (bad, (c, t)) in enumerate(table)],
    )

# ruff: noqa: E501 - lines of data read better whole
"""Writes goods.jsonl: ``python -m tests.held.make_goods``."""

from __future__ import annotations

from pathlib import Path

from tests.held.markup import category_names, write_rows

# (group, the seller's word for the category or None, text)
PROHIBITED = [
    (
        "weapon",
        None,
        "Compact pistol, 9x19. Glock 26 with two magazines and about 40 rounds, shot maybe ten times. No paperwork wanted.",
    ),
    (
        "weapon",
        "sports",
        "Hunting rifle .308. Bolt action with scope, from my late uncle. Fires straight, 60 cartridges included.",
    ),
    ("weapon", "accessory", "Brass knuckles, solid metal, fits a medium hand, for self-defence on the way home."),
    ("weapon", None, "Springmesser mit seitlich austretender Klinge, 11 cm, beidseitig geschliffen, sehr schnell."),
    ("weapon", "electronics", "Flashlight stun gun, gives a proper electric shock, charger included."),
    ("drug", None, "Half an ounce of home grown weed, very sticky, discreet packaging, smells through one bag."),
    ("drug", "beauty", "Adderall 20 mg, 28 tablets left over from my own prescription, sealed blisters."),
    ("drug", None, "Magic mushrooms, dried, 10 grams. Strong trip, start small."),
    ("medicine", None, "Ozempic pen, unused, 1 mg. I changed treatment. No prescription needed from you."),
    ("medicine", "beauty", "Antibiotics: Amoxicillin 500, two boxes, expires next spring, works for most things."),
    ("tobacco", None, "Ten cartons of Marlboro Red brought back from holiday, duty free, cheaper than any shop."),
    ("tobacco", "accessory", "Disposable vape, 20 mg nicotine, watermelon ice, pack of five, unopened."),
    ("document", None, "Blank vaccination certificates, already stamped, you only fill in your name."),
    ("document", "books", "Führerschein Klasse B ohne Prüfung, echt wirkend, in zwei Wochen da."),
    ("wildlife", "accessory", "Carved elephant ivory bracelet, real tusk, bought in Kenya a few years ago."),
    (
        "counterfeit",
        "bag",
        "Louis Vuitton replica, AAA quality, mirror copy, nobody sees the difference, with fake receipt.",
    ),
    ("counterfeit", "shoes", "Fake Jordan 1s, 1:1 reps from the best factory, all sizes to order."),
    ("stolen", "electronics", "iPhone, found on a train, iCloud locked to the previous owner, sold without questions."),
    ("explosive", None, "Box of La Bomba firecrackers, the strong Polish ones not sold here, 50 pieces."),
    ("account-money", None, "Counterfeit 50 euro notes, pass the pen test, 20 for 200."),
    ("adult", None, "Child-like love doll, 110 cm, silicone, never unpacked."),
    ("animal", None, "Two hedgehogs caught in the garden, wild, live, with box, collection only."),
    ("human", None, "My spare kidney, healthy donor, serious offers, clinic abroad arranged."),
    ("hazard", "home", "Potassium cyanide, lab grade, 100 g in the original jar."),
]
ALLOWED = [
    ("weapon-look", "toys", "Nerf blaster with 30 foam darts, two of them chewed by the dog."),
    ("weapon-look", "toys", "Super Soaker water pistol, big tank, a bit faded from the sun."),
    ("weapon-look", "home", "Hot glue gun with a bag of sticks, works fine."),
    ("weapon-look", "home", "Set of six steak knives with wooden handles, hardly used."),
    ("weapon-look", "home", "Bread knife, Solingen, serrated, the handle has a small crack."),
    ("weapon-look", "t-shirt", "Guns N' Roses tour tee, black, size L, roses and pistols on the back."),
    ("weapon-look", "electronics", "Nailer from Bosch, blue, with case. Staple gun function too."),
    ("weapon-look", "books", "The Man with the Golden Gun, paperback, creased spine."),
    ("weapon-look", "shoes", "Army boots, black leather, size 43, steel toe cap. Rifle green laces."),
    ("weapon-look", "accessory", "Bullet-print scarf? No, little paisleys, light silk feel."),
    ("weapon-look", "jewellery", "Pendant in the shape of a tiny dagger, silver colour, on a chain."),
    ("weapon-look", "dress", "Bodycon dress in gunmetal grey, long zip at the back."),
    ("weapon-look", "toys", "Fimo and a wooden toy sword with shield, painted by grandpa."),
    ("weapon-look", "sports", "Fencing jacket, white, size 50, for training at school."),
    ("weapon-look", "home", "Massage gun with four heads, quiet, battery lasts a week."),
    ("weapon-look", "books", "History of the crossbow, hardback, many plates."),
    ("drug-look", "t-shirt", "Nirvana tee and a cap with a hemp leaf print, both worn."),
    ("drug-look", "trousers", "Trousers made of 55% hemp and 45% cotton, loose, natural beige."),
    ("drug-look", "books", "Breaking Bad, complete series on DVD, discs clean."),
    ("drug-look", "home", "Mushroom lamp, orange glass, seventies look."),
    ("drug-look", "home", "Weed puller for the lawn, long handle, steel claws."),
    ("drug-look", "beauty", "Poppy-scented body lotion, half full, rose and poppy."),
    ("drug-look", "shoes", "Adidas Gazelle in 'crack white', a hairline crack in the left sole."),
    ("drug-look", "home", "Cola crate, old, red, Coca-Cola writing still readable."),
    ("drug-look", "garden", "Tomato grow tent with lamp, used for chillies."),
    ("drug-look", "jumper", "Speed Racer jumper, kids 128, washed a lot."),
    ("drug-look", "perfume", "Opium by YSL, perfume, 20 ml left of 50."),
    ("drug-look", "home", "Pill box with seven compartments, empty, for the week."),
    ("medicine-look", "beauty", "Aloe gel and a new sealed sunscreen SPF 50."),
    ("medicine-look", "toys", "Doctor's play set with stethoscope, syringe and plasters, all plastic."),
    ("medicine-look", "jumper", "Lots of pilling on this wool jumper, so cheap."),
    ("medicine-look", "books", "Pharmacology for nurses, 9th edition, some pencil marks."),
    ("medicine-look", "home", "Medicine cabinet, white, with mirror and lock, empty."),
    ("tobacco-look", "jacket", "Le smoking style tuxedo jacket for women, black, satin lapels."),
    ("tobacco-look", "home", "Glass ashtray, heavy, green, from the sixties."),
    ("tobacco-look", "home", "From a smoke-free home: linen curtains, 2 panels, 140 x 245."),
    ("tobacco-look", "trousers", "Cigarette trousers in black, ankle length, zip at the side."),
    ("tobacco-look", "coat", "Suede coat, tobacco brown, two buttons, heavy."),
    ("tobacco-look", "home", "Old cigar box made of wood, empty, used for buttons."),
    ("alcohol-look", "home", "Six wine glasses, thin, one has a tiny chip."),
    ("alcohol-look", "t-shirt", "Jack Daniel's print t-shirt, M, soft from washing."),
    ("alcohol-look", "dress", "Champagne coloured slip dress, satin, EU 36."),
    ("alcohol-look", "home", "Beer crate turned into a stool, cushion on top."),
    ("document-look", "accessory", "Passport cover in red leather, empty of course."),
    ("document-look", "toys", "Play money and a toy cash register, coins complete."),
    ("document-look", "accessory", "Lanyard with holder for an ID card, blue."),
    ("document-look", "home", "Stamp set for scrapbooking: date, 'certified cute', stars."),
    ("wildlife-look", "shirt", "Ivory blouse with pearl buttons, viscose, size 40."),
    ("wildlife-look", "coat", "Faux fur coat with leopard print, warm, hook closure."),
    ("wildlife-look", "bag", "Bag with crocodile embossing, not real skin, burgundy."),
    ("wildlife-look", "toys", "Elephant soft toy with felt tusks, loved but clean."),
    ("wildlife-look", "accessory", "Tortoiseshell-look hair clips made of plastic, three."),
    ("wildlife-look", "home", "Rug in zebra design, cotton, 70 x 140 cm."),
    ("counterfeit-look", "jewellery", "Copy of an antique ring, sold as costume jewellery, no brand."),
    ("counterfeit-look", "bag", "Fake leather tote, large, black, no brand on it."),
    ("counterfeit-look", "books", "Replica of a 1900 mail order catalogue, reprint from 1986."),
    ("counterfeit-look", "coat", "Mirror sequins jacket, fake fur collar can be taken off."),
    ("counterfeit-look", "toys", "Model car, replica of the 1967 Mustang in 1:18, boxed."),
    ("stolen-look", "books", "The Book Thief and The Stolen Heir, two paperbacks."),
    ("stolen-look", "electronics", "iPhone 11, reset, signed out of iCloud, receipt from the shop is here."),
    ("explosive-look", "t-shirt", "Shirt with a big bomb comic print, 'Boom', kids 140."),
    ("explosive-look", "beauty", "Six bath bombs, lavender, in a paper box."),
    ("explosive-look", "jacket", "Bomber jacket in olive, zip, orange lining."),
    ("explosive-look", "shoes", "Cherry red shoes with firecracker embroidery, 38."),
    ("adult-look", "toys", "Doll with three dresses and a pram, hair a bit wild."),
    ("adult-look", "bra", "Lace bra, black, 75B, new with its tag, from a misjudged order."),
    ("adult-look", "books", "Sex and the City, season 1 to 6, box a bit dented."),
    ("animal-look", "pet", "Cat tree and a puppy harness, both cleaned. No animals for sale."),
    ("animal-look", "home", "Hedgehog boot scraper made of bristles and iron."),
    ("human-look", "books", "Kidney beans and other recipes: a vegetarian cook book."),
    ("human-look", "toys", "Anatomy model with removable heart, liver and kidneys, plastic."),
    ("hazard-look", "jumper", "Acid green jumper, L. Bright as poison, soft as a kitten."),
    ("hazard-look", "jeans", "Acid wash jeans, W29, high waist, button fly."),
    ("hazard-look", "t-shirt", "'Toxic' slogan tee by a school band, white, radioactive sign in yellow."),
    ("hazard-look", "perfume", "Poison by Dior, mini bottle, three quarters full."),
    ("plain", "jeans", "Straight jeans, dark blue, W31 L32, one repaired belt loop."),
    ("plain", "skirt", "Plisseerock in Dunkelgrün, Größe 38, Gummibund."),
    ("plain", "hat", "Straw hat with a black ribbon, brim slightly bent."),
    ("plain", "coat", "Manteau en laine, gris, doublé, taille 42."),
    ("plain", "shoes", "Sandalias de cuero, número 39, poco uso."),
]


def build() -> list[dict[str, object]]:
    """All rows, prohibited first."""
    labelled = [(*row, True) for row in PROHIBITED] + [(*row, False) for row in ALLOWED]
    names = category_names({row[1] for row in labelled})
    return [
        {"id": f"hg{i:03d}", "group": group, "category": names[category], "text": text, "prohibited": bad}
        for i, (group, category, text, bad) in enumerate(labelled)
    ]


if __name__ == "__main__":
    print(write_rows(Path(__file__).with_name("goods.jsonl"), build()))

"""Other people's tables in our words: published layouts of exports, columns, categories, values, the file to edit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zipfile import ZipFile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rag_index.imports.catalogue import NO_PHOTO_FILE, Catalogue, PlainRow, open_catalogue
from rag_index.imports.columns import parse_mapping
from rag_index.imports.glossary import read_glossary
from rag_index.imports.tables import ImportProblem, RowProblem
from rag_index.imports.words import Vocabulary
from tests.rag_index.listings import WORDS, by_letters


def opened(path: Path, **options: Any) -> Catalogue:
    return open_catalogue(path, WORDS, by_letters, **options)


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def split(catalogue: Catalogue) -> tuple[list[PlainRow], list[RowProblem]]:
    rows = list(catalogue.rows())
    return [r for r in rows if isinstance(r, PlainRow)], [r for r in rows if isinstance(r, RowProblem)]


SHOPIFY = """\
Handle,Title,Body (HTML),Vendor,Product Category,Type,Tags,Published,\
Option1 Name,Option1 Value,Option2 Name,Option2 Value,\
Variant SKU,Variant Price,Image Src,Image Position,Status
navy-tee,Navy tee,"<p>Soft &amp; <b>light</b>.</p><ul><li>100% cotton</li></ul><script>x()</script>",Acme,\
Apparel & Accessories > Clothing > Clothing Tops > T-Shirts,Tees,"basic, summer",TRUE,Color,Navy,Size,S,T-1,19.00,\
https://cdn.example.com/a.jpg?v=1,1,active
navy-tee,,,,,,,,,Navy,,M,T-2,19.00,https://cdn.example.com/b.jpg?v=1,2,
navy-tee,,,,,,,,,,,,,,https://cdn.example.com/c.jpg?v=1,3,
gown,Evening gown,<div>Long.</div>,Acme,Apparel & Accessories > Clothing > Dresses,,,TRUE,\
Title,Default Title,,,G-1,"1,250.00",,,active
"""


def test_shopify_rows_of_one_product_are_one_listing(tmp_path: Path) -> None:
    (tee, gown), problems = split(opened(written(tmp_path / "products_export.csv", SHOPIFY)))
    assert not problems
    assert (tee.title, tee.category, tee.in_vocabulary, tee.price) == ("Navy tee", "T-Shirt", True, 19.0)
    assert tee.description == "Soft & light.\n100% cotton"
    assert tee.photos == tuple(f"https://cdn.example.com/{n}.jpg?v=1" for n in "abc")
    assert tee.attributes == {"colour": "navy", "brand": "Acme"}, "the size differs between the variants"
    assert (gown.category, gown.price, gown.place, gown.photos) == ("Dress", 1250.0, "line 5", ())


EBAY = """\
#INFO,Version=1.0,Template=fx_category_template,,,,,,,,
*Action(SiteID=US|Country=US|Currency=USD|Version=1193),CustomLabel,*Category,*Title,*ConditionID,C:Brand,C:Color,PicURL,*Description,*StartPrice,Relationship
Add,A1,11484,Black beanie with a pompom,3000,Acme,Jet Black,http://i.example.com/1.jpg|http://i.example.com/2.jpg,<p>Warm</p>,$15,
,,,,,,,,,15,Variation
Add,A2,63861,Old lamp,3000,,,,,"1,299.00",
"""


def test_ebay_rows_by_words_of_titles(tmp_path: Path) -> None:
    table = written(tmp_path / "fx.csv", EBAY)
    assert not any(row.in_vocabulary for row in split(opened(table))[0]), (
        "a number says no kind, until somebody decides"
    )
    glossary = read_glossary(written(tmp_path / "m.yaml", "categories: {'11484': by title, '63861': by title}"))
    (hat, lamp), problems = split(opened(table, glossary=glossary))
    assert not problems
    assert (hat.listing_id, hat.category, hat.price, hat.currency) == ("A1", "Hat", 15.0, "USD")
    assert hat.photos == ("http://i.example.com/1.jpg", "http://i.example.com/2.jpg")
    assert hat.attributes == {"brand": "Acme", "colour": "black"}
    assert (lamp.category, lamp.in_vocabulary, lamp.price, lamp.place) == ("63861", False, 1299.0, "line 5")


GOOGLE = """\
<?xml version="1.0"?>
<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0"><channel><title>Shop</title>
<item><g:id>G1</g:id><title>Red cap</title><description>&lt;b&gt;Nice&lt;/b&gt; cap</description>
<link>https://s.example.com/1</link><g:image_link>https://s.example.com/1.jpg</g:image_link>
<g:additional_image_link>https://s.example.com/2.jpg</g:additional_image_link>
<g:additional_image_link>https://s.example.com/3.jpg</g:additional_image_link>
<g:price>15.00 EUR</g:price>
<g:google_product_category>Apparel &amp; Accessories &gt; Clothing Accessories &gt; Hats</g:google_product_category>
<g:color>cherry</g:color><g:gender>female</g:gender><g:condition>used</g:condition>
<g:shipping><g:country>DE</g:country></g:shipping></item></channel></rss>
"""
GOOGLE_TSV = (
    "id\ttitle\tdescription\tgoogle product category\timage link\tadditional image link\tprice\tcolor\tproduct type\n"
    "G1\tRed cap\tNice cap\tApparel & Accessories > Clothing Accessories > Hats\thttps://s.example.com/1.jpg\t"
    "https://s.example.com/2.jpg,https://s.example.com/3.jpg\t15.00 EUR\tcherry\tHeadwear > Caps\n"
)


@pytest.mark.parametrize(("name", "text"), [("feed.xml", GOOGLE), ("feed.tsv", GOOGLE_TSV), ("feed.txt", GOOGLE_TSV)])
def test_google_merchant_feeds(tmp_path: Path, name: str, text: str) -> None:
    (cap,), problems = split(opened(written(tmp_path / name, text)))
    assert not problems
    assert (cap.listing_id, cap.title, cap.category, cap.in_vocabulary) == ("G1", "Red cap", "Hat", True)
    assert (cap.description, cap.price, cap.currency) == ("Nice cap", 15.0, "EUR")
    assert cap.photos == tuple(f"https://s.example.com/{n}.jpg" for n in "123")
    assert cap.attributes == {"colour": "red"}, "a hat is made for nobody in this vocabulary"


PLAIN = "name;kategorie;preis;farbe;bilder\nRoter Hut;Hats;12,50 €;cherry;a.jpg|b.jpg\n"


def test_other_column_names_and_line_numbers(tmp_path: Path) -> None:
    same = PLAIN.splitlines()[1]
    more = f'{PLAIN}Hut;Hats;"-3";;\n"zwei\nZeilen";Hats;1;;\n;Hats;1;;\n{same}\nx;Hats;1;;;;x\n'
    rows, problems = split(opened(written(tmp_path / "shop.csv", more)))
    assert [(r.title, r.price, r.currency) for r in rows] == [("Roter Hut", 12.5, "EUR"), ("zwei Zeilen", 1.0, None)]
    assert rows[0].photos == ("a.jpg", "b.jpg")
    assert [(p.place, p.reason) for p in problems] == [
        ("line 3", "its price is no amount"),
        ("line 6", "its title is empty"),
        ("line 7", "it is there twice"),
        ("line 8", "it has more cells than the header: is a quote above it not closed?"),
    ]
    assert problems[2].detail == "as line 2"


def excel(path: Path, *sheets: Sequence[Sequence[str | float]], merged: Sequence[str] = ()) -> Path:
    """A workbook as spreadsheet programs save it."""
    ranges = "".join(f'<mergeCell ref="{each}"/>' for each in merged)
    joined = f"<mergeCells>{ranges}</mergeCells>" if merged else ""
    cells = {str: '<c t="inlineStr"><is><t>{}</t></is></c>', int: "<c><v>{}</v></c>", float: "<c><v>{}</v></c>"}
    with ZipFile(path, "w") as book:
        numbers = range(1, len(sheets) + 1)
        office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
        main, packages = (f"http://schemas.openxmlformats.org/{n}" for n in (
            "spreadsheetml/2006/main", "package/2006/relationships",
        ))  # fmt: skip

        def related(file: str, kind: str, targets: dict[int, str]) -> None:
            lines = (f'<Relationship Id="r{n}" Type="{office}/{kind}" Target="{t}"/>' for n, t in targets.items())
            book.writestr(file, f'<Relationships xmlns="{packages}">{"".join(lines)}</Relationships>')

        related("_rels/.rels", "officeDocument", {1: "xl/workbook.xml"})
        related("xl/_rels/workbook.xml.rels", "worksheet", {n: f"worksheets/s{n}.xml" for n in numbers})
        names = "".join(f'<sheet name="s{n}" sheetId="{n}" r:id="r{n}"/>' for n in numbers)
        book.writestr(
            "xl/workbook.xml", f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>{names}</sheets></workbook>'
        )
        for n, rows in enumerate(sheets, 1):
            lines = "".join(f"<row>{''.join(cells[type(c)].format(c) for c in row)}</row>" for row in rows)
            sheet = f'<worksheet xmlns="{main}"><sheetData>{lines}</sheetData>{joined}</worksheet>'
            book.writestr(f"xl/worksheets/s{n}.xml", sheet)
    return path


def test_an_excel_sheet_says_what_csv_says(tmp_path: Path) -> None:
    header: list[str | float] = ["id", "title", "category", "price", "photos"]
    rows: list[list[str | float]] = [header, [7, "Hat", "hat", 12.5, "/a/ab12.jpg|cd34.jpg"], ["", "", "", "", ""]]
    table = excel(tmp_path / "t.xlsx", [["Notes"]], [["Our shop"], *rows, [8, "", "hat", 3, ""]])
    (row,), (problem,) = split(opened(table))
    assert (row.listing_id, row.category, row.price, row.photos) == ("7", "Hat", 12.5, ("/a/ab12.jpg", "cd34.jpg"))
    assert (problem.place, problem.reason) == ("row 5", "its title is empty")


ROWS = [[f"id{i}", f"Acme {kind}", kind, f"p{i}"] for i, kind in enumerate(["Hat", "Hat", "Belt", "Belt"])]
HEAD = ["id", "title", "category", "image"]


LINES = [",".join(line) for line in (HEAD, *ROWS)]
TEXT = "\n".join(LINES)
TEXTS = {  # form -> (the file's text, its encoding)
    "two headers": (f"Product,,,\n{TEXT}", "utf-8"),
    "utf-16": (TEXT.replace(",", ";"), "utf-16"),
    "utf-16 that does not say so": (TEXT, "utf-16-le"),
    "utf-16 of the other order": (TEXT, "utf-16-be"),
    "western": (TEXT.replace("Acme", "Grün"), "latin-1"),
    "sep= above": (f"sep=;\n{TEXT.replace(',', ';')}", "utf-8-sig"),
    "a title above": (f"Stock of May\n\n{TEXT}", "utf-8"),
    "a line break in the header": (TEXT.replace("image", '"Image\n1"'), "utf-8"),
    "lists": ("\n".join([LINES[0], *(f"{a},{b},{c},\"['{d}']\"" for a, b, c, d in ROWS)]), "utf-8"),
    "Windows paths": ("\n".join([LINES[0], *(f"{a},{b},{c},C:\\Anna\\{d}.png" for a, b, c, d in ROWS)]), "utf-8"),
    "other endings": ("\n".join([LINES[0], *(f"{line}.PNG" for line in LINES[1:])]), "utf-8"),
}
OBJECTS = [dict(zip(HEAD, [*row[:3], {"main": {"url": row[3]}}], strict=True)) for row in ROWS]
JSONS = {
    "one list": OBJECTS,
    "a list within": {"of": "May", "items": OBJECTS},
    "objects within": [{"product": dict(list(o.items())[:3]), "media": {"photos": [o["image"]]}} for o in OBJECTS],
}


EXCELS = ["two headers in Excel", "merged in Excel", "notes first", "sheets of one header"]


@pytest.mark.parametrize("form", [*TEXTS, *JSONS, "nested", *EXCELS])
def test_tables_as_people_keep_them_say_the_same(tmp_path: Path, form: str) -> None:
    """Lines above the header, other encodings, lists as Python writes them, photos by other paths and endings."""
    for _, _, _, name in ROWS:
        (tmp_path / f"{name}.png").touch()
    table = tmp_path / ("t.csv" if form in TEXTS else "t.json" if form in JSONS else "t.xlsx")
    if form in TEXTS:
        table.write_bytes(TEXTS[form][0].encode(TEXTS[form][1]))
    elif form in JSONS:
        table.write_text(json.dumps(JSONS[form]))
    elif form == "nested":
        table = written(tmp_path / "t.jsonl", "\n".join(map(json.dumps, OBJECTS)))
    elif form == "two headers in Excel":
        excel(table, [["Product", "", "", "Media"], HEAD, *ROWS])
    elif form == "sheets of one header":
        excel(table, [[""]], [["Hats"], HEAD, *ROWS[:2]], [["Who", "What"], ["Anna", "prices"]], [HEAD, *ROWS[2:]])
    elif form == "notes first":
        excel(table, [["Who", "What"], ["Anna", "prices"]], [HEAD, *ROWS])
    else:
        merged = [[a, b, c if i % 2 == 0 else "", d] for i, (a, b, c, d) in enumerate(ROWS)]
        excel(table, [HEAD, *merged], merged=["C2:C3", "C4:C5"])
    catalogue = opened(table)
    found, problems = split(catalogue)
    assert problems == []
    titles = [title.replace("Acme", "Grün") if form == "western" else title for _, title, *_ in ROWS]
    assert [(row.title, row.category) for row in found] == list(zip(titles, (row[2] for row in ROWS), strict=True))
    assert [catalogue.find_photo(row.photos[0]).name for row in found] == [f"{name}.png" for *_, name in ROWS]


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_columns_of_one_name_lose_nothing(tmp_path: Path, kind: str) -> None:
    rows = [
        ["title", "image", "image", "note", "note"],
        ["Hat", "", "b.jpg", "x", ""],
        ["Belt", "a.jpg", "b.jpg", "", "x"],
    ]
    table = tmp_path / f"t.{kind}"
    if kind == "csv":
        written(table, "\n".join(map(",".join, rows)))
    else:
        excel(table, rows)
    catalogue = opened(table)
    assert [row.photos for row in split(catalogue)[0]] == [("b.jpg",), ("a.jpg", "b.jpg")]
    assert catalogue.columns.unused(catalogue.header) == ["note"], "there is one value of it in each row"


def test_jsonl_and_parquet_say_what_csv_says(tmp_path: Path) -> None:
    record = {"id": 7, "title": "Hat", "category": "hat", "price": 12.5, "photos": [{"id": "ab12"}, {"id": "cd34"}]}
    record["price"] = {"amount": 12.5, "currency": "EUR"}
    record["attributes"] = {"Colour": "Navy Blue", "Fit": "x"}
    pq.write_table(pa.Table.from_pylist([record]), tmp_path / "t.parquet")
    written(tmp_path / "t.jsonl", json.dumps(record) + "\n[1]\n{oops\n")
    (a,), _ = split(opened(tmp_path / "t.parquet"))
    (b,), problems = split(opened(tmp_path / "t.jsonl"))
    assert (a.listing_id, a.price, a.photos, a.attributes) == ("7", 12.5, ("ab12", "cd34"), {"colour": "navy"})
    assert (b.listing_id, b.price, b.photos, b.attributes) == (a.listing_id, a.price, a.photos, a.attributes)
    assert [p.place for p in problems] == ["line 2", "line 3"]


@pytest.mark.parametrize(
    ("theirs", "ours", "sure"),
    [
        ("Tshirts", "T-Shirt", True),
        ("TEES", "T-Shirt", True),
        ("Apparel > Tops > Casual T-Shirts", "T-Shirt", True),
        ("Beanies", "Hat", True),
        ("Summer dresses", "Dress", True),
        ("Hats & Caps", "Hat", True),
        ("Hats & Dresses", "Hat", False),
        ("Tunics", "Dress", False),
        ("Dres", "Dress", False),
        ("Lawn mowers", None, False),
    ],
)
def test_categories(tmp_path: Path, theirs: str, ours: str | None, sure: bool) -> None:
    table = written(tmp_path / "t.jsonl", json.dumps({"title": "Thing", "category": theirs}) + "\n")
    entry = opened(table).glossary.categories[theirs]
    assert (entry.internal, entry.sure) == (ours, sure)


def test_a_value_that_says_unlike_itself_is_that_value() -> None:
    words = Vocabulary({}, {"material": {"synthetic": (), "leather": ()}})
    said = {w: words.value("material", w) for w in ("Synthetic", "Synthetic leather")}
    assert [(g.internal, g.sure) for g in said.values()] == [("synthetic", True), ("leather", False)]


def test_mapping_file_is_edited_and_read_back(tmp_path: Path) -> None:
    facts = '"{""Fabric"": ""Jersey"", ""Fit"": ""x""}"'
    lines = ["A,Hats,cream,1,{}", f"B,Tunics,cream,2,{facts}", "C,Tunics,Navy,3,{}", "D,Yes: #1,NA,4,{}"]
    table = written(tmp_path / "t.csv", "\n".join(["title,category,colour,Ref,specs", *lines]))
    first = opened(table)
    text = first.glossary.text("t.csv", first.columns.unused(first.header), "--map m.yaml")
    assert "# not read: Ref\n" in text
    assert "# attributes that are none here: Fit (1)\n" in text
    order = [line.split(":")[0].strip() for line in text.split("categories:\n")[1].split("\n\n")[0].splitlines()]
    assert order[:2] == ["Tunics", "Hats"], "the most frequent first"
    assert read_glossary(written(tmp_path / "same.yaml", text)).categories["Tunics"].sure is False
    rows_read = [(r.category, r.in_vocabulary, dict(r.attributes)) for r in split(opened(table))[0]]
    same = opened(table, glossary=read_glossary(tmp_path / "same.yaml"))
    assert [(r.category, r.in_vocabulary, dict(r.attributes)) for r in split(same)[0]] == rows_read
    edited = text.replace("?Dress", "T-Shirt").replace("?white", "beige")
    glossary = read_glossary(written(tmp_path / "m.yaml", edited))
    rows, _ = split(opened(table, glossary=glossary))
    assert [r.category for r in rows] == ["Hat", "T-Shirt", "T-Shirt", "Yes: #1"]
    assert [r.attributes.get("colour") for r in rows] == ["beige", "beige", "navy", None]
    assert rows[1].attributes["material"] == "cotton"
    dropped = read_glossary(written(tmp_path / "d.yaml", edited.replace("T-Shirt", "drop")))
    rows, problems = split(opened(table, glossary=dropped))
    assert [len(rows), len(problems)] == [2, 2]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("categories: {Tunics: Dres}", "no such category (did you mean 'Dress'"),
        ("values: {colour: {cream: creme}}", "no such value of colour"),
        ("values: {color: {cream: white}}", "did you mean 'colour'"),
        ("attributes: {Neck: neckline}", "no such attribute"),
        ("columns: {title: Titel}", "no column 'Titel' (did you mean 'title'"),
        ("columns: {titel: title}", "no field 'titel' (did you mean 'title'"),
        ("categories: [a", "no YAML at line"),
        ("categories: 3", "another form"),
    ],
)
def test_a_mapping_that_points_nowhere(tmp_path: Path, text: str, says: str) -> None:
    table = written(tmp_path / "t.csv", "title,category,colour\nA,Tunics,cream\n")
    with pytest.raises(ImportProblem) as stopped:
        opened(table, glossary=read_glossary(written(tmp_path / "m.yaml", text)))
    assert says in str(stopped.value)
    assert str(stopped.value).count("\n") == 0


def test_columns_that_a_person_names(tmp_path: Path) -> None:
    table = written(tmp_path / "t.csv", "Heading up,What,Amount,Pictured\nHat,caps,3,gone.jpg\n")
    with pytest.raises(
        ImportProblem, match=r"title, the category, the photos.*--map title=COLUMN,category=COLUMN,photos="
    ):
        opened(table)
    mapping = parse_mapping("title=Heading up,category=What,price=Amount,photos=")
    (row,), _ = split(opened(table, column_choices={name: column or None for name, column in mapping.items()}))
    assert (row.title, row.category, row.price, row.photos) == ("Hat", "Hat", 3.0, ())
    with pytest.raises(ImportProblem, match="FIELD=COLUMN"):
        parse_mapping("title")


def test_columns_are_told_by_their_values(tmp_path: Path) -> None:
    lines = ["name,kind,for,shelf,note"]
    for i in range(40):
        wearer, note = ("Women", "Men", "female")[i % 3], ("red", "Men", "lovely", "old", "x")[i % 5]
        lines.append(f"tee {i},Tees,{wearer},{'AB'[i % 2]},{note}")
    catalogue = opened(written(tmp_path / "shop.csv", "\n".join(lines) + "\n"))
    assert catalogue.columns.attributes == {"audience": "for"}
    rows, _ = split(catalogue)
    assert {row.attributes["audience"] for row in rows} == {"women", "men"}
    few = opened(written(tmp_path / "few.csv", "\n".join(lines[:10]) + "\n"))
    assert "audience" not in few.columns.attributes


def test_unusable_tables(tmp_path: Path) -> None:
    pq.write_table(pa.table({"title": ["Hat"] * 9, "category": ["hat"] * 9}), tmp_path / "torn.parquet")
    whole = (tmp_path / "torn.parquet").read_bytes()
    (tmp_path / "torn.parquet").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "latin.csv").write_bytes(b"title;category\nGr\x81n;hat\n")  # neither UTF-8 nor western
    written(tmp_path / "empty.csv", "")
    excel(tmp_path / "torn.xlsx", [["title"], ["Hat"]])
    (tmp_path / "torn.xlsx").write_bytes((tmp_path / "torn.xlsx").read_bytes()[:300])
    written(tmp_path / "torn.xml", GOOGLE[:500])
    written(tmp_path / "bomb.xml", '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "b">]><rss><item/></rss>')
    written(tmp_path / "lists.jsonl", '[{"title": "Hat"}]\n')
    rows = [f"Hat {n};hat;a.jpg" for n in range(1, 121)]
    rows[56] = rows[56].replace(";", ';"', 1)
    written(tmp_path / "quote.csv", "\n".join(["title;category;image", *rows]))
    for name, says in (
        ("lists.jsonl", r"no row that can be read \(line 1: it is not a JSON object\)"),
        ("quote.csv", "line 58: a cell opens with a quote that nothing closes"),
        ("no.csv", "There is no file"),
        ("a.doc", "save it as one of"),
        ("torn.xlsx", "damaged"),
        ("torn.parquet", "cut off"),
        ("latin.csv", "save it as UTF-8"),
        ("empty.csv", "no row"),
        ("torn.xml", "no whole XML feed"),
        ("bomb.xml", "document type"),
    ):
        with pytest.raises(ImportProblem, match=says) as stopped:
            opened(tmp_path / name)
        assert "\n" not in str(stopped.value)


FORMS = ["{name}", "../photos/{name}", "photos/{name}", "{folder}/{name}", "file://{folder}/{quoted}", "FILE:{quoted}"]


@pytest.mark.parametrize("form", FORMS)
def test_photos_are_named_by_any_path(tmp_path: Path, form: str) -> None:
    folder, lists = tmp_path / "photos", tmp_path / "lists"
    folder.mkdir()
    lists.mkdir()
    files = [folder / "1 a.jpg", folder / "b.jpg"]
    for file in files:
        file.write_bytes(b"x")
    named = "|".join(form.format(name=f.name, quoted=quote(f.name), folder=folder) for f in files)
    table = written((tmp_path if form.startswith("photos") else lists) / "shop.csv", f"title,photos\nHoodie,{named}\n")
    catalogue = opened(table, photos=folder)
    (row,) = (row for row in catalogue.rows() if isinstance(row, PlainRow))
    assert [catalogue.find_photo(name).resolve() for name in row.photos] == files
    assert catalogue.report().usable == 1


def test_rows_whose_photos_are_not_there_are_known_without_opening_one(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no photo")
    cells = ["a.jpg", "b.jpg|a.jpg", "/nowhere/c.jpg", "https://photos.example/d.jpg", "", "file:///nowhere/e.jpg"]
    lines = [f"Thing {number},{cell}" for number, cell in enumerate(cells)]
    report = opened(written(tmp_path / "shop.csv", "\n".join(["title,photos", *lines]))).report()
    assert (report.usable, report.read) == (4, 6)
    count, first = report.left_out[NO_PHOTO_FILE]
    assert (count, first.place, first.detail) == (2, "line 4", "there is no file /nowhere/c.jpg")

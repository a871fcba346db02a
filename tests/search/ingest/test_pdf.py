"""PDF files of all kinds: columns, hyphens, headers and footers, scripts, and damage."""

import contextlib
import random
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import matplotlib
import pypdfium2
import pytest
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

from foretell.search.ingest import pdf
from foretell.search.ingest.block import Options, Unreadable

spec = spec_from_file_location("ingest_conftest", Path(__file__).with_name("conftest.py"))
made = module_from_spec(spec)
spec.loader.exec_module(made)
column, wrapped, raw_pdf = made.column, made.wrapped, made.raw_pdf


def read(path, **options):
    reports = []
    found = list(pdf.passages(path, Options(**options), reports.append))
    return found, reports


def whole(passages):
    return " ".join(" ".join(p.text.split()) for p in passages)


def numbered(first, count):
    """Sentences that tell where they stand."""
    return " ".join(f"Sentence {n} says a few more words than it must." for n in range(first, first + count))


def test_pages_and_title(write_pdf):
    def titled(canvas):
        canvas.setTitle("A title")
        column(wrapped(numbered(0, 12)))(canvas)

    found, reports = read(write_pdf(titled, column(wrapped(numbered(12, 12)))))
    assert whole(found) == numbered(0, 24)
    assert [p.page for p in found] == sorted(p.page for p in found)
    assert {p.page for p in found} == {1, 2}
    assert {p.metadata["title"] for p in found} == {"A title"}
    assert all(250 <= len(p.text) <= 900 for p in found)
    assert not reports


@pytest.mark.parametrize("order", ["columns", "rows", "words"])
def test_two_columns_in_the_order_of_reading(write_pdf, order):
    left, right = wrapped(numbered(0, 40), 8), wrapped(numbered(40, 40), 8)

    def page(canvas):
        canvas.setFont("Times-Roman", 16)
        canvas.drawString(100, 800, "A title that spans both of the columns of the page")
        canvas.setFont("Times-Roman", 10)
        if order == "columns":
            column(left, 60)(canvas)
            column(right, 320)(canvas)
            return
        for row, pair in enumerate(zip(left, right, strict=True)):
            for x, line in zip((60, 320), pair, strict=True):
                cut = 9 if order == "words" else 0
                for part, start in ((line[:cut], x), (line[cut:], x + canvas.stringWidth(line[:cut]))):
                    canvas.drawString(start, 760 - 12 * row, part)

    found, _ = read(write_pdf(page))
    assert whole(found) == f"A title that spans both of the columns of the page {numbered(0, 80)}"


def test_a_table_is_read_by_rows(write_pdf):
    rows = [(f"Name {n}", f"{n} metres") for n in range(20)]

    def page(canvas):
        for number, (left, right) in enumerate(rows):
            canvas.drawString(60, 700 - 14 * number, left)
            canvas.drawString(330, 700 - 14 * number, right)

    found, _ = read(write_pdf(page))
    assert whole(found) == " ".join(f"{left} {right}" for left, right in rows)


def test_hyphens_and_ligatures(write_pdf):
    lines = [
        "A well-known law is that the predic-",
        "tor learns more than the en-",
        "coder, as the Navier-",
        "Stokes equations of 2010-",
        "2020 have it, which is well-",
        "known.",
    ]
    found, _ = read(write_pdf(column(lines)))
    assert whole(found) == (
        "A well-known law is that the predictor learns more than the encoder, "
        "as the Navier-Stokes equations of 2010-2020 have it, which is well-known."
    )
    dejavu(pdfmetrics)

    def ligatures(canvas):
        canvas.setFont("DejaVu", 10)
        canvas.drawString(60, 700, "The \ufb01rst o\ufb03ce is e\ufb00icient, x² too.")

    assert whole(read(write_pdf(ligatures))[0]) == "The first office is efficient, x² too."


def test_a_word_cut_by_the_end_of_a_page_is_put_together(write_pdf):
    found, _ = read(write_pdf(column(["It is here that the predic-"]), column(["tor is put to work at last."])))
    assert whole(found) == "It is here that the predictor is put to work at last."
    assert found[0].page == 1


def test_headers_and_footers_are_kept_once_and_page_numbers_never(write_pdf):
    text = [numbered(12 * n, 12) for n in range(6)]

    def page(number):
        def draw(canvas):
            canvas.drawString(60, 810, "Journal of Latent Things" if number % 2 else "Garrido and others")
            column(wrapped(text[number]))(canvas)
            canvas.drawString(290, 30, str(number + 7))
            canvas.drawString(60, 30, f"Draft, page {number + 1} of 6")

        return draw

    found, _ = read(write_pdf(*map(page, range(6))))
    said = whole(found)
    for furniture in ("Journal of Latent Things", "Garrido and others", "Draft, page"):
        assert said.count(furniture) == 1
        said = said.replace(furniture, "")
    assert " ".join(said.replace(" 1 of 6 7", "", 1).split()) == " ".join(text)


def test_numbers_in_the_text_are_no_page_numbers(write_pdf):
    pages = [column([f"Table {n}", *wrapped(numbered(10 * n, 10)), f"{random.Random(n).random():.6f}"]) for n in (1, 2)]
    said = whole(read(write_pdf(*pages))[0])
    assert "Table 1" in said
    assert "Table 2" in said
    assert said.count("0.") == 2


@pytest.mark.parametrize(("angle", "page_turned"), [(-90, 0), (90, 0), (0, 90), (-90, 270), (180, 90)])
def test_turned_text(write_pdf, angle, page_turned):
    words = wrapped(numbered(0, 24), 8)
    lines = [line.replace("Sentence", "Sen-", 1) if n == 7 else line for n, line in enumerate(words)]
    lines[7:8] = lines[7].split("- ", 1)
    lines[7] += "-"
    lines[8] = f"tence {lines[8]}"

    def page(canvas):
        canvas.setPageSize((595, 842) if page_turned % 180 == 0 else (842, 595))  # reportlab turns it
        canvas.setPageRotation(page_turned)
        canvas.translate(297, 421)
        canvas.rotate(angle)
        column(["  " + lines[0]], -250, 200)(canvas)
        column(lines[1:14], -250, 188)(canvas)
        column(lines[14:], 20, 200)(canvas)

    assert whole(read(write_pdf(page))[0]) == numbered(0, 24)


def dejavu(metrics):
    metrics.registerFont(TTFont("DejaVu", f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans.ttf"))


def test_right_to_left(write_pdf):
    dejavu(pdfmetrics)
    hebrew = ["שלום עולם זה מבחן של טקסט", "שורה שנייה כאן בעברית"]

    def page(canvas):
        canvas.setFont("DejaVu", 12)
        for number, line in enumerate(hebrew):
            canvas.drawRightString(500, 700 - 14 * number, line[::-1])  # as it is drawn: from the left
        canvas.drawRightString(500, 600, "\ufe8e\ufe92\ufea3\ufeae\ufee3")  # forms of letters, as fonts have them

    assert whole(read(write_pdf(page))[0]) == " ".join([*hebrew, "مرحبا"])


def test_right_to_left_columns(write_pdf):
    dejavu(pdfmetrics)
    sentence = "שלום עולם זה מבחן של טקסט ארוך"

    def page(canvas):
        canvas.setFont("DejaVu", 10)
        for row in range(20):
            canvas.drawRightString(280, 700 - 12 * row, f"{sentence} שמאל"[::-1])
            canvas.drawRightString(540, 700 - 12 * row, f"{sentence} ימין"[::-1])

    said = whole(read(write_pdf(page))[0])
    assert said.count("ימין") == said.count("שמאל") == 20
    assert said.rindex("ימין") < said.index("שמאל")


def test_scanned_and_blank_pages_are_named(write_pdf):
    from PIL import Image
    from reportlab.lib.utils import ImageReader

    def picture(canvas):
        canvas.drawImage(ImageReader(Image.new("L", (40, 40), 90)), 0, 0, 500, 800)

    def blank(canvas):
        pass

    text = column(wrapped(numbered(0, 12)))
    found, reports = read(write_pdf(text, picture, blank, picture, picture, picture))
    assert whole(found) == numbered(0, 12)
    assert reports == ["pages 2, 4–6: a picture without text (scanned?); recognise its text (OCR) first"]
    with pytest.raises(Unreadable, match=r"no text; page 1: a picture without text"):
        read(write_pdf(picture))
    with pytest.raises(Unreadable, match=r"no text$"):
        read(write_pdf(blank))


def test_encrypted(write_pdf):
    text = column(wrapped(numbered(0, 12)))
    path = write_pdf(text, encrypt=StandardEncryption("secret", "owner", strength=128))
    with pytest.raises(Unreadable, match="encrypted; give its password"):
        read(path)
    with pytest.raises(Unreadable, match="the given password does not open it"):
        read(path, password="wrong")
    assert whole(read(path, password="secret")[0]) == numbered(0, 12)
    free = write_pdf(text, name="b.pdf", encrypt=StandardEncryption("", "owner", canCopy=0, strength=128))
    assert whole(read(free)[0]) == numbered(0, 12)  # only its owner's rights are locked


def test_damaged(write_pdf, tmp_path):
    data = write_pdf(*[column(wrapped(numbered(0, 12)))] * 5).read_bytes()
    path = tmp_path / "b.pdf"
    generator = random.Random(0)
    for _ in range(30):
        changed = bytearray(data[: generator.randrange(len(data))] if generator.random() < 0.5 else data)
        for _ in range(generator.randrange(60)):
            if changed:
                changed[generator.randrange(len(changed))] = generator.randrange(256)
        path.write_bytes(changed)
        with contextlib.suppress(Unreadable):  # anything else fails
            read(path)
    path.write_bytes(b"GIF89a" * 100)
    with pytest.raises(Unreadable, match="damaged, or not a PDF file"):
        read(path)


def test_a_page_that_is_damaged_leaves_the_others(tmp_path):
    path = tmp_path / "a.pdf"
    stream = ("<< >>", b"BT /F 12 Tf 60 700 Td (Here is a page that can be read.) Tj ET")
    font = "<< /Type /Font /Subtype /Type1 /BaseFont /Times-Roman >>"
    page = (
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 5 0 R /Resources << /Font << /F 6 0 R >> >> >>"
    )
    tree = "<< /Type /Pages /Kids [3 0 R 4 0 R] /Count 2 >>"
    path.write_bytes(raw_pdf("<< /Type /Catalog /Pages 2 0 R >>", tree, page, "(no page)", stream, font))
    found, reports = read(path)
    assert [p.text for p in found] == ["Here is a page that can be read."]
    assert reports == ["page 2: damaged"]


def test_two_thousand_pages_come_one_by_one(tmp_path):
    path = tmp_path / "a.pdf"
    count = 2000
    pages = [
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {3 + count + n} 0 R "
        f"/Resources << /Font << /F {3 + 2 * count} 0 R >> >> >>"
        for n in range(count)
    ]
    tree = f"<< /Type /Pages /Count {count} /Kids [{' '.join(f'{n} 0 R' for n in range(3, 3 + count))}] >>"
    streams = [("<< >>", b"BT /F 12 Tf 60 700 Td (%b) Tj ET" % numbered(2 * n, 2).encode()) for n in range(count)]
    font = "<< /Type /Font /Subtype /Type1 /BaseFont /Times-Roman >>"
    path.write_bytes(raw_pdf("<< /Type /Catalog /Pages 2 0 R >>", tree, *pages, *streams, font))
    stream = pdf.passages(path, Options(), lambda reason: None)
    first = next(stream)
    assert first.page == 1
    assert first.text.startswith("Sentence 0 says")
    found = [first, *stream]
    assert whole(found) == numbered(0, 2 * count)
    assert found[-1].page >= count - 8


# Letters ------------------------------------------------------------------------------------------------------


def one_page(content, font="<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>", *others):
    page = (
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>"
    )
    pages = "<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
    return raw_pdf("<< /Type /Catalog /Pages 2 0 R >>", pages, page, ("<< >>", content), font, *others)


TEX = (
    f"<< /Type /Font /Subtype /Type1 /BaseFont /XYZABC+SFRM1000 /FontDescriptor 6 0 R /FirstChar 16 /LastChar 122 "
    f"/Widths [{'500 ' * 107}] >>"
)
DESCRIPTOR = (
    "<< /Type /FontDescriptor /FontName /XYZABC+SFRM1000 /Flags 4 /Ascent 700 /Descent -200 /CapHeight 700 /StemV 80 "
    "/FontBBox [0 -200 1000 700] /ItalicAngle 0 >>"
)


def test_codes_of_tex_fonts_are_letters(tmp_path):
    said = rb"\034rst, a signi\034cant e\033ect of \020di\036cult\021 ru\037es \025 and \035ow"
    text = b"BT /F1 12 Tf 72 700 Td (%b) Tj ET" % said
    (tmp_path / "a.pdf").write_bytes(one_page(text, TEX, DESCRIPTOR))
    (passage,), reports = read(tmp_path / "a.pdf")
    assert passage.text == "first, a significant effect of “difficult” ruffles – and flow"
    assert not reports


def test_a_page_of_codes_is_reported(tmp_path):
    text = rb"BT /F1 12 Tf 72 700 Td (\021\022\023 \024\025\026 \027\030\031 abc) Tj ET"
    (tmp_path / "a.pdf").write_bytes(one_page(text, TEX, DESCRIPTOR))
    with pytest.raises(Unreadable, match="its font does not say which letters it shows"):
        read(tmp_path / "a.pdf")


def test_raised_numbers_stay_apart(write_pdf):
    def page(canvas):
        parts = [("In the year 1873", 0), ("2", 1), (" the village counted 450", 0), ("13", 1), (" houses of 10", 0)]
        line = canvas.beginText(72, 700)
        for text, up in [*parts, ("-3", 1), (" parts, most of wood", 0), ("4", 1), (". In 1900 all burnt.", 0)]:
            line.setFont("Times-Roman", 7 if up else 12)
            line.setRise(5 if up else 0)
            line.textOut(text)
        canvas.drawText(line)

    (passage,), _ = read(write_pdf(page))
    said = "In the year 1873² the village counted 450¹³ houses of 10⁻³ parts, most of wood⁴. In 1900 all burnt."
    assert passage.text == said


# Margins and contents -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("x", "step"), [(50, 1), (570, 1), (50, 5)])
def test_numbers_of_lines_are_no_text(write_pdf, x, step):
    words = wrapped(numbered(0, 40), 11)

    def page(canvas):
        for n, line in enumerate(words):
            canvas.setFont("Helvetica", 7)
            if n % step == 0:
                canvas.drawRightString(x, 760 - 12 * n, str(n + 1))
            canvas.setFont("Times-Roman", 10)
            canvas.drawString(72, 760 - 12 * n, line)

    found, _ = read(write_pdf(page))
    assert whole(found) == numbered(0, 40)


def test_numbers_of_a_table_are_text(write_pdf):
    rows = [f"{n} oranges from the north in crate" for n in range(1, 12)]
    found, _ = read(write_pdf(column(["What was in the crates that we unloaded in the harbour:", *rows])))
    assert all(row in whole(found) for row in rows)


def test_a_table_of_contents_is_no_text(write_pdf):
    entries = [f"{n} Chapter of the island {'. ' * 30} {n * 7}" for n in range(1, 9)]
    found, _ = read(write_pdf(column(["Contents", *entries]), column(wrapped(numbered(0, 12)))))
    assert "Chapter" not in whole(found)
    assert numbered(0, 12) in whole(found)


# Hidden text --------------------------------------------------------------------------------------------------

SEEN = "The museum is closed on Mondays and on the first of May."


def test_layers_that_are_off_are_not_read(tmp_path):
    layers = "/OCProperties << /OCGs [6 0 R 7 0 R] /D << /ON [6 0 R] /OFF [7 0 R] >> >>"
    text = f"/OC /L1 BDC BT /F1 12 Tf 72 700 Td ({SEEN}) Tj ET EMC "
    text += "/OC /L2 BDC BT /F1 12 Tf 72 680 Td (Das Museum) Tj ET EMC"
    page = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> "
    file = raw_pdf(
        f"<< /Type /Catalog /Pages 2 0 R {layers} >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        page + "/Properties << /L1 6 0 R /L2 7 0 R >> >> >>",
        ("<< >>", text.encode()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        "<< /Type /OCG /Name (English) >>",
        "<< /Type /OCG /Name (Deutsch) >>",
    )
    (tmp_path / "a.pdf").write_bytes(file)
    assert whole(read(tmp_path / "a.pdf")[0]) == SEEN


@pytest.mark.parametrize("turned", [0, 90, 180, 270])
def test_white_invisible_and_outer_text_is_not_read(write_pdf, turned):
    def page(canvas):
        canvas.setPageSize((595, 842) if turned % 180 == 0 else (842, 595))  # reportlab turns it
        canvas.setPageRotation(turned)
        canvas.drawString(72, 700, SEEN)
        canvas.drawString(700, 700, "Outside of the page")
        canvas.setFillGray(1)
        canvas.drawString(72, 600, "White on white")
        canvas.setFillGray(0)
        canvas.rect(60, 490, 400, 30, fill=1)
        canvas.setFillGray(1)
        canvas.drawString(72, 500, "White on black.")
        line = canvas.beginText(72, 700)
        line.setTextRenderMode(3)
        line.textOut("Invisible above the visible")
        canvas.drawText(line)

    said = whole(read(write_pdf(page))[0])
    assert sorted(said.split()) == sorted(f"{SEEN} White on black.".split())


def test_invisible_text_of_a_scanned_page_is_read(write_pdf):
    def page(canvas):
        line = canvas.beginText(72, 700)
        line.setTextRenderMode(3)
        line.textOut(SEEN)
        canvas.drawText(line)

    assert whole(read(write_pdf(page))[0]) == SEEN


# Forms and attachments ----------------------------------------------------------------------------------------


def test_filled_fields_are_read_with_their_names(write_pdf):
    def page(canvas):
        canvas.drawString(72, 760, "Request for the loan of equipment.")
        canvas.acroForm.textfield(name="applicant", value="Theodora Quillfeather", x=200, y=700, width=300, height=20)
        canvas.acroForm.textfield(name="empty", value="", x=200, y=660, width=300, height=20)

    (passage,), _ = read(write_pdf(page))
    assert passage.text == "Request for the loan of equipment.\napplicant: Theodora Quillfeather"
    assert passage.page == 1


def test_attached_files_are_named(write_pdf, tmp_path):
    document = pypdfium2.PdfDocument(write_pdf(column([SEEN])))
    document.new_attachment("contract.pdf").set_data(b"%PDF-1.7 and more")
    document.save(tmp_path / "b.pdf")
    (passage,), reports = read(tmp_path / "b.pdf")
    assert passage.text == SEEN
    assert reports == ["1 attached files are not read; save them beside it: contract.pdf"]

"""Files of any kind, read; and PDF files made by reportlab, or by hand where no library would make them so."""

import io

import pytest
from reportlab.pdfgen.canvas import Canvas

from foretell.search.ingest.block import Options

SIZE = (595, 842)


@pytest.fixture
def read(tmp_path):
    """Read bytes or text as a file of a kind: its passages, and the reports about its parts."""

    def read_as(module, content, ending="", **options):
        path = tmp_path / f"a{ending}"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        reports = []
        return list(module.passages(path, Options(**options), reports.append)), reports

    return read_as


@pytest.fixture
def write_pdf(tmp_path):
    """Write a PDF of pages, each a function that draws on a reportlab canvas."""

    def write(*pages, name="a.pdf", **options):
        path = tmp_path / name
        canvas = Canvas(str(path), pagesize=SIZE, **options)
        for page in pages:
            canvas.setFont("Times-Roman", 10)
            page(canvas)
            canvas.showPage()
        canvas.save()
        return path

    return write


def column(lines, x=60, y=760, step=12):
    """Draw lines below each other."""

    def draw(canvas):
        for number, line in enumerate(lines):
            canvas.drawString(x, y - step * number, line)

    return draw


def wrapped(text, width=16):
    """A text in lines of so many words."""
    words = text.split()
    return [" ".join(words[i : i + width]) for i in range(0, len(words), width)]


def raw_pdf(*objects):
    """A PDF of these objects, numbered from 1; the first is the catalogue. Bytes are streams, with their dictionary."""
    out, offsets = io.BytesIO(), []
    out.write(b"%PDF-1.7\n")
    for number, value in enumerate(objects, 1):
        offsets.append(out.tell())
        if isinstance(value, tuple):
            value, stream = value
            value = (
                value.replace(">>", f"/Length {len(stream)} >>", 1).encode() + b"\nstream\n" + stream + b"\nendstream"
            )
        else:
            value = value.encode()
        out.write(b"%d 0 obj\n%b\nendobj\n" % (number, value))
    start = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    out.writelines(b"%010d 00000 n \n" % offset for offset in offsets)
    out.write(b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start))
    return out.getvalue()

"""Pages a second of foretell's PDF reader against PDFium's bare text loop, in processor time.

python -m benchmarks.ingest [FILE.pdf]        # without a file: 300 pages of two columns are made (needs reportlab)
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pypdfium2

from benchmarks.measure import told
from foretell.search.ingest import pdf
from foretell.search.ingest.block import Options

WORDS = "the encoder sees a part of an image and predicts what the rest of it should be in latent space".split()


def make(path: Path, pages: int = 300) -> Path:
    """Pages of two columns, each drawn after the other."""
    from reportlab.pdfgen.canvas import Canvas

    canvas = Canvas(str(path), pagesize=(595, 842))
    for page in range(pages):
        canvas.setFont("Times-Roman", 9)
        for side, x in enumerate((60, 310)):
            for row in range(60):
                start = page * 7 + side * 3 + row * 11
                line = " ".join(WORDS[(start + n) % len(WORDS)] for n in range(9))
                canvas.drawString(x, 780 - 12 * row, line.capitalize() + "." * (row % 4 == 3))
        canvas.drawString(290, 30, str(page + 1))
        canvas.showPage()
    canvas.save()
    return path


def bare(path: Path) -> int:
    """The characters of all pages, as PDFium gives them."""
    document = pypdfium2.PdfDocument(path)
    characters = sum(len(page.get_textpage().get_text_range()) for page in document)
    document.close()
    return characters


def least(work: Callable[[], object], times: int = 7) -> float:
    """The shortest of several runs, in seconds of processor time: what else the machine does only lengthens them."""

    def run() -> float:
        start = time.process_time()
        work()
        return time.process_time() - start

    return min(run() for _ in range(times))


def main(file: str | None = None, pages: int = 300) -> None:
    """Measure both on the same file; without one, on as many pages that are made here."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(file) if file else make(Path(folder) / "pages.pdf", pages)
        pages = len(pypdfium2.PdfDocument(path))
        theirs = least(lambda: bare(path))
        ours = least(lambda: list(pdf.passages(path, Options(), print)))
        print(
            f"{pages} pages: {pages / ours:.0f} pages/s, PDFium alone {pages / theirs:.0f}, ratio {ours / theirs:.2f}"
        )


if __name__ == "__main__":
    main(*told(__doc__))

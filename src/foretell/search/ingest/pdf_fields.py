"""What a PDF file contains beside its pages' own text: filled fields, comments, and attached files."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .block import Report

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfPage

TEXT, CHOICES = (6,), (4, 5)  # FPDF_FORMFIELD_TEXTFIELD; combo box and list box
NOTES = (1, 3)  # FPDF_ANNOT_TEXT, FPDF_ANNOT_FREETEXT: comments that people write on a page


def fields(document: PdfDocument, page: PdfPage) -> Iterator[str]:
    """The filled fields of a page, each with its name, and the comments on it.

    `document.init_forms()` must have been called before the page was opened.
    """
    from pypdfium2 import raw

    form = document.formenv.raw if document.formenv else None
    for number in range(raw.FPDFPage_GetAnnotCount(page.raw)):
        annotation = raw.FPDFPage_GetAnnot(page.raw, number)
        try:
            kind = raw.FPDFAnnot_GetSubtype(annotation)
            if kind == raw.FPDF_ANNOT_WIDGET and form:
                if raw.FPDFAnnot_GetFormFieldType(form, annotation) in TEXT + CHOICES:
                    value = _said(raw.FPDFAnnot_GetFormFieldValue, form, annotation)
                    name = _said(raw.FPDFAnnot_GetFormFieldAlternateName, form, annotation)
                    name = name or _said(raw.FPDFAnnot_GetFormFieldName, form, annotation)
                    if value:
                        yield f"{name}: {value}" if name else value
            elif kind in NOTES:
                note = _said(raw.FPDFAnnot_GetStringValue, annotation, b"Contents")
                if note:
                    yield note
        finally:
            raw.FPDFPage_CloseAnnot(annotation)


def unread(document: PdfDocument, report: Report) -> None:
    """Report the parts of a file that are not read: attached files, and forms in Adobe's XML (XFA)."""
    from pypdfium2 import raw

    if document.get_formtype() in (raw.FORMTYPE_XFA_FULL, raw.FORMTYPE_XFA_FOREGROUND):
        report("its form is in Adobe's XML (XFA), which is not read; print it to a PDF file first")
    if count := document.count_attachments():
        names = [document.get_attachment(number).get_name() for number in range(min(count, 5))]
        more = ", …" if count > len(names) else ""
        report(f"{count:,} attached files are not read; save them beside it: {', '.join(names)}{more}")


def _said(function: object, *arguments: object) -> str:
    """A text that a function of PDFium writes into a buffer: its length is asked first."""
    from pypdfium2 import raw

    length = function(*arguments, None, 0)  # type: ignore[operator]
    buffer = ctypes.create_string_buffer(length)
    function(*arguments, ctypes.cast(buffer, ctypes.POINTER(raw.FPDF_WCHAR)), length)  # type: ignore[operator]
    return " ".join(buffer.raw[:length].decode("utf-16-le", "replace").rstrip("\0").split())

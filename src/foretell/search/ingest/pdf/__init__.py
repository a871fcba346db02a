"""Read PDF files: what is seen on a page, in the order of reading.

Read on in this order: layout, letters, margin, hidden, fields, reader.
"""

from .reader import passages

__all__ = ["passages"]

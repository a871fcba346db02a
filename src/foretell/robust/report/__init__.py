"""The report of a discovery: one HTML file that needs nothing else, for people who know their pictures."""

from .page import render

__all__ = ["render"]

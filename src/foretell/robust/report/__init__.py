"""The report of a discovery: one HTML file that needs nothing else, for people who know their pictures."""

from .page import described, examples, render

__all__ = ["described", "examples", "render"]

"""Photographs: their sources, and the decoding of a file into an array."""

"""Photographs: where they come from, and how a file becomes an array."""

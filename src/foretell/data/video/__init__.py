"""Clips of videos and of episodes: where they come from, and how a file becomes an array."""

from .decode import DAMAGED, ENDINGS, Cuts, cut_video, decode_video, read_video
from .film import Film

__all__ = ["DAMAGED", "ENDINGS", "Cuts", "Film", "cut_video", "decode_video", "read_video"]

"""Clips of videos and of episodes: where they come from, and how a file becomes an array."""

from .decode import DAMAGED, ENDINGS, Cut, Cuts, Film, cut_video, decode_video, read_video

__all__ = ["DAMAGED", "ENDINGS", "Cut", "Cuts", "Film", "cut_video", "decode_video", "read_video"]

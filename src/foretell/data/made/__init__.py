"""Data that is made here: nothing to download, every factor known."""

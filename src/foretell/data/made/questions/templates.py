"""Ways to ask: several phrasings of each instruction (VistaLLM's CoinIt does so), and one of each that is held out.

A model is trained on all phrasings but the last. The split `phrasings` asks the questions of the split `test`, about
the same scenes, in the last phrasing alone: the difference of both is what unknown phrasings cost.
"""

from __future__ import annotations

PHRASINGS = "phrasings"
"""The split of held-out phrasings."""
TEMPLATES: dict[str, tuple[str, ...]] = {
    "caption": (
        "describe the picture.",
        "what does the picture show?",
        "say something about the picture.",
        "write a caption.",
        "describe what is in the picture.",
        "what is there in the picture?",
    ),
    "count": (
        "how many {} are there?",
        "what is the number of {}?",
        "count the {}.",
        "say how many {} there are.",
        "how many {} does the picture show?",
        "give the number of {}.",
    ),
    "colour": (
        "what colour is {}?",
        "which colour does {} have?",
        "tell the colour of {}.",
        "name the colour of {}.",
        "of which colour is {}?",
        "what is the colour of {}?",
    ),
    "yes or no": (
        "is this true of the picture: {}?",
        "{}: yes or no?",
        "does the picture show this: {}?",
        "yes or no: {}?",
        "answer with yes or no: {}?",
        "say yes or no: {}?",
    ),
    "box": (
        "where is {}?",
        "give a box around {}.",
        "find {}, and answer with a box.",
        "draw a box around {}.",
        "which box encloses {}?",
        "answer with a box around {}.",
    ),
    "outline": (
        "outline {}.",
        "draw the outline of {}.",
        "which points enclose {}?",
        "give the outline of {}.",
        "find {}, and answer with its outline.",
        "answer with the outline of {}.",
    ),
    "outlines": (
        "outline {}, if there is any.",
        "draw outlines of {}.",
        "which points enclose {}? There may be none.",
        "give the outlines of {}, or say none.",
        "find {}, and answer with outlines, or with none.",
        "answer with outlines of {}, if there is any.",
    ),
    "region": (
        "what is in {}?",
        "name the thing in the box {}.",
        "describe what lies in {}.",
        "which thing does the box {} enclose?",
        "say what is in {}.",
        "which thing lies in the box {}?",
    ),
    "pair": (
        "true or false: {}?",
        "{}: is this true or false?",
        "is it true or false that {}?",
        "say true or false: {}?",
        "{}: true or false?",
        "answer with true or false: {}?",
    ),
    "common": (
        "outline the kind of thing that all pictures show.",
        "draw outlines of what all pictures have in common.",
        "which kind of thing is in all pictures? outline it.",
        "find what all pictures show, and answer with outlines.",
        "give the outlines of what the pictures have in common.",
        "outline what all pictures have in common.",
    ),
    "attribute": (
        "outline {} in all pictures.",
        "draw outlines of {}, picture by picture.",
        "find {} in all pictures, and answer with outlines.",
        "which points enclose {}, picture by picture?",
        "give the outlines of {} in all pictures.",
        "answer with outlines of {} in all pictures.",
    ),
}
"""Kind of question -> phrasings. The last one has words of the others alone, and is held out."""


def ways_to_ask(split: str) -> dict[str, tuple[str, ...]]:
    """The phrasings of a split: those that are held out, or all others."""
    held_out = split == PHRASINGS
    return {kind: ways[-1:] if held_out else ways[:-1] for kind, ways in TEMPLATES.items()}

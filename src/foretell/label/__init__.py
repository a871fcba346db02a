"""Name what a picture shows, from words that nobody trained on: zero-shot, by a model that knows words.

    found = label(model, pictures, ["a red apple", "a dog"])
    found[0].label, found[0].scores
    draw(found).save("labels.png")

Read on in this order: ask, draw.
"""

from foretell.label.ask import LabelScores, ask
from foretell.label.draw import draw

__all__ = ["LabelScores", "ask", "draw"]

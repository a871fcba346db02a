"""Ask a model in words about one or several pictures: it answers in words, boxes and outlines.

    answer = ask(model, ["photo.jpg"], "where is the red dog?")
    answer.text, answer.boxes, answer.masks       # in pixels of the pictures
    draw(answer).save("answer.png")

Read on in this order: ask, draw.
"""

from foretell.ask.ask import PictureAnswer, PlacedBox, PlacedMask, PlacedPoint, ask, open_picture
from foretell.ask.draw import draw

__all__ = ["PictureAnswer", "PlacedBox", "PlacedMask", "PlacedPoint", "ask", "draw", "open_picture"]

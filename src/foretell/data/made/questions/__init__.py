"""Questions about captioned scenes, with their answers in words, boxes and outlines: VistaLLM's tasks, one generator.

    load("questions:20000", Questions(64))       # to learn from; 2,500 others to test on
    load("questions:20000:combinations", Questions(64), split="test")

Every factor of a scene is recorded, so every answer is right, and an expression names exactly its targets. Scenes are
those of `foretell.data.made.captioned`, with the same splits.

Read on in this order: tasks (a question and its answer), source.
"""

from .tasks import TASKS, AskedQuestion

__all__ = ["TASKS", "AskedQuestion"]

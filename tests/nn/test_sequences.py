"""Texts in groups of like length, and the loss of their answers."""

import torch
from torch.nn import functional as F

from foretell.nn.sequences import near_entropy, sequences


def test_numbers_near_the_true_one_are_a_little_right():
    logits, line = torch.randn(3, 20), range(8, 20)
    targets = torch.tensor([8, 5, 14])
    weights, scores = torch.exp(-0.5 * torch.arange(-3.0, 4) ** 2), logits.log_softmax(-1)
    at_the_end = -(scores[0, 8:12] @ weights[3:]) / weights[3:].sum()
    between = -(scores[2, 11:18] @ weights) / weights.sum()
    found = near_entropy(logits, targets, line, 1.0)
    torch.testing.assert_close(found, torch.stack([at_the_end, -scores[1, 5], between]))
    torch.testing.assert_close(
        near_entropy(logits, targets, line, 0.0), F.cross_entropy(logits, targets, reduction="none")
    )


def test_groups_know_their_questions_pictures_and_answers():
    rows = [([7, 7, 7, 7], [8, 2]), ([5], [2]), ([6, 6], [9, 9, 2])]
    short, long = sequences(rows, [2, 1, 3], 2, torch.device("cpu"))
    assert short.questions.tolist() == [1, 2]
    assert short.tokens.tolist() == [[0, 0, 0, 5, 2], [6, 6, 9, 9, 2]]
    assert short.answered.tolist() == [[False] * 4 + [True], [False, False, True, True, True]]
    assert short.pictures.tolist() == [2, 3, 4, 5]
    assert long.questions.tolist() == [0]
    assert long.pictures.tolist() == [0, 1]

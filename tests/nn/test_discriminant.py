"""The linear discriminant: its equation, its shrinkage, and samples that come in parts."""

import torch

from foretell.nn.discriminant import Discriminant, shrunk


def clouds(n: int, means: torch.Tensor, spread: torch.Tensor, seed: int = 0):
    """n samples of each class, which differ by their means."""
    chance = torch.Generator().manual_seed(seed)
    y = torch.arange(len(means)).repeat_interleave(n)
    return means[y] + torch.randn(len(y), means.shape[1], generator=chance) @ spread, y


def test_with_many_samples_it_is_bayes_rule():
    means = torch.tensor([[1.0, 0.0, 0.0], [-1.0, 0.5, 0.0], [0.0, -0.5, 0.0]])
    spread = torch.tensor([[0.5, 0.3, 0.0], [0.0, 0.4, 0.0], [0.0, 0.0, 1.0]])
    found = Discriminant(3, 3)
    found.learn([clouds(20_000, means, spread)])
    x, _ = clouds(100, means, spread, seed=1)
    inverse = torch.linalg.inv(spread.T @ spread)
    apart = x.unsqueeze(1) - means
    bayes = -0.5 * torch.einsum("nkd,de,nke->nk", apart, inverse, apart)
    torch.testing.assert_close(found(x).softmax(-1), bayes.softmax(-1), atol=0.02, rtol=0)


def test_parts_are_the_same_as_all_at_once():
    x, y = clouds(40, torch.eye(4), 0.5 * torch.eye(4))
    whole, parts = Discriminant(4, 4), Discriminant(4, 4)
    whole.learn([(x, y)])
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    parts.learn((x[part], y[part]) for part in order.split(30))
    torch.testing.assert_close(parts(x), whole(x))


def test_a_class_of_one_sample_is_known_and_an_absent_one_is_finite():
    x, y = clouds(100, torch.tensor([[2.0, 0.0], [-2.0, 0.0]]), 0.3 * torch.eye(2))
    x, y = torch.cat([x, torch.tensor([[0.0, 3.0]])]), torch.cat([y, torch.tensor([2])])
    found = Discriminant(2, 4)
    found.learn([(x, y)])
    torch.testing.assert_close(found.means[2], torch.tensor([0.0, 3.0]))
    assert not found.means[3].any()
    assert (found(x).argmax(-1) == y).all()
    assert found(torch.zeros(2)).isfinite().all()


def test_before_it_learned_all_names_are_alike():
    assert not Discriminant(3, 5)(torch.randn(2, 4, 3)).any()


def test_nothing_to_learn_from_is_no_error():
    found = Discriminant(3, 2)
    found.learn([(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64))])
    assert found(torch.ones(1, 3)).isfinite().all()


def test_few_samples_shrink_a_covariance_and_many_do_not():
    chance = torch.Generator().manual_seed(0)
    true = torch.diag(torch.tensor([4.0, 1.0, 0.25, 0.25]))
    for n, near in ((5, 0.4), (100_000, 0.0)):
        x = torch.randn(n, 4, generator=chance) @ true.sqrt()
        S = x.T @ x / n
        found = shrunk(S, n)
        torch.testing.assert_close(found.trace(), S.trace(), rtol=1e-4, atol=0)
        moved = float(1 - (found - torch.eye(4) * S.trace() / 4).norm() / (S - torch.eye(4) * S.trace() / 4).norm())
        assert near - 1e-3 <= moved <= near + 0.4


def test_the_shrinkage_by_hand():
    S, n, D = torch.diag(torch.tensor([3.0, 1.0])), 10, 2
    rho = ((1 - 2 / D) * 10 + 16) / ((n + 1 - 2 / D) * (10 - 16 / D))  # tr(S²) = 10, tr(S) = 4
    torch.testing.assert_close(shrunk(S, n), (1 - rho) * S + rho * 2 * torch.eye(2), rtol=1e-5, atol=1e-5)

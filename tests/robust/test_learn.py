from copy import deepcopy

import pytest
import torch
from tests.robust.test_xrm import shortcut
from torch.nn import functional as F

from foretell.data import Images
from foretell.errors import ForetellError
from foretell.finetune import FinetuneConfig, load_classifier
from foretell.method import seeded
from foretell.methods import IJEPA, IJEPAConfig
from foretell.nn.predictor import PredictorConfig
from foretell.nn.vit import ViTConfig
from foretell.robust import files
from foretell.robust.algorithms import ERM, JTT, RWG, SUBG, GroupDRO, Rows, generalised, harder, inferred, penalty
from foretell.robust.config import ALGORITHMS, RobustConfig, known
from foretell.robust.learn import Best, choose, halves, learn
from foretell.robust.networks import Finetuned
from foretell.robust.table import Table, accuracies

FAST = RobustConfig(steps=400, every=50, lr=0.05, batch=128, weight_decay=0.0, eta=0.1, penalty=1.0)


def table(n=2000, seed=0, conflict=0.1, noise=1.5):
    x, y, against = shortcut(n, seed, conflict, noise)
    return Table(x, y, against.long())


def rows(y, group):
    return Rows(torch.tensor(y), torch.tensor(group) % 2, torch.tensor(group))


def test_group_dro_follows_its_two_equations():
    logits = torch.tensor([[1.0, 0.0], [0.0, 2.0], [0.5, 0.0]])
    batch = rows([0, 0, 1], [0, 1, 3])
    ce = F.cross_entropy(logits, batch.y, reduction="none")
    dro = GroupDRO(4, eta=0.5)
    q = torch.ones(4) * (0.5 * torch.tensor([ce[0], ce[1], 0.0, ce[2]])).exp()  # group 2 is absent: exp(0)
    q = q / q.sum()
    expected = q[0] * ce[0] + q[1] * ce[1] + q[3] * ce[2]
    assert dro.loss(logits, batch, 0).item() == pytest.approx(expected.item(), rel=1e-6)
    assert torch.allclose(dro.q, q)


def test_rows_are_drawn_by_their_groups():
    group, g = torch.tensor([0, 0, 0, 1, 3, 3]), torch.Generator().manual_seed(0)
    assert RWG().weights(group, g).tolist() == [2, 2, 2, 6, 3, 3]
    kept = SUBG().weights(group, g)
    assert [int(kept[group == k].sum()) for k in (0, 1, 3)] == [1, 1, 1]
    assert JTT(group == 3, times=7.0).weights(group, g).tolist() == [1, 1, 1, 1, 7, 7]
    assert ERM().weights(group, g) is None


def test_penalty_is_the_product_of_two_gradients():
    logits, y = torch.tensor([[1.0, -1.0], [0.3, 0.1], [0.2, 0.9], [-1.0, 0.5]]), torch.tensor([0, 1, 1, 0])

    def slope(k):
        h = 1e-3
        ends = [F.cross_entropy(logits[k::2].double() * (1 + s), y[k::2]) for s in (h, -h)]
        return ((ends[0] - ends[1]) / (2 * h)).item()

    assert penalty(logits, y).item() == pytest.approx(slope(0) * slope(1), rel=1e-3)


def test_lff_weighs_rows_by_how_hard_they_are_for_the_biased_network():
    sure, unsure = torch.tensor([[4.0, 0.0]]), torch.tensor([[0.0, 0.0]])
    y = torch.tensor([0])
    p = sure.softmax(1)[0, 0].item()
    assert generalised(sure, y).item() == pytest.approx(0.7 * p**0.7 * F.cross_entropy(sure, y).item(), rel=1e-5)
    assert harder(unsure, sure, y).item() > 0.95
    assert harder(sure, unsure, y).item() < 0.05


def test_eiil_parts_rows_by_what_the_reference_leans_on():
    x, y, against = shortcut(1000)
    logits = torch.stack([-x[:, 1], x[:, 1]], 1)  # a reference that knows the shortcut alone
    found = inferred(logits, y).bool()
    agreement = (found == against).float().mean().item()
    assert max(agreement, 1 - agreement) > 0.9


def test_group_dro_saves_the_worst_group_that_erm_loses():
    train, validation, test = table(), table(1000, 1), table(4000, 2)
    plain = accuracies(learn(train, validation, RobustConfig("erm", **_fast())).network, test)
    robust = accuracies(learn(train, validation, RobustConfig("groupdro", **_fast())).network, test)
    assert robust["worst_group"]["value"] > plain["worst_group"]["value"] + 0.1
    assert robust["worst_group"]["value"] == min(group["value"] for group in robust["groups"].values())
    assert set(robust["groups"]) == {"0/0", "0/1", "1/0", "1/1"}
    assert robust["average"]["low"] < robust["average"]["value"] < robust["average"]["high"]


@pytest.mark.parametrize("algorithm", ["erm", "groupdro", "rwg", "subg", "irm", "jtt", "eiil", "dfr"])
@pytest.mark.parametrize("network", ["linear", "mlp"])
def test_every_algorithm_beats_chance(algorithm, network):
    config = RobustConfig(algorithm, network, width=8, **_fast())
    outcome = learn(table(), table(1000, 1), config)
    found = accuracies(outcome.network, table(1000, 2))
    assert found["average"]["value"] > (0.5 if algorithm == "eiil" else 0.6)  # a strict algorithm learns less


def test_lff_saves_the_worst_group_unless_labels_are_noisy():
    def worst(noise):
        train, validation, test = (table(2000, seed, noise=noise) for seed in range(3))
        return accuracies(learn(train, validation, RobustConfig("lff", **_fast())).network, test)["worst_group"]

    assert worst(0.3)["value"] > 0.95
    assert worst(1.5)["value"] < 0.5  # it takes what is hard for what matters


def test_settings_are_chosen_by_the_worst_validation_group():
    train, validation = table(), table(1000, 1)
    settings = [RobustConfig(name, **_fast()) for name in ("erm", "groupdro")]
    by_itself = [learn(train, validation, one) for one in settings]
    best = choose(train, validation, settings)
    assert best.config.algorithm == "groupdro"
    assert best.worst == max(one.worst for one in by_itself) > min(one.worst for one in by_itself)


@pytest.fixture(scope="module")
def pictures():
    """Pictures that are bright or dark; environments say nothing."""
    g = torch.Generator().manual_seed(0)
    y, side = (torch.randint(0, 2, (160,), generator=g) for _ in range(2))
    pixels = torch.randint(20, 60, (160, 3, 16, 16), generator=g) + 180 * y.view(-1, 1, 1, 1)
    return Table(Images.of(pixels.byte(), y), y, side)


@pytest.mark.parametrize("algorithm", ["groupdro", "dfr", "lff"])
def test_a_world_model_is_finetuned_by_any_algorithm(pictures, algorithm, tmp_path):
    with seeded(0):
        model = IJEPA(IJEPAConfig(ViTConfig(16, 4, 16, 1, 2), PredictorConfig(8, 1, 2)))
    networks = Finetuned(model, ("dark", "bright"), FinetuneConfig("encoder"))
    before = deepcopy(model.state_dict())
    config = RobustConfig(algorithm, steps=60, every=20, lr=0.003, batch=32, optimizer="adam", weight_decay=0.0)
    held = torch.arange(160) % 4 == 0
    outcome = learn(pictures.some(~held), pictures.some(held), config, networks)
    assert outcome.worst > 0.8
    for name, weight in model.state_dict().items():  # a copy learns
        assert torch.equal(before[name], weight)
    files.save(outcome, ("dark", "bright"), tmp_path)
    again = load_classifier(tmp_path)
    x = pictures.take(torch.arange(8))
    assert torch.allclose(again(x), outcome.network(x), atol=1e-5)


def test_half_of_each_group_teaches():
    group = torch.tensor([0, 1, 0, 0, 1, 2])
    assert halves(group).tolist() == [True, True, False, True, False, True]


def test_of_equal_looks_the_last_is_kept():
    network = torch.nn.Linear(2, 2)
    with torch.no_grad():
        network.weight.copy_(torch.tensor([[-1.0, 0.0], [1.0, 0.0]]))  # by the cause
        network.bias.zero_()
    best = Best(network, table(200), 2)
    for step in range(3):
        best.look(step)
    assert best.step == 2
    with torch.no_grad():
        network.weight.zero_()
        network.bias.copy_(torch.tensor([1.0, 0.0]))  # all of one class: its worst group has nothing right
    best.look(3)
    assert best.step == 2
    assert not best.outcome(FAST).network.weight.eq(0).all()


def test_unknown_names_are_refused():
    with pytest.raises(ForetellError, match="algorithm is 'grupdro', which is not known; did you mean groupdro"):
        known("algorithm", "grupdro", ALGORITHMS)


def test_a_class_without_validation_rows_is_refused():
    validation = table(200, 1)
    few = validation.y == 0
    with pytest.raises(ForetellError, match="no validation row is of class 1"):
        learn(table(200), Table(validation.x[few], validation.y[few], validation.environment[few]), FAST)


def test_lengths_must_agree():
    x, y, _ = shortcut(20)
    with pytest.raises(ForetellError, match="20 rows, 19 labels"):
        Table(x, y[:-1], y)


def _fast():
    return {k: getattr(FAST, k) for k in ("steps", "every", "lr", "batch", "weight_decay", "eta", "penalty")}

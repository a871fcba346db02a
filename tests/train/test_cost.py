"""What a training costs: counted without numbers, and compared with numbers that are known."""

import json

import pytest
import torch
from torch.nn import functional as F

from foretell.cli import main
from foretell.errors import ForetellError
from foretell.methods import IJEPAConfig, begin
from foretell.nn.predictor import PredictorConfig
from foretell.nn.vit import ViTConfig
from foretell.recipes import RECIPES
from foretell.train.cost import Autocast, blank, skeleton, step_cost
from foretell.train.hardware import GPUS, LAUNCH, PASSES, Hardware, bill, found, parts, passes
from foretell.train.loop import TrainConfig
from foretell.train.optimizer import chosen

TINY = IJEPAConfig(ViTConfig(32, 8, 32, 2, 2), PredictorConfig(16, 2, 2))
"""16 patches."""


def tiny(batch=8, processes=1, **settings):
    return step_cost(skeleton(TINY), TrainConfig(batch=batch, **settings), processes)


def test_parameters_gradients_and_moments_are_those_of_a_real_model():
    model, cost = begin(TINY), tiny()
    optimizer = chosen("adamw", [(module, 1.0) for module in model.trained().values()], 1e-3, 0.04)
    trained = sum(p.numel() for group in optimizer.param_groups for p in group["params"])
    assert sum(cost.parameters.values()) == sum(p.numel() for p in model.parameters())
    assert cost.trained == trained
    assert cost.moments == 8 * trained
    assert cost.checkpoint == 4 * sum(cost.parameters.values()) + 8 * trained
    in_bf16 = cost.weights - 4 * (sum(cost.parameters.values()) + trained)
    matrices = sum(p.numel() for module in model.trained().values() for p in module.parameters() if p.ndim > 1)
    assert 2 * matrices * 0.9 < in_bf16 < 2 * trained
    muon = tiny(optimizer="muon")
    assert muon.moments < cost.moments
    assert muon.flops > cost.flops
    shared = tiny(processes=2)
    assert shared.weights == cost.weights + 4 * trained  # DDP's buckets
    assert tiny(processes=2, shard=True).moments == cost.moments // 2


def test_a_linear_layer_has_two_operations_a_weight_and_row_and_keeps_its_input():
    layer = torch.nn.Linear(8, 4, device="meta")
    x, kept = torch.empty(5, 8, device="meta"), []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t), Autocast(True, True):
        y = layer(x)
    assert y.dtype == torch.bfloat16
    assert [t.dtype for t in kept] == [torch.bfloat16] * len(kept)
    assert any(t.shape == (5, 8) for t in kept)


def test_attention_on_a_gpu_keeps_no_scores_and_costs_the_same_operations():
    from torch.utils.flop_counter import FlopCounterMode

    q, k, v = (torch.empty(2, 3, 64, 8, device="meta", requires_grad=True) for _ in range(3))
    found, sizes = {}, {}
    for fused in (True, False):
        kept = []
        with FlopCounterMode(display=False) as counter:
            keeping = torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t)  # noqa: B023
            with keeping, Autocast(False, fused):
                out = F.scaled_dot_product_attention(q, k, v)
            out.sum().backward()
        found[fused], sizes[fused] = counter.get_total_flops(), max(t.numel() for t in kept)
    assert found[True] == found[False] == 6 * 2 * 2 * 3 * 64 * 64 * 8
    assert sizes[True] < 2 * 3 * 64 * 64 == sizes[False]


def test_operations_and_activations_grow_with_the_batch_alone():
    one, more = tiny(8), tiny(64)  # more than run
    assert more.flops == pytest.approx(8 * one.flops, rel=0.2)  # sizes of blocks are drawn
    assert more.activations == pytest.approx(8 * one.activations, rel=0.2)
    assert more.weights == one.weights
    split = tiny(64, accumulate=2)
    assert split.samples == 32
    assert split.activations == pytest.approx(more.activations / 2, rel=0.05)
    assert split.flops == pytest.approx(more.flops, rel=0.05)


def test_a_run_takes_the_time_of_its_products_and_of_its_passes():
    cost, config = tiny(), TrainConfig(steps=1000, batch=8)
    slow = Hardware("slow", bf16=1e9, fp32=1e8, memory=1e9, bandwidth=1e9, price=2.0, utilisation=0.5)
    said = bill(cost, config, slow)
    rest = sum(cost.parameters.values()) - cost.trained
    through = 4 * (7 * cost.trained + 3 * rest) + PASSES * cost.activations
    assert passes(cost) == through
    assert said.seconds == pytest.approx(cost.flops / 0.5e9 + through / 1e9)
    assert said.hours == pytest.approx(said.seconds * 1000 / 3600)
    assert said.dollars == pytest.approx(2 * said.hours)
    assert bill(cost, config, slow, utilisation=0.25, price=0).dollars == 0
    assert bill(cost, config, slow, bf16=False).seconds > said.seconds
    two = bill(cost, config, slow, devices=2)
    assert two.hours == pytest.approx(2 * said.hours)
    assert two.days == pytest.approx(said.days)
    assert bill(cost, config, GPUS["h100"]).seconds == pytest.approx(LAUNCH * cost.operations)


def test_a_step_that_does_not_fit_is_split_until_it_does():
    cost = tiny(64)
    assert parts(cost, cost.state + cost.activations) == 1
    assert parts(cost, cost.state + cost.activations / 3) == 4
    assert parts(cost, cost.state) is None


@pytest.mark.parametrize("name", ["iwm", "vjepa-ac", "llip-mini", "byol"])
def test_small_recipes_are_counted(name):
    recipe = RECIPES[name]()
    cost = step_cost(skeleton(recipe.model), recipe.train, bf16=False, fused=False)
    assert cost.flops > 1e8
    assert cost.activations > 1e6


def test_what_cannot_be_counted_is_said():
    with pytest.raises(ForetellError, match="VEDIT reads StepLatents, expected photographs, clips, episodes or capt"):
        blank(skeleton(RECIPES["vedit"]().model), 2)
    with pytest.raises(ForetellError, match="batch 8 cannot be shared by 3 devices × 1 parts"):
        tiny(8, 3)
    with pytest.raises(ForetellError, match="int is not the configuration of a registered method"):
        skeleton(3)
    with pytest.raises(ForetellError, match=r"--hardware is 'h20', expected one of .*did you mean 'h200'"):
        found("h20")
    assert found("RTX 4090").name == "RTX 4090 24 GB"


def test_this_machine_is_measured():
    cpu = found("cpu")
    assert cpu.fp32 > 1e8
    assert cpu.bandwidth > 1e7
    assert cpu.price == 0


def says(capsys, *words):
    main(["cost", *words])
    return capsys.readouterr().out


def refuses(capsys, *words):
    with pytest.raises(SystemExit):
        main(["cost", *words])
    return capsys.readouterr().err


def test_the_command_tells_people_and_programs(capsys):
    small = "vjepa-tiny --steps 1000 --batch 64 --devices 2 --samples 50000 --price 2 --utilisation 0.4".split()
    told = json.loads(says(capsys, *small, "--json"))
    assert {each["hardware"] for each in told["hardware"]} == {each.name for each in GPUS.values()}
    for each in told["hardware"]:
        assert each["dollars"] == pytest.approx(2 * each["hours"])
        assert each["utilisation"] == 0.4
    assert told["part"] == 32
    assert told["cache_a_sample"] == 3 * 8 * 32 * 32
    assert told["flops"] == 1000 * told["flops_a_step"]
    text = says(capsys, *small, "--hardware", "h100")
    assert "H100 SXM 80 GB" in text
    assert "A100" not in text
    assert "64 samples" in text
    assert "1.23 GB for 50,000" in text
    deeper = json.loads(says(capsys, "vjepa-tiny", "--model.encoder.depth", "6", "--json"))
    assert deeper["parameters"]["context_encoder"] > told["parameters"]["context_encoder"]


def test_wrong_words_end_in_a_sentence(capsys):
    assert "cost needs a METHOD first" in refuses(capsys)
    assert "--devices is 0, expected at least 1" in refuses(capsys, "iwm", "--devices", "0")
    assert "--utilisation is 2, expected above 0 and at most 1" in refuses(capsys, "iwm", "--utilisation", "2")
    assert "--price is -1, expected at least 0" in refuses(capsys, "iwm", "--price", "-1")
    assert "--hardware is 'tpu'" in refuses(capsys, "iwm", "--hardware", "tpu")

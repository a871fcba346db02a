"""Every recipe on a GPU that is not there: its tensors are fake, and hold no numbers; those of the CPU are real.

A tensor or a generator of another device, and any number that the CPU would have to wait for, end in an error.
"""

from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    FakeTensor,
    FakeTensorMode,
    unset_fake_temporarily,
)
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from foretell.chance import there
from foretell.data import Batch, Captions, Clips, Photographs
from foretell.data.columns import several_texts, tensor
from foretell.methods import begin
from foretell.nn.vocabulary import Vocabulary
from foretell.recipes import RECIPES

GPU = torch.device("cuda")
SEEN = {name: recipe for name, recipe in RECIPES.items() if isinstance(recipe().model.reads, Photographs | Clips)}
"""Recipes that learn from pictures or clips alone."""
ALIKE = ("vitb16", "vitl16", "wide", "muon", "mini-pixels", "deep-pixels", "inv-12x384", "equi-36x512")
"""Parts of the names of those that differ from others in size alone."""
SEEN = {
    name: recipe for name, recipe in SEEN.items() if not recipe().encoder and not any(part in name for part in ALIKE)
}
REAL = torch.Generator


class Meant(REAL):
    """A generator that is of the CPU, where there is no driver, and remembers which device was asked for."""

    def __new__(cls, device="cpu"):
        made = REAL.__new__(cls)
        made.meant = torch.device(device)
        return made

    def __init__(self, device="cpu"):
        pass

    @property
    def device(self):
        return self.meant


class OfOneDevice(TorchFunctionMode):
    """Refuse draws by a generator of another device than the result's, as a GPU does."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if isinstance(generator := kwargs.get("generator"), Meant):
            device = torch.device(kwargs.get("device") or "cpu")
            assert device.type == generator.meant.type, f"{function.__name__} on {device} by one of {generator.meant}"
        return function(*args, **kwargs)


class RealOnTheCPU(TorchDispatchMode):
    """Compute what lies on the CPU alone; all else is left to the fake tensors."""

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        asked = kwargs.get("device")
        fake = any(isinstance(each, FakeTensor) for each in tree_leaves((args, kwargs)))
        if fake or (asked is not None and torch.device(asked).type != "cpu"):
            return operation(*args, **kwargs)
        with unset_fake_temporarily():
            return operation(*args, **kwargs)


def on_gpu(model):
    """The model, its tensors fake ones on a GPU."""
    for module in model.modules():
        if isinstance(module, Vocabulary):  # lies on the CPU, and knows bytes alone
            module.pairs = torch.full(module.pairs.shape, -1, dtype=torch.int32)
            continue
        for name, p in module._parameters.items():
            if p is not None:
                fake = torch.empty(p.shape, dtype=p.dtype, device=GPU)
                module._parameters[name] = torch.nn.Parameter(fake, p.requires_grad)
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = torch.empty(buffer.shape, dtype=buffer.dtype, device=GPU)
    return model


def batch(reads, count=2):
    """Black pictures or clips on the GPU."""
    frames = (reads.frames,) if isinstance(reads, Clips) else ()
    pixels = torch.zeros(count, 3, *frames, reads.size, reads.size, dtype=torch.uint8, device=GPU)
    if isinstance(reads, Captions):
        return Batch(pixels=pixels, captions=tensor(several_texts([[f"{n} dogs", f"dogs: {n}"] for n in range(count)])))
    return Batch(pixels=pixels)


@contextmanager
def faked():
    """Fake tensors, and generators that know where they are meant to be."""
    with pytest.MonkeyPatch.context() as patch, FakeTensorMode(allow_non_fake_inputs=True), RealOnTheCPU():
        patch.setattr(torch, "Generator", Meant)
        with OfOneDevice():
            yield


def test_a_generator_of_another_device_and_a_number_that_is_waited_for_are_found():
    with faked():
        with pytest.raises(AssertionError, match="rand on cuda by one of cpu"):
            torch.rand(2, generator=torch.Generator(), device=GPU)
        with pytest.raises(DataDependentOutputException):
            torch.zeros(2, device=GPU).sum().item()
        with pytest.raises(RuntimeError, match="device"):
            torch.zeros(2, device=GPU) + torch.zeros(2)
        assert there(torch.Generator(GPU), GPU).device == GPU


def shallow(config):
    """The same with two blocks in each transformer: the others do what these do."""
    parts = {name: getattr(config, name) for name in ("encoder", "predictor", "text") if hasattr(config, name)}
    return replace(config, **{name: replace(part, depth=2) for name, part in parts.items() if hasattr(part, "heads")})


@pytest.mark.parametrize("name", SEEN)
def test_a_step_of_every_recipe_stays_on_its_gpu_and_is_never_waited_for(name):
    config = shallow(SEEN[name]().model)
    with torch.device("meta"):  # holds no numbers, however large it is
        model = begin(config).train()
    with faked():
        loss = on_gpu(model)(model.views(batch(config.reads), torch.Generator()))
    assert (loss.device.type, loss.shape) == ("cuda", ())

"""A GPU that is not there: its tensors are fake, and hold no numbers; those of the CPU are real.

A tensor or a generator of another device ends in an error. So does what the CPU would have to wait for, or it is
answered with ones and counted.
"""

from contextlib import contextmanager

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode, unset_fake_temporarily
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

GPU = torch.device("cuda")
REAL = torch.Generator
aten = torch.ops.aten
COMPARED = (aten.allclose.default, aten.equal.default)
"""Operations that give one answer to all of a tensor."""


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
    """Refuse draws by a generator of another device than the result's, as a GPU does.

    A backward pass on a GPU needs a driver, so here it gives each leaf a gradient without computing it.
    """

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function is torch.Tensor.backward and args[0].device.type != "cpu":
            return _gradients(args[0])
        if isinstance(generator := kwargs.get("generator"), Meant):
            device = torch.device(kwargs.get("device") or "cpu")
            assert device.type == generator.meant.type, f"{function.__name__} on {device} by one of {generator.meant}"
        return function(*args, **kwargs)


def _gradients(loss):
    """Give a gradient to every leaf that a loss comes from."""
    nodes, known = [loss.grad_fn], set()
    while nodes:
        node = nodes.pop()
        if node is None or node in known:
            continue
        known.add(node)
        if hasattr(node, "variable"):
            node.variable.grad = torch.zeros_like(node.variable)
        nodes += [following for following, _ in node.next_functions]


class RealOnTheCPU(TorchDispatchMode):
    """Compute what lies on the CPU alone; all else is left to the fake tensors.

    Args:
        answers: what the CPU asks of the GPU is 1, and no error.
    """

    def __init__(self, answers=False):
        super().__init__()
        self.answers, self.waits = answers, []

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        fake = any(isinstance(each, FakeTensor) for each in tree_leaves((args, kwargs)))
        there = _on_cpu(kwargs.get("device"))
        if fake and _waited(operation, args, there):
            self.waits.append(operation.name())
            if self.answers:
                with unset_fake_temporarily():
                    return _ones(operation, args)
        if fake or there is False:
            return operation(*args, **kwargs)
        with unset_fake_temporarily():
            return operation(*args, **kwargs)


def _on_cpu(device):
    """Whether a device that was asked for is the CPU; None where none was."""
    return None if device is None else torch.device(device).type == "cpu"


def _waited(operation, args, to_cpu):
    """Whether the CPU waits for an operation until the GPU is done with all before."""
    if operation is aten._to_copy.default:
        return bool(to_cpu) and args[0].device.type != "cpu"
    if operation is aten.copy_.default:
        return args[0].device.type == "cpu" and args[1].device.type != "cpu"
    return operation in (aten._local_scalar_dense.default, *COMPARED)


def _ones(operation, args):
    """What such an operation gives."""
    x = args[0]
    if operation is aten.copy_.default:
        return x.fill_(1)
    if operation in COMPARED:
        return True
    ones = torch.ones(x.shape, dtype=x.dtype)
    return ones.item() if operation is aten._local_scalar_dense.default else ones


def on_gpu(model):
    """The model, its tensors fake ones on a GPU; what keeps to the CPU, such as a vocabulary, stays there."""
    for module in model.modules():
        if "_apply" in vars(type(module)):
            continue
        for name, p in module._parameters.items():
            if p is not None and p.device.type != "cuda":
                fake = torch.empty(p.shape, dtype=p.dtype, device=GPU)
                module._parameters[name] = torch.nn.Parameter(fake, p.requires_grad)
        for name, buffer in module._buffers.items():
            if buffer is not None and buffer.device.type != "cuda":
                module._buffers[name] = torch.empty(buffer.shape, dtype=buffer.dtype, device=GPU)
    return model


def _to(model, device, *others, **options):
    """Move a model to the GPU; what is there stays there, as its numbers are gone."""
    return model if _on_cpu(device) else on_gpu(model)


@contextmanager
def faked(answers=False):
    """Fake tensors, and generators that know where they are meant to be; gives what counts the waits."""
    counting = RealOnTheCPU(answers)
    with pytest.MonkeyPatch.context() as patch, FakeTensorMode(allow_non_fake_inputs=True), counting:
        patch.setattr(torch, "Generator", Meant)
        patch.setattr(torch.nn.Module, "to", _to)
        with OfOneDevice():
            yield counting


__all__ = ["GPU", "faked", "on_gpu"]

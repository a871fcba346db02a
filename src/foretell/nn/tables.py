"""Tables that are computed once and shared: of positions and rotations."""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor

P = ParamSpec("P")
TensorT = TypeVar("TensorT", bound=Tensor)


def shared_table(build: Callable[P, TensorT]) -> Callable[P, TensorT]:
    """Keep the last 64 tables that a function returns, by its arguments. Nobody may write to them.

    They are plain tensors, also if the first call is under `torch.inference_mode`. A tensor of that mode cannot be
    used in training later ("Inference tensors cannot be saved for backward").
    """

    @lru_cache(maxsize=64)
    @wraps(build)
    def table(*args: P.args, **kwargs: P.kwargs) -> TensorT:
        with torch.inference_mode(False):
            return build(*args, **kwargs)

    return table  # type: ignore[return-value]

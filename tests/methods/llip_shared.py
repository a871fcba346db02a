"""Run by torchrun from `test_llip.py`: the loss and the gradients of two processes are those of one with all pairs."""

from dataclasses import replace

import torch
import torch.distributed as dist

from foretell.methods.llip import CaptionedPairs, Llip, LlipConfig
from foretell.nn.mixture import MixtureConfig
from foretell.nn.text import TextConfig
from foretell.nn.vit import ViTConfig
from foretell.train.world import enter, leave

CONFIG = LlipConfig(
    ViTConfig(16, 8, 24, 1, 3, registers=3, init_std=None),
    TextConfig(24, 1, 3, vocabulary=300, length=24),
    MixtureConfig(out=24, heads=3),
)


def main() -> None:
    """Both losses, and both with images some at a time."""
    world = enter("cpu")
    for config in (CONFIG, replace(CONFIG, loss="softmax"), replace(CONFIG, rows=2)):
        torch.manual_seed(0)
        model, alone = Llip(config), Llip(config)
        alone.load_state_dict(model.state_dict())
        generator = torch.Generator().manual_seed(1)
        images = torch.rand(8, 3, 16, 16, generator=generator)
        tokens = torch.cat(
            [torch.ones(8, 1), torch.randint(3, 250, (8, 4), generator=generator), torch.full((8, 1), 2)], 1
        )
        positive = torch.eye(8, dtype=torch.bool)
        positive[0, 5] = True
        half = slice(4 * world.rank, 4 * world.rank + 4)
        loss = model(CaptionedPairs(images[half], tokens.long()[half], positive[half]))
        loss.backward()
        mean = world.mean(loss.detach().clone())
        alone._shared = lambda: False
        whole = alone(CaptionedPairs(images, tokens.long(), positive))
        whole.backward()
        torch.testing.assert_close(mean, whole, rtol=1e-6, atol=1e-6)
        for p, q in zip(model.parameters(), alone.parameters(), strict=True):
            if p.grad is not None:
                torch.testing.assert_close(world.mean(p.grad), q.grad, rtol=1e-4, atol=1e-5)
    assert dist.get_world_size() == 2
    leave()


if __name__ == "__main__":
    main()

import pytest
import torch
from torch.nn import functional as F

from foretell.nn.attention import Attention, attend


def qkv(dtype=torch.float32, asked=5, tokens=7):
    g = torch.Generator().manual_seed(0)
    shapes = ((2, 3, asked, 8), (2, 3, tokens, 8), (2, 3, tokens, 8))
    return [torch.randn(shape, generator=g).to(dtype).requires_grad_() for shape in shapes]


def test_attention_is_a_softmax_of_scaled_products():
    q, k, v = qkv()
    for b in range(2):
        for h in range(3):
            weights = torch.exp(q[b, h] @ k[b, h].T / 8**0.5)
            expected = weights / weights.sum(1, keepdim=True) @ v[b, h]
            torch.testing.assert_close(attend(q, k, v)[b, h], expected)


def test_the_written_out_path_agrees_with_the_fused_kernel_forward_and_backward():
    low, full = qkv(torch.bfloat16), qkv()
    ours, fused = attend(*low), F.scaled_dot_product_attention(*full)
    assert ours.dtype == torch.bfloat16
    torch.testing.assert_close(ours.float(), fused, atol=0.02, rtol=0.02)
    ours.float().square().sum().backward()
    fused.square().sum().backward()
    for a, b in zip(low, full, strict=True):
        torch.testing.assert_close(a.grad.float(), b.grad, atol=0.05, rtol=0.05)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_asking_with_the_first_tokens_only_is_the_first_rows_of_asking_with_all(dtype):
    attention = Attention(12, 3).to(dtype)
    x = torch.randn(2, 9, 12, dtype=dtype)
    atol = 1e-5 if dtype == torch.float32 else 0.01
    torch.testing.assert_close(attention(x, 4), attention(x)[:, :4], atol=atol, rtol=0.02)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_a_mask_hides_is_as_if_it_were_not_there(dtype):
    q, k, v = qkv(dtype)
    mask = torch.ones(5, 7, dtype=torch.bool)
    mask[2, 3:] = False
    got, alone = attend(q, k, v, mask), attend(q, k[:, :, :3], v[:, :, :3])
    torch.testing.assert_close(got[:, :, 2], alone[:, :, 2], atol=0.02 if dtype == torch.bfloat16 else 1e-6, rtol=0.02)
    torch.testing.assert_close(got[:, :, :2], attend(q, k, v)[:, :, :2])


def test_a_width_that_heads_do_not_divide_is_refused():
    with pytest.raises(ValueError, match="width 10 cannot be split into 4 heads"):
        Attention(10, 4)

"""Checkpoints of other shapes: V-JEPA 2-AC, other numbers of mask tokens, class tokens, and names that trainers add."""

import pytest
import timm
import torch
from torch.nn import functional as F

import foretell
from foretell.errors import ForetellError, ForetellWarning

CLIP = {"grid": (4, 3, 3)}


@pytest.fixture
def saved(tmp_path):
    def save(content, name="checkpoint.pth.tar"):
        torch.save(content, tmp_path / name)
        return tmp_path / name

    return save


def plain(part):
    return {name.removeprefix("module.backbone."): t for name, t in part.items()}


def close(a, b, tolerance=1e-5):
    torch.testing.assert_close(a, b, atol=tolerance, rtol=tolerance)


@torch.no_grad()
def test_surprise_asks_with_the_first_token_as_metas_evaluation_does(layouts, saved):
    content = layouts.clip_checkpoint()
    model, clips = foretell.load(saved(content)), torch.rand(2, 3, 8, 24, 24)
    past, future = model.divide(clips, 2)
    s_x = layouts.encode_clip(clips, plain(content["encoder"]), 3, past)
    tensors = plain(content["predictor"])
    close(
        model.foresee(clips, 2),
        layouts.predict(s_x, past, future, tensors | {"mask_token": tensors["mask_tokens.0"]}, 3),
    )


@pytest.mark.parametrize("count", [1, 3, 5])
@torch.no_grad()
def test_v_jepa_has_a_token_for_each_mask_however_many(layouts, saved, count):
    content = layouts.clip_checkpoint()
    part = content["predictor"]
    shape = part.pop("module.backbone.mask_tokens.1").shape
    g = torch.Generator().manual_seed(1)
    for n in range(count):
        part[f"module.backbone.mask_tokens.{n}"] = torch.randn(shape, generator=g)
    model, clips = foretell.load(saved(content)), torch.rand(2, 3, 8, 24, 24)
    assert model.config.encoder.positions == "resized-vjepa"
    assert len(model.config.masks.blocks) == count
    past, future = model.divide(clips, 1)
    s_x, tensors = layouts.encode_clip(clips, plain(content["encoder"]), 3, past), plain(part)
    for n in range(count):
        expected = layouts.predict(s_x, past, future, tensors | {"mask_token": tensors[f"mask_tokens.{n}"]}, 3)
        told = torch.eye(count)[n].expand(2, -1)
        close(model.predict(s_x, past, future.unsqueeze(1), told)[:, 0], expected)


@torch.no_grad()
def test_v_jepa_with_one_plain_token(layouts, saved):
    content = layouts.clip_checkpoint()
    part = content["predictor"]
    part["module.backbone.mask_token"] = part.pop("module.backbone.mask_tokens.0")
    del part["module.backbone.mask_tokens.1"]
    model, clips = foretell.load(saved(content)), torch.rand(1, 3, 8, 24, 24)
    past, future = model.divide(clips, 2)
    s_x = layouts.encode_clip(clips, plain(content["encoder"]), 3, past)
    close(model.foresee(clips, 2), layouts.predict(s_x, past, future, plain(part), 3))


def lightning(content):
    """As Lightning saves a module that holds the networks: one dictionary, another name for the target encoder."""
    names = {"encoder": "encoder", "predictor": "predictor", "target_encoder": "ema_encoder"}
    flat = {
        f"model.{names[part]}.{name.removeprefix('module.').removeprefix('backbone.')}": t
        for part in names
        for name, t in content[part].items()
    }
    return {"state_dict": flat, "epoch": 3, "pytorch-lightning_version": "2.5"}


def fsdp(content):
    """As FSDP names tensors inside of wrapped blocks."""
    return {
        part: {
            f"_fsdp_wrapped_module.{name}".replace(".attn.", "._fsdp_wrapped_module.attn."): t
            for name, t in tensors.items()
        }
        for part, tensors in ((part, content[part]) for part in ("encoder", "predictor", "target_encoder"))
    }


@pytest.mark.parametrize("wrap", [lightning, fsdp])
@pytest.mark.parametrize("kind", ["checkpoint", "clip_checkpoint"])
def test_names_that_trainers_add_are_taken_off(wrap, kind, layouts, saved):
    content = getattr(layouts, kind)()
    expected = foretell.load(saved(content)).state_dict()
    found = foretell.load(saved(wrap(content), "wrapped.ckpt")).state_dict()
    assert all(torch.equal(t, found[name]) for name, t in expected.items())


@pytest.mark.parametrize("sign", ["norms_block.0.weight", "patch_embed_img.proj.weight", "wide"])
def test_v_jepa_2_1_is_refused_by_its_name(sign, layouts, saved):
    content = layouts.clip_checkpoint()
    if sign == "wide":
        content["predictor"]["module.backbone.predictor_proj.weight"] = torch.zeros(4 * 192, 96)
    else:
        content["target_encoder"][f"module.backbone.{sign}"] = torch.zeros(192)
    with pytest.raises(ForetellError, match=r"looks like a V-JEPA 2\.1 \("):
        foretell.load(saved(content))


# V-JEPA 2-AC: an independent forward pass, after its public description ---------------------------------------------

D, INNER, GRID, HEADS = 192, 128, 3, 2


def turned(x, places):
    """V-JEPA 2's rotation of [N, d] by places [N]: pair k turns its channels by frequencies 2k and 2k + 1 of n."""
    d = x.shape[-1]
    frequency = 10000.0 ** -(torch.arange(d // 2, dtype=torch.float64) / (d // 2))
    angle = (places.double().unsqueeze(1) * frequency).repeat(1, 2)
    swapped = torch.stack([-x[:, 1::2], x[:, ::2]], -1).flatten(1)
    return (x.double() * angle.cos() + swapped.double() * angle.sin()).float()


def ac_predict(tensors, z, actions, states):
    """[K, N, D], [K, A], [K, A] -> [K, N, D]: one sample."""
    K, N, d = len(z), GRID * GRID, INNER // HEADS
    each = 2 * (d // 3 // 2)
    patches = F.linear(z, tensors["predictor_embed.weight"], tensors["predictor_embed.bias"])
    a = F.linear(actions, tensors["action_encoder.weight"], tensors["action_encoder.bias"]).unsqueeze(1)
    s = F.linear(states, tensors["state_encoder.weight"], tensors["state_encoder.bias"]).unsqueeze(1)
    x = torch.cat([a, s, patches], 1).flatten(0, 1)
    step = torch.arange(K).repeat_interleave(N + 2)
    inside = (torch.arange(N + 2) - 2).repeat(K)  # −2 and −1: told, which lie nowhere in the plane
    rows, columns = inside.clamp(min=0) // GRID, inside.clamp(min=0) % GRID
    hidden = step.unsqueeze(1) < step
    for n in range(1 + max(int(name.split(".")[1]) for name in tensors if name.startswith("predictor_blocks."))):
        w = {name.removeprefix(f"predictor_blocks.{n}."): t for name, t in tensors.items()}
        h = F.layer_norm(x, (INNER,), w["norm1.weight"], w["norm1.bias"], 1e-6)
        q, k, v = F.linear(h, w["attn.qkv.weight"], w["attn.qkv.bias"]).chunk(3, -1)
        heads = []
        for head in range(HEADS):
            part = slice(head * d, (head + 1) * d)
            both = []
            for one in (q[:, part], k[:, part]):
                pieces = [
                    turned(one[:, axis * each : (axis + 1) * each], places)
                    for axis, places in enumerate((step, rows, columns))
                ]
                both.append(torch.cat([*pieces, one[:, 3 * each :]], 1))
            scores = (both[0] @ both[1].T / d**0.5).masked_fill(hidden, -torch.inf)
            heads.append(scores.softmax(-1) @ v[:, part])
        x = x + F.linear(torch.cat(heads, 1), w["attn.proj.weight"], w["attn.proj.bias"])
        h = F.layer_norm(x, (INNER,), w["norm2.weight"], w["norm2.bias"], 1e-6)
        h = F.gelu(F.linear(h, w["mlp.fc1.weight"], w["mlp.fc1.bias"]))
        x = x + F.linear(h, w["mlp.fc2.weight"], w["mlp.fc2.bias"])
    x = x.unflatten(0, (K, N + 2))[:, 2:]
    x = F.layer_norm(x, (INNER,), tensors["predictor_norm.weight"], tensors["predictor_norm.bias"], 1e-6)
    return F.linear(x, tensors["predictor_proj.weight"], tensors["predictor_proj.bias"])


@pytest.fixture
def ac(layouts):
    """A checkpoint: V-JEPA 2's encoder without tables, and a predictor that reads 7 numbers of action and of state."""
    content = layouts.clip_checkpoint(inner=INNER, grid=(2, GRID, GRID))
    g = torch.Generator().manual_seed(3)
    predictor = content["predictor"]
    for name in ("mask_tokens.0", "mask_tokens.1", "predictor_pos_embed"):
        del predictor[f"module.backbone.{name}"]
    for name, width in (("action_encoder", 7), ("state_encoder", 7), ("extrinsics_encoder", 6)):
        predictor[f"module.backbone.{name}.weight"] = 0.3 * torch.randn(INNER, width, generator=g)
        predictor[f"module.backbone.{name}.bias"] = 0.1 * torch.randn(INNER, generator=g)
    for part in ("encoder", "target_encoder"):
        del content[part]["module.backbone.pos_embed"]
    return content


@torch.no_grad()
def test_v_jepa_2_ac_computes_what_an_independent_forward_pass_does(ac, saved, tmp_path):
    model = foretell.load(saved(ac))
    c = model.config
    assert (c.actions, c.states, c.fps, c.predictor.width, c.predictor.heads) == (7, 7, 4, INNER, HEADS)
    g = torch.Generator().manual_seed(0)
    z = torch.randn(2, 3, GRID * GRID, D, generator=g)
    actions, states = torch.randn(2, 2, 3, 7, generator=g)
    found = model.predictor(z, actions, states, (GRID, GRID))
    for n in range(2):
        close(found[n], ac_predict(plain(ac["predictor"]), z[n], actions[n], states[n]), 2e-5)
    assert torch.equal(model.state_scale, torch.ones(7))  # the released code scales nothing
    again = foretell.load(foretell.save(model, tmp_path / "ours"))
    close(again.predictor(z, actions, states, (GRID, GRID)), found)


def test_what_does_not_fit_v_jepa_2_ac_is_accounted_for(ac, saved):
    del ac["predictor"]["module.backbone.state_encoder.bias"]
    with pytest.raises(ForetellError, match=r"1 missing: predictor\.state_encoder\.bias"):
        foretell.load(saved(ac))


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "deit_tiny_distilled_patch16_224"])
@torch.no_grad()
def test_a_class_token_of_timm_attends_as_it_did(name, saved):
    torch.manual_seed(0)
    other = timm.create_model(name, num_classes=0, img_size=32, patch_size=8, depth=2).eval()
    for parameter in other.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    with pytest.warns(ForetellWarning) as told:
        model = foretell.load(saved(other.state_dict(), "vit.pth"))
    assert any("has a class token" in str(one.message) for one in told)
    x = torch.rand(2, 3, 32, 32)
    encoder = model.target_encoder
    expected = other.forward_features((x - encoder.mean) / encoder.std)
    close(encoder(x), expected[:, other.num_prefix_tokens :])
    assert model.untrained == "predictor"

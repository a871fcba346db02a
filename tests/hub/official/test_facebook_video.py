"""Meta's checkpoints of V-JEPA, fabricated, and of V-JEPA 2, renamed from transformers' model."""

import re
from pathlib import Path

import pytest
import torch

import foretell
from foretell.data import Batch
from foretell.errors import ForetellError, ForetellWarning
from foretell.hub.official.encoder import HEADS, heads_of
from foretell.hub.official.facebook_video import VJEPA2_HEADS


@pytest.fixture
def saved(tmp_path):
    def save(content, name="checkpoint.pth.tar"):
        torch.save(content, tmp_path / name)
        return tmp_path / name

    return save


def plain(part):
    return {name.removeprefix("module.backbone."): t for name, t in part.items()}


def close(a, b):
    torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def places(N, *counts):
    g = torch.Generator().manual_seed(0)
    return [torch.stack([torch.randperm(N, generator=g)[:n] for _ in range(2)]) for n in counts]


SIZES = [{}, {"tubelet": 4, "grid": (8, 2, 2), "patch": 4}, {"width": 384, "depth": 1, "inner": 48, "grid": (2, 3, 3)}]


@pytest.mark.parametrize("sizes", SIZES)
@torch.no_grad()
def test_v_jepa_computes_what_an_independent_forward_pass_does(layouts, saved, sizes):
    content = layouts.clip_checkpoint(**sizes)
    model = foretell.load(saved(content))
    c = model.config.encoder
    grid, heads = sizes.get("grid", (4, 3, 3)), sizes.get("width", 192) // 64
    assert (c.grid, c.tubelet, c.patch_size) == (grid, sizes.get("tubelet", 2), sizes.get("patch", 8))
    assert c.positions == model.config.predictor.positions == "resized-vjepa"
    assert model.untrained is None

    clips = torch.rand(2, 3, c.frames, c.image_size, c.image_size)
    seen, asked = places(torch.Size(grid).numel(), 5, 6)
    s_x = layouts.encode_clip(clips, plain(content["encoder"]), heads, seen)
    close(model.encode(clips, seen), s_x)
    close(model.target_encoder(clips), layouts.encode_clip(clips, plain(content["target_encoder"]), heads))
    for kind, told in ((0, torch.tensor([[1.0, 0.0]] * 2)), (1, torch.tensor([[0.0, 1.0]] * 2)), (1, None)):
        tensors = plain(content["predictor"])
        expected = layouts.predict(s_x, seen, asked, tensors | {"mask_token": tensors[f"mask_tokens.{kind}"]}, heads)
        close(model.predict(s_x, seen, asked.unsqueeze(1), told)[:, 0], expected)


@torch.no_grad()
def test_v_jepa_on_another_grid_resizes_its_positions_trilinearly(layouts, saved):
    content = layouts.clip_checkpoint()
    model, clips = foretell.load(saved(content)), torch.rand(1, 3, 12, 40, 24)
    tensors = plain(content["encoder"])
    field = tensors["pos_embed"].view(1, 4, 3, 3, -1).permute(0, 4, 1, 2, 3)
    field = torch.nn.functional.interpolate(field, scale_factor=(6 / 4, 5 / 3, 1.0), mode="trilinear")
    tensors["pos_embed"] = field.flatten(2).transpose(1, 2)
    close(model.encode(clips), layouts.encode_clip(clips, tensors, 3))


def test_v_jepa_trains_on_with_a_token_for_each_mask(layouts, saved):
    model = foretell.load(saved(layouts.clip_checkpoint(grid=(2, 4, 4)))).train()
    assert (model.config.stride, model.config.token_per_mask) == (4, True)
    clips = torch.randint(256, (2, 3, 4, 32, 32), dtype=torch.uint8)
    views = model.views(Batch(pixels=clips), torch.Generator().manual_seed(0))
    assert views.action.tolist() == [[1, 0]] * 2 + [[0, 1]] * 2
    model(views).backward()
    assert (model.predictor.queries.tokens.grad.abs().sum(1) > 0).all()


def test_what_was_loaded_is_saved_and_loaded_again(layouts, saved, tmp_path):
    model = foretell.load(saved(layouts.clip_checkpoint()))
    again = foretell.load(foretell.save(model, tmp_path / "ours"))
    assert again.config == model.config
    assert all(torch.equal(t, again.state_dict()[name]) for name, t in model.state_dict().items())


@pytest.mark.parametrize("bare", [False, True], ids=["target_encoder", "bare"])
@torch.no_grad()
def test_one_encoder_serves_as_both(bare, layouts, saved, encoder_only):
    part = layouts.clip_checkpoint()["target_encoder"]
    with encoder_only():
        model = foretell.load(saved(part if bare else {"target_encoder": part, "epoch": 1}))
    clips = torch.rand(1, 3, 8, 24, 24)
    expected = layouts.encode_clip(clips, plain(part), 3)
    close(model.encode(clips), expected)
    close(model.target_encoder(clips), expected)
    assert model.untrained == "predictor"


def drop(part, name):
    return lambda c: c[part].pop(f"module.backbone.{name}")


def put(part, name, *shape):
    return lambda c: c[part].update({f"module.backbone.{name}": torch.zeros(shape)})


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (drop("encoder", "blocks.1.attn.proj.bias"), r"1 missing: encoder\.blocks\.1\.attn\.proj\.bias\)"),
        (drop("predictor", "mask_tokens.0"), r"1 missing: predictor\.mask_tokens\.0\)"),
        (put("predictor", "predictor_norm.bias", 95), r"predictor_norm\.bias is \(95,\), expected \(96,\)"),
        (
            put("target_encoder", "norms_block.0.bias", 192),
            r"looks like a V-JEPA 2\.1 \(norms_block\.0\.bias\), which is not read, expected",
        ),
        (put("predictor", "action_encoder.weight", 96, 7), r"missing: .*predictor\.state_encoder\.bias"),
        (put("encoder", "pos_embed", 1, 36, 192), "expected V-JEPA's table of positions"),
        (drop("encoder", "pos_embed"), "lacks pos_embed, which would tell the encoder's size"),
        (put("encoder", "patch_embed.proj.weight", 192, 1, 2, 8, 8), r"expected \(width, 3, frames, side, side\)"),
        (put("encoder", "patch_embed.proj.weight", 192, 3, 2, 4, 4), "differ in size"),
        (drop("predictor", "predictor_pos_embed"), "lacks predictor_pos_embed, which would tell the predictor's size"),
    ],
)
def test_what_does_not_fit_is_accounted_for(layouts, saved, spoil, said):
    content = layouts.clip_checkpoint()
    spoil(content)
    with pytest.raises(ForetellError, match=said):
        foretell.load(saved(content))


def vjepa2(tokens=(0.0, 0.5), leftover=False, **changes):
    """transformers' model, and its tensors in Meta's layout, named independently of foretell."""
    transformers = pytest.importorskip("transformers")
    sizes = {"hidden_size": 192, "num_attention_heads": 3, "num_hidden_layers": 2, "patch_size": 8, "crop_size": 24}
    sizes |= {"pred_hidden_size": 64, "pred_num_attention_heads": 2, "pred_num_hidden_layers": 2}
    config = transformers.VJEPA2Config(**sizes, frames_per_clip=6, pred_num_mask_tokens=len(tokens), **changes)
    model = transformers.VJEPA2Model(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    model.predictor.embeddings.mask_tokens.data.mul_(torch.tensor(tokens).view(-1, 1, 1, 1))
    parts = {"encoder": {}, "predictor": {}}
    fused = {}
    for name, t in model.state_dict().items():
        part, _, rest = name.partition(".")
        mine = part == "predictor"
        rest = rest.replace("embeddings.patch_embeddings", "patch_embed").replace("layernorm", "norm")
        rest = rest.replace("embeddings.predictor_embeddings", "predictor_embed").replace("attention.", "attn.")
        rest = re.sub(r"^layer\.", "predictor_blocks." if mine else "blocks.", rest)
        rest = re.sub(r"^(norm|proj)\.", r"predictor_\1.", rest) if mine else rest
        if rest == "embeddings.mask_tokens":
            parts[part] |= {f"mask_tokens.{n}": token for n, token in enumerate(t)}
        elif found := re.search(r"\.(query|key|value)\.", rest):
            fused.setdefault((part, rest.replace(found[1], "qkv")), {})[found[1]] = t
        else:
            parts[part][rest] = t
    for (part, name), three in fused.items():
        parts[part][name] = torch.cat([three[one] for one in ("query", "key", "value")])
    if leftover:
        parts["encoder"]["pos_embed"] = torch.zeros(1, 27, 192)
        parts["predictor"]["predictor_pos_embed"] = torch.zeros(1, 27, 64)
    wrapped = {part: {f"module.backbone.{name}": t for name, t in tensors.items()} for part, tensors in parts.items()}
    return model, wrapped | {"target_encoder": dict(wrapped["encoder"]), "opt": {}, "scaler": None, "epoch": 1}


@pytest.mark.parametrize("leftover", [False, True], ids=["", "with tables that nothing reads"])
@torch.no_grad()
def test_v_jepa_2_computes_what_transformers_does(leftover, saved):
    model, content = vjepa2((0.0, 1.0, 0.0), leftover)
    ours = foretell.load(saved(content, "vitl.pt"))
    c = ours.config
    assert (c.encoder.image_size, c.encoder.frames, c.fps, c.predictor.heads) == (256, 64, 4, 2)
    assert c.encoder.positions == c.predictor.positions == "rotary-vjepa2"
    clips = torch.rand(2, 3, 6, 24, 24)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    pixels = ((clips - mean.view(3, 1, 1, 1)) / std.view(3, 1, 1, 1)).transpose(1, 2)
    seen, asked = places(27, 9, 12)
    expected = model(pixels, context_mask=[seen], target_mask=[asked])
    close(ours.encode(clips), expected.last_hidden_state)
    close(ours.target_encoder(clips), expected.last_hidden_state)
    s_x = torch.stack([one[index] for one, index in zip(expected.last_hidden_state, seen, strict=True)])
    prediction = ours.predict(s_x, seen, asked.unsqueeze(1), grid=(3, 3, 3))[:, 0]
    close(prediction, expected.predictor_output.last_hidden_state)


@pytest.mark.parametrize(("tokens", "chosen"), [((0.0, 0.0), 1), ((1.0, 0.0, 0.0), 0), ((1.0,), 0)])
def test_v_jepa_2_asks_with_the_token_that_was_learned(tokens, chosen, saved):
    model, content = vjepa2(tokens)
    ours = foretell.load(saved(content))
    assert torch.equal(ours.predictor.queries.token, model.predictor.embeddings.mask_tokens[chosen].flatten())


def test_v_jepa_2_with_several_learned_tokens_says_which_it_takes(saved):
    with pytest.warns(ForetellWarning, match="3 mask tokens that were learned; number 1"):
        foretell.load(saved(vjepa2((1.0, 1.0, 1.0))[1]))


def test_the_name_of_a_file_tells_the_size_of_its_clips_where_nothing_else_does(saved):
    assert foretell.load(saved(vjepa2()[1], "vitg-384.pt")).config.encoder.image_size == 384


@pytest.mark.parametrize(("table", "heads"), [(HEADS, 16), (VJEPA2_HEADS, 22)], ids=["V-JEPA", "V-JEPA 2"])
def test_the_giants_differ_in_their_heads(table, heads):
    assert heads_of(1408, Path("vitg.pt"), table) == heads
    assert heads_of(1280, Path("vith.pt"), table) == 16

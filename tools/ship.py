"""Make a finished run a model that ships with the package: weights in half precision, measured as they ship, and a card.

    python tools/ship.py RUN NAME --data DATA            # of images: measured on DATA
    python tools/ship.py RUN NAME/decoder --data DATA    # a decoder of the model NAME, which ships
    python tools/ship.py RUN NAME [--pixels RUN] [--seeds JSON ...] [--films TEXT]  # of video: by surprise at scenes

The files of --seeds are `foretell surprise --benchmark scenes --model RUN --json` of runs from other seeds.

Writes src/foretell/hub/models/NAME: config.json, model.safetensors, evaluation.json and README.md.
"""

import argparse
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch

from foretell import evaluate, hub, shipped, surprise
from foretell.augment import to_float
from foretell.claims import estimate
from foretell.data import Clips, load, train_test
from foretell.hub.decoders import check_decoder
from foretell.hub.files import read_json, write_json
from foretell.methods import VJEPA, LatentDecoder, VideoPixels
from foretell.train.loop import read


def main() -> None:
    """Ship a run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("name")
    parser.add_argument("--data", help="what to measure on")
    parser.add_argument("--pixels", help="the control of a video model")
    parser.add_argument("--pairs", type=int, default=100, help="of each property, of a video model")
    parser.add_argument("--films", default="", help="what films were among the scenes, in a sentence")
    parser.add_argument("--seeds", type=Path, nargs="*", default=[], help="what was measured of runs from other seeds")
    given = parser.parse_args()

    settings = read_json(given.run / "config.json")
    settings["data"]["spec"] = " ".join(Path(place).name for place in settings["data"]["spec"].split())
    folder = shipped.SHIPPED / given.name
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "config.json", settings)
    hub.save(hub.load(given.run), folder, dtype=torch.float16)

    model, metrics = hub.load(folder), read(given.run / "metrics.jsonl")
    if isinstance(model, LatentDecoder):
        report = decoded(model, folder.parent.name, given.data)
        text = decoder_card(given.name, settings, report, Path(given.data).name)
    elif isinstance(model, VJEPA):
        pixels = hub.load(given.pixels) if given.pixels else None
        report = surprise.on_scenes(model, given.pairs, pixels=pixels, progress="Measuring surprise")
        report["seeds"] = [read_json(path)["accuracy"] for path in given.seeds]
        text = video_card(given.name, settings, report, metrics, model, given.films)
    else:
        report = evaluate.evaluate(model, *train_test(given.data, model.config.encoder.image_size))
        text = card(given.name, settings, report, Path(given.data).name, metrics)
    write_json(folder / "evaluation.json", report)
    (folder / "README.md").write_text(text, encoding="utf-8")


def decoded(decoder: LatentDecoder, name: str, data: str, pictures: int = 1000) -> dict[str, Any]:
    """What a decoder draws of test pictures, or clips: its mean absolute error, beside that of the best constant."""
    world = hub.load(name)
    check_decoder(decoder, world, f"{name}/decoder")
    reads = world.reads
    test = load(data, reads, split="test") if isinstance(reads, Clips) else train_test(data, reads.size)[1]
    errors, every = [], []
    with torch.no_grad():
        for index in torch.arange(min(pictures, len(test))).split(100):
            x = to_float(test.batch(index).pixels)
            errors.append((decoder.decode(world.target(x)) - x).abs().flatten(1).mean(1))
            every.append(x)
    x = torch.cat(every)
    same = (x - x.median(0).values).abs().mean().item()
    return {"error": torch.cat(errors).mean().item(), "constant": same, "pictures": len(x)}


def decoder_card(name: str, settings: dict[str, Any], report: dict[str, Any], data: str) -> str:
    """The card of a decoder."""
    world, train = Path(name).parent.name, settings["train"]
    return f"""---
library_name: foretell
tags: [decoder]
license: apache-2.0
---

# The decoder of {world}

It draws the target latents of `{world}` as pictures, so that people can look at what the model imagines. No measure uses
it. It may draw what the model did not predict, because it has learned how such pictures look.

```python
import foretell
from foretell.hub.decoders import decoder_of

model = foretell.load("{world}")
decoder = decoder_of(model, "{world}")
pictures = decoder.decode(latents)  # of model.target, or a prediction -> in [0, 1]
```

`foretell decoder {world} --data {settings["data"]["spec"]} --out OUT`: {train["steps"]:,} steps of {train["batch"]} samples
({train["steps"] * train["batch"]:,}), seed {train["seed"]}, one CPU thread. Weights are stored as float16. Mean absolute
error on {report["pictures"]:,} test samples of {data}: {report["error"]:.4f} of the range of a pixel; the best constant
picture has {report["constant"]:.4f}. One seed.
"""


def seconds(settings: dict[str, Any], metrics: list[dict[str, Any]]) -> int:
    """How long a run took, by its median speed."""
    speeds = sorted(line["images_per_second"] for line in metrics if "images_per_second" in line)
    return round(settings["train"]["steps"] * settings["train"]["batch"] / speeds[len(speeds) // 2], -2)


def card(name: str, settings: dict[str, Any], report: dict[str, Any], data: str, metrics: list[dict[str, Any]]) -> str:
    """The model card: what it is, how it was made, and all that was measured."""
    train, mrr = settings["train"], report["mrr"]
    last = [line["monitor"] for line in metrics if "monitor" in line][-1]

    def interval(row: dict[str, Any]) -> str:
        return f"{row['value']:.3f} ({row['low']:.3f} to {row['high']:.3f})"

    probes = "\n".join(
        f"| {title} | {interval(report[key])} | {report[key]['chance']:.3f} |"
        for key, title in (("linear", "linear probe"), ("attentive", "attentive probe"), ("knn", "kNN"))
        if report[key]
    )
    rows = [("colour jitter, the headline", "clean to jittered", mrr, mrr["untrained"])]
    rows += [
        (key, row["direction"], row, mrr["untrained"]["per_action"][key]) for key, row in mrr["per_action"].items()
    ]
    ranks = "\n".join(
        f"| {title} | {way} | {interval(row)} | {row['hits@1']:.3f} | {row['hits@5']:.3f} | {row['hits@10']:.3f} "
        f"| {fresh['value']:.3f} |"
        for title, way, row, fresh in rows
    )
    augment = json.dumps(
        {k: v for k, v in settings["model"]["augment"].items() if k in ("brightness", "contrast", "saturation", "hue")}
    )
    return f"""---
library_name: foretell
tags: [world-model, {settings["method"]}]
license: apache-2.0
---

# {name}

A small image world model: {report["model"]["encoder"]:,} parameters in the encoder, {report["model"]["predictor"]:,} in
the predictor, {settings["model"]["encoder"]["image_size"]} × {settings["model"]["encoder"]["image_size"]} pixels in patches
of {settings["model"]["encoder"]["patch_size"]}. It knows what a change of colour does to a latent.

```python
import foretell

model = foretell.load("{name}")
latents = model.encode(images)  # [B, 3, 32, 32] in [0, 1] -> [B, patches, width]
```

## How it was made

`foretell train {name} --data {settings["data"]["spec"]} --out RUN`: {train["steps"]:,} steps of {train["batch"]} images
({train["steps"] * train["batch"]:,} images), seed {train["seed"]}, one CPU thread, about {timedelta(seconds=seconds(settings, metrics))} of
computing. Jitter strengths {augment}. Weights are stored as float16, and every number below is of those. One seed.

At the end of training, on training images: loss {last["loss"]:.3f}, against {last["constant"]:.3f} for the best constant and
{last["copy"]:.3f} for copying the nearest visible patch; spread {last["spread"]:.2f}; RankMe {last["rankme"]:.1f}.

## What it knows

`foretell evaluate {name} --data {data}` ({report["data"]["train"]:,} images to learn from, {report["data"]["test"]:,} to
test on; intervals are 95 %).

**The rank of its predictions** among {mrr["bank"]} versions of a photograph ({mrr["images"]} photographs, {mrr["queries"]}
predictions each; a quarter of them for the rows of one parameter). Chance is {mrr["chance"]:.3f}; `untrained` is a fresh
predictor on the same encoders.

| change | direction | MRR | hits@1 | hits@5 | hits@10 | untrained MRR |
|---|---|---|---|---|---|---|
{ranks}

**Frozen features**

| probe | accuracy | commonest class |
|---|---|---|
{probes}

RankMe {report["rankme"]["value"]:.1f} of {report["rankme"]["of"]}; LiDAR {report["lidar"]["value"]:.1f} of {report["lidar"]["of"]}.

## What it is not

A model for recognising things: it is small, saw {train["steps"] * train["batch"]:,} small images, and was made to keep
colour rather than to ignore it. It asks for the colour changes it was trained on; anything else is outside of what it
learned.
"""


def video_card(
    name: str, settings: dict[str, Any], report: dict[str, Any], metrics: list[dict[str, Any]], model: VJEPA, films: str
) -> str:
    """The card of a video model: what it is, how it was made, and what surprises it."""
    train, encoder = settings["train"], settings["model"]["encoder"]
    last = [line["monitor"] for line in metrics if "monitor" in line][-1]
    others = report["baselines"] | {"shuffled context": report["shuffled_context"]}
    films = f"{films}\n" if films else ""

    def line(title: str, found: dict[str, Any], rest: list[dict[str, Any]]) -> str:
        apart, kept, sets = found["directions"], found.get("carried"), found["sets"]
        directions = ", ".join(f"{way} {share:.0%}" for way, share in apart.items()) if len(apart) <= 4 else ""
        cells = [
            f"{found['value']:.0%} ({found['low']:.0%} to {found['high']:.0%})",
            f"{sets['value']:.0%}" if sets else "",
            *(f"{r['value']:.0%}" for r in rest),
        ]
        carried = f"{kept['value']:.2f}" if kept else ""
        return f"| {title} | " + " | ".join([*cells, f"{found['auroc']:.2f}", carried, directions]) + " |"

    found = report["accuracy"]
    rows = [
        line(key, row, [o["per_property"][key] for o in others.values()]) for key, row in found["per_property"].items()
    ]
    rows.append(line("all", {**found, "directions": {}}, list(others.values())))
    heads = ["property", "model", "sets", *others, "AUROC", "carried", "each way"]
    table = "\n".join(["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|", *rows])
    parts = {part: sum(p.numel() for p in module.parameters()) for part, module in model.trained().items()}
    return f"""---
library_name: foretell
tags: [world-model, {settings["method"]}]
license: apache-2.0
---

# {name}

A small model of video that predicts {"pixels" if isinstance(model, VideoPixels) else "latents"}: {parts["encoder"]:,} parameters in the encoder, {parts["predictor"]:,} in the predictor, clips of
{encoder["frames"]} frames of {encoder["image_size"]} × {encoder["image_size"]} pixels in patches of {encoder["tubelet"]} × {encoder["patch_size"]} × {encoder["patch_size"]}. It knows simple scenes made here, in which things fall,
roll, bounce, collide, rest and pass behind screens, and {"hardly anything" if films else "nothing"} else.

```sh
foretell surprise {name} film.mp4 --plot surprise.png
foretell surprise --benchmark scenes --model {name}
```

## How it was made

`foretell train {name} --data {settings["data"]["spec"]} --out RUN`: {train["steps"]:,} steps of {train["batch"]} clips
({train["steps"] * train["batch"]:,} clips), seed {train["seed"]}, one CPU thread, about {timedelta(seconds=seconds(settings, metrics))} of computing.
{films}Weights are stored as float16, and every number below but the monitors is of those.

At the end of training, on training clips: loss {last["loss"]:.3f}, against {last["constant"]:.3f} for the best constant and
{last["copy"]:.3f} for copying the nearest visible patch; `moving` {last["moving"]:.2f} (error on moving patches one tubelet
ahead, over that of repeating the last latent); `static` {last["static"]:.2f} (share of the targets' variance that does not
change in a clip); spread {last["spread"]:.2f}; RankMe {last["rankme"]:.1f}.

## What surprises it

Pairs of a possible and an impossible clip, equal until the violation; right when the impossible one surprises more; a tie is
wrong. 95 % intervals (Wilson). Beside it the same network untrained, repeating the last latents, and the model itself with
another clip's past. Context lengths were chosen on other pairs. AUROC is of single clips. `sets` compares the sums of two
pairs that are made of the same pasts and futures, so that what a clip costs whatever was expected cancels. `carried` is how much of what
tells the two stories of a pair apart is foretold from the past (0 nothing, 1 all of it). The last column is each
direction of a violation by itself: where one is near 0 % and the other near 100 %, a mean of 50 % knows nothing.

{table}

{seeds(found, report["seeds"])}
"""


def seeds(found: dict[str, Any], others: list[dict[str, Any]]) -> str:
    """What came out of other seeds, property by property."""
    if not others:
        return "One seed."
    runs = [found, *others]

    def line(title: str, values: list[float]) -> str:
        e = estimate(values)
        interval = f" ({max(e.low, 0):.0%} to {min(e.high, 1):.0%})" if e.seeds > 2 else ""  # of two it says nothing
        return f"| {title} | " + " | ".join([*(f"{value:.0%}" for value in values), f"{e.value:.0%}{interval}"]) + " |"

    rows = [line(key, [run["per_property"][key]["value"] for run in runs]) for key in found["per_property"]]
    rows.append(line("all", [run["value"] for run in runs]))
    heads = ["property", "this model", *(f"another seed, {n}" for n in range(1, len(runs))), "mean"]
    return "\n".join(
        [
            "The same recipe from other seeds; means of three or more have their 95 % interval (Student's t):",
            "",
            "| " + " | ".join(heads) + " |",
            "|---" * len(heads) + "|",
            *rows,
        ]
    )


if __name__ == "__main__":
    main()

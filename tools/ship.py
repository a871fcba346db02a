"""Make a finished run a model that ships with the package: weights in half precision, measured as they ship, and a card.

    python tools/ship.py RUN NAME --data DATA

Writes src/foretell/hub/models/NAME: config.json, model.safetensors, evaluation.json and README.md.
"""

import argparse
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch

from foretell import evaluate, hub
from foretell.data import train_test
from foretell.hub.files import read_json, write_json
from foretell.train.loop import read


def main() -> None:
    """Ship a run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("name")
    parser.add_argument("--data", required=True, help="what to measure on")
    given = parser.parse_args()

    settings = read_json(given.run / "config.json")
    settings["data"]["spec"] = Path(settings["data"]["spec"]).name
    folder = hub.SHIPPED / given.name
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "config.json", settings)
    hub.save(hub.load(given.run), folder, dtype=torch.float16)

    model = hub.load(given.name)
    report = evaluate.evaluate(model, *train_test(given.data, model.config.encoder.image_size))
    write_json(folder / "evaluation.json", report)
    text = card(given.name, settings, report, Path(given.data).name, read(given.run / "metrics.jsonl"))
    (folder / "README.md").write_text(text, encoding="utf-8")


def card(name: str, settings: dict[str, Any], report: dict[str, Any], data: str, metrics: list[dict[str, Any]]) -> str:
    """The model card: what it is, how it was made, and all that was measured."""
    train, mrr = settings["train"], report["mrr"]
    last = [line["monitor"] for line in metrics if "monitor" in line][-1]
    speeds = sorted(line["images_per_second"] for line in metrics if "images_per_second" in line)
    seconds = train["steps"] * train["batch"] / speeds[len(speeds) // 2]

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
({train["steps"] * train["batch"]:,} images), seed {train["seed"]}, one CPU thread, about {timedelta(seconds=round(seconds, -2))} of
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


if __name__ == "__main__":
    main()

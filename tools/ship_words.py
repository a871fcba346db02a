"""Make a finished run of Llip a model that ships with the package: weights in half precision, measured as they ship.

    python tools/ship_words.py RUN NAME [--photographs PLACE]

Writes src/foretell/hub/models/NAME: config.json, model.safetensors, evaluation.json and README.md. PLACE holds photographs
with captions, such as COCO's: the model never saw any.
"""

import argparse
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch

from foretell import hub, shipped
from foretell.data import load, train_test
from foretell.evaluate import evaluate
from foretell.evaluate.measures.composition import Composition
from foretell.evaluate.measures.linear import LinearProbe
from foretell.evaluate.measures.retrieval import Retrieval
from foretell.evaluate.measures.spectrum import Spectrum
from foretell.evaluate.measures.zero_shot import ZeroShot
from foretell.hub.files import read_json, write_json
from foretell.train.loop import read

MEASURES = (LinearProbe(), Retrieval(), ZeroShot(), Composition(), Spectrum())
SPLITS = {
    "captions:512": "scenes that it never saw",
    "captions:512:pictures": "pictures of things that it never saw",
    "captions:512:words": "words that it never read",
    "captions:512:combinations": "things in colours that they never had",
    "captions:512:single": "one thing a picture",
}


def main() -> None:
    """Ship a run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("name")
    parser.add_argument("--photographs", help="photographs with captions")
    given = parser.parse_args()

    settings, folder = read_json(given.run / "config.json"), shipped.SHIPPED / given.name
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "config.json", settings)
    hub.save(hub.load(given.run), folder, dtype=torch.float16)
    model = hub.load(given.name)
    report: dict[str, Any] = {}
    for spec in SPLITS:
        report[spec] = evaluate(model, *train_test(spec, model.config.reads, seed=1), measures=MEASURES)
    if given.photographs:
        all_of_them = load(given.photographs, model.config.reads)
        report["photographs"] = evaluate(model, all_of_them, all_of_them, measures=(Retrieval(),), controls=False)
    write_json(folder / "evaluation.json", report)
    text = card(given.name, settings, report, read(given.run / "metrics.jsonl"))
    (folder / "README.md").write_text(text, encoding="utf-8")


def shown(row: dict[str, Any] | None) -> str:
    """A number with its interval and, where it is known, chance."""
    if row is None:
        return "–"
    chance = f", chance {row['chance']:.3f}" if "chance" in row else ""
    return f"{row['value']:.3f} ({row['low']:.3f} to {row['high']:.3f}{chance})"


def card(name: str, settings: dict[str, Any], report: dict[str, Any], metrics: list[dict[str, Any]]) -> str:
    """The model card: what it is, how it was made, and all that was measured."""
    train, model = settings["train"], report["captions:512"]["model"]
    steps = max(line["step"] for line in metrics)
    speeds = sorted(line["images_per_second"] for line in metrics if "images_per_second" in line)
    took = timedelta(seconds=round(steps * train["batch"] / speeds[len(speeds) // 2], -2))
    rows = []
    for spec, what in (SPLITS | {"photographs": "photographs (it never saw any)"}).items():
        if (of := report.get(spec)) is None:
            continue
        found = of["retrieval"]
        by_text, by_image = found["text_to_image"], found["image_to_text"]
        true = shown(by_text.get("true@1"))
        count = f"{found['images']} images"
        rows.append(
            f"| {what}, {count} | {shown(by_text['r@1'])} | {shown(by_text['r@10'])} | {true} | {shown(by_image['r@1'])} |"
        )
    plain, single = report["captions:512"], report["captions:512:single"]
    composed = plain["composition"] or {}
    untrained = plain["retrieval"].get("untrained", {}).get("value")
    return f"""---
library_name: foretell
tags: [vision-language, {settings["method"]}]
license: apache-2.0
---

# {name}

A small model of pictures and words, a Llip: {model["encoder"]:,} parameters in the image tower, {model["text"]:,} in the text
tower, pictures of {settings["model"]["encoder"]["image_size"]} pixels. It learned from scenes that are made of emoji, with English
captions about things, colours, sizes, places and grounds. It never saw a photograph of a thing.

```sh
foretell label {name} picture.png --labels "a red apple" "a dog"
foretell knowledge create pictures --store store --model {name}
```

## How it was made

`foretell train {name} --data {settings["data"]["spec"]} --out RUN`: {steps:,} steps of {train["batch"]} pictures, seed {train["seed"]},
one CPU thread, about {took} beside other work. Weights are stored as float16, and every number below is of those. One seed.

## What it knows

Intervals are 95 %. R@1 counts only the image that a caption was written for; `true@1` counts every image that the caption is true of.

| on | caption finds image, R@1 | R@10 | true@1 | image finds caption, R@1 |
|---|---|---|---|---|
{chr(10).join(rows)}

The same network untrained has R@1 {untrained:.3f} on the first of these.

| measure | value |
|---|---|
| zero-shot, one thing a picture, {single["zero_shot"]["classes"]} classes | {shown(single["zero_shot"]["accuracy"])} |
| true caption above the one with colours exchanged | {shown(composed.get("colours"))} |
| true caption above the one with places exchanged | {shown(composed.get("places"))} |
| linear probe of the largest thing | {shown(plain["linear"])} |

## What it is not

A model of photographs: for those, give `foretell label` a folder of CLIP or SigLIP. The pictures are Noto Emoji (Apache-2.0), the
words emojilib's (MIT).
"""


if __name__ == "__main__":
    main()

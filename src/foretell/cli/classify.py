"""Name what pictures show, by a finetuned classifier."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from functools import partial
from typing import Annotated

from tyro.conf import Positional, arg

from foretell.cli.flags import Usage, parse


@dataclass(frozen=True)
class Classify:
    """Name what pictures show: the likeliest class of each, by a classifier that `foretell finetune` made."""

    what: Annotated[
        Positional[tuple[str, ...]],
        arg(help="the classifier's folder; then pictures", metavar="MODEL IMAGE"),
    ] = ()
    task: Annotated[str | None, arg(help="for a classifier of several data sets: the one whose classes are named")] = (
        None
    )
    json: Annotated[bool, arg(help="print JSON: a list of {image, label, probability}")] = False
    device: str = "auto"


def classify(args: list[str]) -> None:
    """Name what pictures show, by a finetuned classifier: foretell classify MODEL IMAGE... [--json] [--task T]."""
    from foretell import finetune as tuning
    from foretell.errors import ForetellError
    from foretell.finetune.multitask import MultitaskClassifier
    from foretell.inputs import preprocess
    from foretell.train.world import enter

    flags = parse(Classify, args, "classify")
    if len(flags.what) < 2:
        raise Usage("classify needs a MODEL and an IMAGE (see foretell classify --help)")
    folder, *paths = flags.what
    classifier = tuning.load_classifier(folder, enter(flags.device).device)
    if isinstance(classifier, MultitaskClassifier):
        if flags.task is None:
            raise Usage(f"{folder} knows several tasks: give --task, one of {', '.join(classifier.tasks)}")
        name = partial(classifier.classify, task=flags.task)
    elif flags.task is not None:
        raise Usage(f"{folder} knows one task: leave --task out")
    else:
        name = classifier.classify
    found, wrong = [], 0
    for path in paths:
        try:
            pixels = preprocess(path, classifier)
        except ForetellError as error:
            if len(paths) == 1:
                raise
            print(f"foretell: {error}", file=sys.stderr)
            wrong += 1
            continue
        ((label, probability),) = name(pixels)
        found.append({"image": path, "label": label, "probability": probability})
        if not flags.json:
            print(f"{path}: {label} {probability:.1%}")
    if flags.json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
    if wrong:
        raise ForetellError(f"{wrong} of {len(paths)} pictures could not be read")

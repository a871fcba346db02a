"""Retrieval: the image among many that a caption was written for, and a caption that was written for an image.

m images · n captions · R how many found count
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from foretell.evaluate.encode import evaluating
from foretell.evaluate.intervals import bootstrap
from foretell.evaluate.measure import Line, Result
from foretell.evaluate.measures.words import WordMeasure, caption_vectors, similarities, texts_of
from foretell.evaluate.subject import Subject

HITS = (1, 5, 10)


@dataclass(frozen=True)
class Retrieval(WordMeasure):
    """R@1, R@5 and R@10, both ways.

    Every candidate is mixed anew for every caption. Beside that stands what a search does that cannot afford it: a
    first pass by max-sim, the nearest of an image's K outputs, of which the first `shortlist` are mixed anew.

    A caption is true of more than the image it was written for. R@1 counts that image alone, as papers do. Of scenes
    that are made here every factor is known, so `true@1` says how often the first image found fits the caption.
    """

    name: ClassVar[str] = "retrieval"
    title: ClassVar[str] = "retrieval"
    images: int = 1000
    """Test images, the first ones, that captions are looked for among."""
    each: int = 5
    """Captions of an image that are asked with, the first ones; COCO has five."""
    shortlist: int = 128

    def run(self, subject: Subject) -> Result:
        """Rank all images for each caption, and all captions for each image."""
        known = [texts[: self.each] for texts in texts_of(subject, "captions", self.images)]
        texts = [text for some in known for text in some]
        owner = torch.repeat_interleave(torch.arange(len(known)), torch.tensor([len(some) for some in known]))
        g, m = caption_vectors(subject, texts), len(known)
        exact = similarities(subject, subject.outputs[:m], g)
        first = self._first_pass(subject, texts, m)
        likely = first.topk(min(self.shortlist, m), 0).indices
        shortlist = torch.full_like(exact, -torch.inf).scatter(0, likely, exact.gather(0, likely))

        def found(similarity: Tensor) -> Float[Tensor, "m R"]:
            return _averaged(_image_hits(similarity, owner), owner, m)

        seed, main = subject.seed, found(exact)
        chance = [min(k, m) / m for k in HITS]
        text_to_image = _numbers(main, seed, chance) | self._true(subject, exact, first, texts, owner)
        by_image = [1 - (1 - k / len(texts)) ** self.each for k in HITS]
        numbers = {
            **text_to_image["r@1"],
            "text_to_image": text_to_image,
            "image_to_text": _numbers(_caption_hits(exact.T, owner), seed, by_image),
            "shortlist": _numbers(found(shortlist), seed, chance) | {"of": min(self.shortlist, m)},
            "first_pass": _numbers(found(first), seed, chance),
            "images": m,
            "captions": len(texts),
        }
        return Result(numbers, main[:, 0])

    def _first_pass(self, subject: Subject, texts: list[str], m: int) -> Float[Tensor, "m n"]:
        model: Any = subject.model
        with evaluating(subject.model, subject.device) as device:
            t = torch.cat([model.encode_text(texts[i : i + 256]).float() for i in range(0, len(texts), 256)])
            outputs = subject.outputs[:m].to(device)
            nearest = [(model.apart(some).float() @ t.T).amax(1).cpu() for some in outputs.split(64)]
        return torch.cat(nearest)

    def _true(
        self, subject: Subject, exact: Tensor, first: Tensor, texts: list[str], owner: Int[Tensor, " n"]
    ) -> dict[str, Any]:
        """How often the image found first is one that the caption is true of, where the data knows."""
        if "scene" not in subject.test.columns:
            return {}
        from foretell.data.made.captioned import CaptionedScene, truth

        m = len(exact)
        rows = subject.test.batch(torch.arange(m)).ragged("scene")
        scenes = [CaptionedScene.of(rows[i].numpy()) for i in range(m)]  # type: ignore[union-attr]
        drawn = np.random.default_rng(subject.seed).integers(m, size=len(texts))

        def share(places: Sequence[int]) -> Float[Tensor, "m 1"]:
            right = [truth(text, scenes[place]) is True for text, place in zip(texts, places, strict=True)]
            return _averaged(torch.tensor(right, dtype=torch.float32).unsqueeze(1), owner, m)

        chance = share(drawn.tolist()).mean().item()
        return {"true@1": _interval(share(exact.argmax(0).tolist()), subject.seed)[0] | {"chance": chance}}

    def lines(self, numbers: dict[str, Any]) -> Sequence[Line]:
        """A line a number, under a heading."""
        ways = {"text_to_image": "by captions", "image_to_text": "captions by images", "shortlist": "shortlist"}
        made = [Line(f"retrieval among {numbers['images']} images")]
        for way, called in ways.items():
            hits = {name: one for name, one in numbers[way].items() if isinstance(one, dict)}
            for name, one in hits.items():
                same = way == "text_to_image" and name == "r@1"
                made.append(Line(f"  {called}, {name.upper() if name[0] == 'r' else name}", numbers if same else one))
        return made


def _image_hits(similarity: Float[Tensor, "m n"], owner: Int[Tensor, " n"]) -> Float[Tensor, "n R"]:
    """Whether each caption's image is among the first found, ties broken at random, in expectation."""
    own = similarity.gather(0, owner.unsqueeze(0))
    nearer, tied = (similarity > own).sum(0), (similarity == own).sum(0)
    # an image that was left out of a shortlist is not found
    hits = [((k - nearer) / tied).clamp(0, 1) * own[0].isfinite() for k in HITS]
    return torch.stack(hits, 1)


def _caption_hits(similarity: Float[Tensor, "n m"], owner: Int[Tensor, " n"]) -> Float[Tensor, "m R"]:
    """Whether one of each image's captions is among the first found."""
    its = owner.unsqueeze(1) == torch.arange(similarity.shape[1])
    best = similarity.masked_fill(~its, -torch.inf).amax(0)
    nearer = (similarity > best).sum(0)
    tied, own = (similarity == best).sum(0), ((similarity == best) & its).sum(0)
    # of `tied` in any order, none of the image's own among the first k − nearer has this chance
    found = []
    for k in HITS:
        places = (k - nearer).clamp(min=0).minimum(tied)
        missed = torch.ones(len(best), dtype=torch.float64)
        for taken in range(int(places.max())):
            left = ((tied - own - taken) / (tied - taken).clamp(min=1)).clamp(min=0)
            missed = torch.where(places > taken, missed * left, missed)
        found.append(1 - missed)
    return torch.stack(found, 1).float()


def _averaged(hits: Float[Tensor, "n R"], owner: Int[Tensor, " n"], m: int) -> Float[Tensor, "m R"]:
    """The mean over the captions of each image."""
    total = torch.zeros(m, hits.shape[1]).index_add(0, owner, hits.float())
    return total / owner.bincount(minlength=m).unsqueeze(1)


def _interval(per_image: Float[Tensor, "m R"], seed: int) -> list[dict[str, float]]:
    low, high = bootstrap(per_image, torch.Generator().manual_seed(seed))
    ends = zip(per_image.mean(0).tolist(), low.tolist(), high.tolist(), strict=True)
    return [{"value": value, "low": a, "high": b} for value, a, b in ends]


def _numbers(per_image: Float[Tensor, "m R"], seed: int, chance: Sequence[float]) -> dict[str, Any]:
    found = zip(HITS, _interval(per_image, seed), chance, strict=True)
    return {f"r@{k}": one | {"chance": expected} for k, one, expected in found}

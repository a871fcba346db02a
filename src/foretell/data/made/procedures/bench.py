"""The bench that procedures are carried out at: what stands there, what things look like, and what has been done.

Its state is carried over from step to step, so that a step's clip shows only what the step changes.
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from foretell.data.made.scenes.stage import Stage
from foretell.data.made.scenes.world import Camera, Light

from .sprites import Shape, Sprite, SpriteGroup

Hue = tuple[float, float, float]
BURNER = 0.09
"""How high stations stand above the table, on a burner."""
WALL, BACK, INSIDE, STATION, FRONT, TOOL = range(6)
"""Layers, from the farthest to the nearest."""

LOOKS: dict[str, list[tuple[Shape, float, float, float, float, Hue]]] = {
    # a part each: shape, x and y from the body's centre, width, height, (hue, saturation, brightness)
    "bread": [("box", 0, 0, 0.30, 0.10, (0.09, 0.65, 0.75)), ("box", 0, 0.03, 0.30, 0.05, (0.09, 0.85, 0.45))],
    "cheese": [("triangle", 0, 0, 0.26, 0.14, (0.14, 0.85, 0.98))],
    "meat": [("disc", 0, 0, 0.27, 0.14, (0.98, 0.55, 0.55)), ("disc", 0.03, 0, 0.08, 0.05, (0.98, 0.15, 0.95))],
    "tomato": [("disc", 0, 0, 0.18, 0.17, (0.0, 0.9, 0.85)), ("box", 0, 0.09, 0.06, 0.03, (0.33, 0.9, 0.45))],
    "leaf": [("triangle", 0, 0, 0.20, 0.18, (0.33, 0.85, 0.6)), ("box", 0, 0, 0.02, 0.16, (0.3, 0.4, 0.85))],
    "egg": [("disc", 0, 0, 0.18, 0.21, (0.12, 0.04, 1.0)), ("disc", 0, -0.02, 0.09, 0.09, (0.12, 0.9, 0.95))],
    "carrot": [("box", 0, 0, 0.26, 0.09, (0.07, 0.95, 0.95)), ("box", 0.15, 0, 0.06, 0.05, (0.33, 0.9, 0.5))],
    "flour": [("box", 0, 0, 0.15, 0.20, (0.6, 0.08, 1.0)), ("box", 0, 0, 0.15, 0.06, (0.66, 0.8, 0.6))],
    "dough": [("disc", 0, 0, 0.24, 0.15, (0.11, 0.35, 0.95))],
    "brick": [("box", 0, 0, 0.24, 0.11, (0.03, 0.75, 0.55)), ("box", 0, 0, 0.02, 0.11, (0.05, 0.3, 0.8))],
    "plank": [("box", 0, 0, 0.46, 0.06, (0.1, 0.6, 0.5)), ("box", 0, 0, 0.46, 0.015, (0.1, 0.7, 0.3))],
    "box": [("box", 0, 0, 0.34, 0.24, (0.08, 0.45, 0.7)), ("box", 0, 0, 0.05, 0.24, (0.08, 0.5, 0.5))],
    "wheel": [
        ("disc", 0, 0, 0.18, 0.18, (0.6, 0.2, 0.18)),
        ("box", 0, 0, 0.14, 0.03, (0.6, 0.02, 0.85)),
        ("box", 0, 0, 0.03, 0.14, (0.6, 0.02, 0.85)),
    ],
    "nail": [("box", 0, 0, 0.03, 0.16, (0.6, 0.05, 0.3)), ("box", 0, 0.08, 0.09, 0.03, (0.6, 0.05, 0.3))],
    "lid": [("box", 0, 0, 1.0, 0.06, (0.87, 0.6, 0.6)), ("disc", 0, 0.05, 0.08, 0.06, (0.87, 0.6, 0.35))],
    "knife": [("box", 0, 0, 0.05, 0.22, (0.6, 0.03, 0.95)), ("box", 0, 0.16, 0.07, 0.12, (0.0, 0.0, 0.1))],
    "spoon": [("box", 0, 0.16, 0.04, 0.34, (0.08, 0.7, 0.35)), ("disc", 0, 0, 0.11, 0.08, (0.08, 0.7, 0.35))],
    "sponge": [("box", 0, 0, 0.17, 0.11, (0.5, 0.8, 0.85)), ("box", 0, 0.05, 0.17, 0.03, (0.17, 0.7, 0.9))],
    "hammer": [("box", 0, 0, 0.19, 0.10, (0.0, 0.0, 0.2)), ("box", 0.12, 0.12, 0.05, 0.26, (0.07, 0.8, 0.45))],
    "roller": [("disc", 0, 0, 0.14, 0.14, (0.08, 0.55, 0.6)), ("disc", 0, 0, 0.05, 0.05, (0.0, 0.0, 0.15))],
    "brush": [("box", 0, 0, 0.09, 0.09, (0.0, 0.0, 0.5)), ("box", 0, 0.15, 0.04, 0.22, (0.12, 0.5, 0.3))],
    "jug": [("box", 0, 0, 0.17, 0.20, (0.0, 0.0, 0.5)), ("box", 0, 0.10, 0.19, 0.03, (0.6, 0.1, 0.2))],
}
"""What nouns and tools look like."""

LIQUIDS: dict[str, Hue] = {
    "water": (0.58, 0.75, 0.95),
    "milk": (0.1, 0.03, 1.0),
    "oil": (0.15, 0.95, 0.8),
    "sauce": (0.99, 0.9, 0.5),
}

STATIONS: dict[str, tuple[float, float, Hue]] = {
    "pot": (0.40, 0.26, (0.6, 0.15, 0.35)),
    "pan": (0.46, 0.09, (0.0, 0.0, 0.12)),
    "bowl": (0.44, 0.18, (0.75, 0.5, 0.6)),
    "cup": (0.24, 0.28, (0.47, 0.6, 0.55)),
    "plate": (0.50, 0.03, (0.6, 0.25, 0.95)),
    "board": (0.54, 0.05, (0.07, 0.6, 0.45)),
    "bench": (0.50, 0.0, (0.0, 0.0, 0.0)),
}
"""Inner width and height, and colour: three that are flat and four that hold things."""
THICK = 0.035


@dataclass(eq=False)
class Bench:
    """A bench with a station, as far as a procedure has come."""

    stage: Stage
    """The source of chance."""
    station: str
    wall: Hue
    camera: Camera
    light: Light
    x: float
    """Of the station's middle."""
    side: float
    """Of the place beside it, where things are prepared."""
    floor: float
    """Height of the table."""
    fixed: list[Sprite] = field(default_factory=list)
    """The table, the burner, and what stands about."""
    vessel: SpriteGroup = field(default_factory=lambda: SpriteGroup([]))
    """The station itself: it can be shaken."""
    things: list[SpriteGroup] = field(default_factory=list)
    """What is at the station, in the order in which it came."""
    prepared: dict[str, SpriteGroup] = field(default_factory=dict)
    """What lies beside the station, ready."""
    tools: list[SpriteGroup] = field(default_factory=list)
    """What is there for one step only."""
    liquid: Sprite | None = None
    lid: SpriteGroup | None = None
    top: float = 0.0
    """Height that the next thing is stacked at."""
    shades: dict[str, Hue] = field(default_factory=dict)
    """Colours of nouns in this procedure."""

    @property
    def holds(self) -> bool:
        """Whether the station has an inside."""
        return self.station in ("pot", "pan", "bowl", "cup")

    @property
    def width(self) -> float:
        """Of the station's inside, or of what can be stacked on."""
        return STATIONS[self.station][0]

    @property
    def bottom(self) -> float:
        """Height of the station's ground."""
        return self.floor + (0.0 if self.station == "bench" else BURNER)

    @property
    def rim(self) -> float:
        """Height of the station's edge."""
        return self.bottom + STATIONS[self.station][1]

    @property
    def sprites(self) -> list[Sprite]:
        """All that is to be drawn."""
        groups = [self.vessel, *self.things, *self.prepared.values(), *self.tools, *([self.lid] if self.lid else [])]
        liquid = [self.liquid] if self.liquid else []
        return [*self.fixed, *liquid, *(part for group in groups for part in group.parts)]

    def settle(self) -> None:
        """After a step: everything stays as in its last frame, and tools are gone."""
        for sprite in self.sprites:
            sprite.settle()
        self.tools.clear()

    def colour(self, hue: Hue) -> np.ndarray:
        """A colour near a hue, drawn."""
        h, s, v = hue
        draw = self.stage.between
        jittered = (h + draw(-0.02, 0.02)) % 1, min(max(s + draw(-0.08, 0.08), 0), 1), min(v * draw(0.92, 1.06), 1)
        return np.array(colorsys.hsv_to_rgb(*jittered), np.float32)

    def make(self, noun: str, x: float, y: float, layer: int = STATION) -> SpriteGroup:
        """A thing that looks like its noun."""
        looks = LOOKS[noun]
        parts = [Sprite(s, x + dx, y + dy, w, h, self.colour(hue), layer=layer) for s, dx, dy, w, h, hue in looks]
        return SpriteGroup(parts, noun)

    def latest(self, noun: str) -> SpriteGroup | None:
        """The thing of that noun that came to the station last."""
        return next((thing for thing in reversed(self.things) if thing.noun == noun), None)


def bench(stage: Stage, station: str) -> Bench:
    """A bench before the first step: its colours, camera, places and what stands about are drawn."""
    between = stage.between
    camera = Camera((0.5 + between(-0.02, 0.02), 0.5 + between(-0.02, 0.02)), between(0.94, 1.04), stage.maybe(0.5))
    light = Light(between(0.2, 2.9), between(0.15, 0.35), between(0.88, 1.0))
    wall = colorsys.hsv_to_rgb(between(0, 1), between(0.0, 0.12), between(0.72, 0.86))
    x = between(0.44, 0.56)
    side = x + stage.choice((-1, 1)) * 0.36
    made = Bench(stage, station, wall, camera, light, x, side, between(0.10, 0.15))
    table = np.array(colorsys.hsv_to_rgb(between(0, 1), between(0.0, 0.25), between(0.42, 0.6)), np.float32)
    made.fixed.append(Sprite("box", 0.5, made.floor - 0.5, 3.0, 1.0, table, layer=WALL))
    if stage.maybe(0.5):  # a shelf with something on it
        high = between(0.80, 0.86)
        made.fixed.append(Sprite("box", 0.5, high, 3.0, 0.03, table * np.float32(0.8), layer=WALL))
        made.fixed.append(_stray(made, 1.0 - side + between(-0.1, 0.1), high + 0.07))
    if stage.maybe(0.5):
        made.fixed.append(_stray(made, 2 * x - side + between(-0.03, 0.05), made.floor + 0.06))
    made.vessel = SpriteGroup(_vessel(made), station)
    made.top = made.rim
    return made


def _stray(made: Bench, x: float, y: float) -> Sprite:
    """Something that has no part in the procedure."""
    shapes: tuple[Shape, ...] = ("disc", "box", "triangle")
    stage = made.stage
    colour = np.array(stage.colours(1)[0], np.float32)
    return Sprite(stage.choice(shapes), x, y, stage.between(0.09, 0.14), 0.12, colour, layer=WALL)


def _vessel(made: Bench) -> list[Sprite]:
    """The station's parts, the first of them its ground."""
    width, height, hue = STATIONS[made.station]
    colour = made.colour(hue)
    x, low = made.x, made.bottom

    def part(dx: float, y: float, w: float, h: float, layer: int = STATION) -> Sprite:
        return Sprite("box", x + dx, y, w, h, colour, layer=layer)

    if made.station == "bench":
        return [replace(part(0.0, low - 0.01, width, 0.02), opacity=0.0)]
    stand = Sprite("box", x, made.floor + BURNER / 2 - THICK / 2, 0.24, BURNER - THICK, np.full(3, 0.25, np.float32))
    made.fixed.append(stand)
    ground = part(0.0, low - THICK / 2, width + 2 * THICK, THICK)
    if not made.holds:
        return [ground, part(0.0, low + height / 2, width, max(height, 0.01))]
    side = (width + THICK) / 2
    walls = [part(sign * side, low + height / 2, THICK, height) for sign in (-1, 1)]
    back = Sprite("box", x, low + height / 2, width, height, np.minimum(colour * 0.5 + 0.45, 1), layer=BACK)
    handles: dict[str, Callable[[], list[Sprite]]] = {
        "pot": lambda: [part(sign * (side + 0.05), low + 0.8 * height, 0.08, 0.04) for sign in (-1, 1)],
        "pan": lambda: [part(side + 0.14, low + 0.8 * height, 0.26, 0.04)],
        "cup": lambda: [
            part(side + 0.06, low + 0.7 * height, 0.09, 0.03),
            part(side + 0.06, low + 0.3 * height, 0.09, 0.03),
        ],
        "bowl": lambda: [part(0.0, low - 0.05, 0.16, 0.04)],
    }
    return [ground, back, *walls, *handles[made.station]()]

"""What the verbs do at the bench: each moves sprites through a step's frames, and leaves the bench changed.

T frames
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import pi

import numpy as np

from .bench import FRONT, INSIDE, LIQUIDS, LOOKS, TOOL
from .play import OUTSIDE, Play
from .sprites import Sprite, SpriteGroup, last


def put(play: Play, noun: str) -> None:
    """A thing comes into the station, or onto it."""
    bench = play.bench
    height = LOOKS[noun][0][4]
    boxed = bench.latest("box") if noun != "box" else None
    if bench.holds or boxed:
        spread = max(bench.width / 2 - 0.1, 0.02) if bench.holds else 0.06
        x = bench.x + bench.stage.between(-spread, spread)
        y = bench.bottom + height * 0.45 + 0.05 * min(len(bench.things), 3) * bench.holds
    else:
        x, y = bench.x, bench.top + height / 2
        bench.top += height
    thing = play.bring(noun, x, y)
    if bench.holds or boxed:
        for part in thing.parts:
            part.layer = INSIDE
        if bench.liquid is not None:
            bench.liquid.h = np.minimum(
                bench.liquid.h + play.through((0.8, 0.0), (1.0, 0.02)), bench.rim - bench.bottom
            )
            bench.liquid.y = bench.bottom + bench.liquid.h / 2


def stack(play: Play, noun: str) -> None:
    """A thing comes from above, onto what is there."""
    bench = play.bench
    height = LOOKS[noun][0][4]
    y = bench.top + height / 2
    x = bench.x + bench.stage.between(-0.02, 0.02)
    play.bring(noun, x, y, above=True)
    bench.top += height


def pour(play: Play, noun: str) -> None:
    """A jug comes, tilts, and its liquid falls into the station, or spreads over what lies there."""
    bench = play.bench
    colour = bench.colour(LIQUIDS[noun])
    way = bench.stage.choice((-1, 1))
    high = max(bench.top, bench.rim) + 0.33
    x = bench.x + way * 0.2
    jug = play.tool("jug", play.through((0, x + way * 0.6), (0.25, x), (0.8, x), (1, x + way * 0.6)), high)
    jug.body.colour = colour
    jug.turn(play.through((0.2, 0), (0.35, way * 1.4), (0.7, way * 1.4), (0.85, 0)))
    ground = bench.bottom if bench.holds else bench.top
    flow = ((play.clock > 0.33) & (play.clock < 0.72)).astype(float)
    fall = Sprite("box", bench.x + way * 0.06, (high + ground) / 2, 0.05, high - ground, colour, 0.0, flow, INSIDE)
    bench.tools.append(SpriteGroup([fall]))
    rise = play.through((0.35, 0.0), (0.75, 1.0))
    if bench.holds:
        room = bench.rim - bench.bottom
        before = float(bench.liquid.h) if bench.liquid else 0.0
        level = before + rise * min(0.4 * room, 0.9 * room - before)
        if bench.liquid is None:
            bench.liquid = Sprite("box", bench.x, 0.0, bench.width, 0.0, colour, 0.0, 0.85, INSIDE)
        old = bench.liquid.colour
        bench.liquid.colour = old + (colour - old) * (0.6 * rise[:, None])
        bench.liquid.h, bench.liquid.y = level, bench.bottom + level / 2
    else:
        layer = Sprite("disc", bench.x, bench.top + 0.01, 0.3 * rise, 0.05, colour, 0.0, rise, FRONT)
        bench.things.append(SpriteGroup([layer], noun))
        bench.top += 0.02


def cut(play: Play, noun: str) -> None:
    """A knife goes down on a thing three times, and it falls into pieces."""
    thing = play.work(noun)
    x, y, width = last(thing.body.x), last(thing.body.y), last(thing.body.w)
    parted = np.where(play.clock >= 0.6, 1.0, 0.0)
    right = SpriteGroup([replace(part) for part in thing.parts])
    for piece, way in ((thing, -1), (right, 1)):
        piece.scale(1 - 0.54 * parted, 1.0)
        piece.move(piece.body.x + way * parted * (0.27 * width + 0.012), piece.body.y)
    thing.parts += right.parts
    low, high = y + 0.17, y + 0.40
    strokes = [
        (moment, low if number % 2 else high) for number, moment in enumerate((0.36, 0.44, 0.52, 0.6, 0.68, 0.76))
    ]
    play.tool("knife", x, play.through((0.25, OUTSIDE), *strokes, (1.0, OUTSIDE)))


def wash(play: Play, noun: str) -> None:
    """A sponge goes to and fro over a thing, with bubbles; it is brighter afterwards."""
    thing = play.work(noun)
    x, y, width = last(thing.body.x), last(thing.body.y), last(thing.body.w)
    sway = max(width / 2, 0.1) * play.wave(0.4, 0.85, 3)
    play.tool("sponge", x + sway, play.through((0.25, OUTSIDE), (0.4, y + 0.06), (0.85, y + 0.06), (1, OUTSIDE)))
    for number in range(3):
        seen = ((play.clock > 0.45) & (play.clock < 0.97)).astype(float)
        up = play.through((0.4, y), (1.0, y + 0.3 + 0.05 * number))
        bubble = Sprite("disc", x + 0.12 * (number - 1), up, 0.08, 0.08, np.array([0.85, 0.95, 1.0]), 0.0, seen, TOOL)
        play.bench.tools.append(SpriteGroup([bubble]))
    thing.tint(play.through((0.4, 1.0), (0.85, 1.15)))


def heat(play: Play, noun: str) -> None:
    """Flames burn below the station, steam rises, and what is in it gets darker. The burner stays hot."""
    bench = play.bench
    burning = play.through((0, 0), (0.25, 1), (0.85, 1), (1, 0))
    for number in range(3):
        flicker = 0.13 + 0.05 * np.sin(2 * pi * (4 * play.clock + number / 3))
        x = bench.x + 0.14 * (number - 1)
        colour = np.array([1.0, 0.45 + 0.2 * (number == 1), 0.05])
        flame = Sprite(
            "triangle", x, bench.floor + flicker * burning / 2, 0.11, flicker * burning, colour, 0.0, burning, TOOL
        )
        steam = play.through((0.3, 0), (0.5, 0.8), (0.8, 0.5), (1, 0))
        y = max(bench.top, bench.rim) + 0.05 + 0.4 * np.mod(play.clock * 1.3 + number / 3, 1)
        puff = Sprite(
            "disc", x + 0.03 * play.wave(0, 1, 3), y, 0.13, 0.11, np.array([0.97, 0.97, 0.99]), 0.0, steam, TOOL
        )
        bench.tools += [SpriteGroup([flame]), SpriteGroup([puff])]
    stand = bench.fixed[-1]
    hot = play.through((0, 0), (0.4, 0.8))[:, None]
    stand.colour = stand.colour + (np.array([0.95, 0.2, 0.05]) - stand.colour) * hot
    for thing in bench.things:
        thing.tint(play.through((0.3, 1.0), (0.9, 0.8)))


def stir(play: Play, noun: str) -> None:
    """A spoon goes round in the station, and what is there goes with it."""
    bench = play.bench
    sway = (bench.width / 2 - 0.07) * play.wave(0.25, 0.85, 3)
    y = bench.bottom + 0.1
    spoon = play.tool("spoon", bench.x + sway, play.through((0, OUTSIDE), (0.25, y), (0.85, y), (1, OUTSIDE)))
    spoon.turn(-0.5 * play.wave(0.25, 0.85, 3))
    for number, thing in enumerate(bench.things):
        swirl = 0.5 * sway * np.cos(number)
        lift = 0.03 * play.wave(0.25, 0.85, 6)
        thing.move(
            np.clip(thing.body.x + swirl, bench.x - bench.width / 2, bench.x + bench.width / 2), thing.body.y + lift
        )
    if bench.liquid is not None:
        mixed = np.mean([thing.body.colour for thing in bench.things] or [bench.liquid.colour], 0)
        share = play.through((0.25, 0.0), (0.85, 0.25))[:, None]
        bench.liquid.colour = bench.liquid.colour + (mixed - bench.liquid.colour) * share


def cover(play: Play, noun: str) -> None:
    """A lid comes from above."""
    bench = play.bench
    y = max(bench.rim, bench.top) + 0.03
    width = bench.width + 0.08
    box = bench.latest("box") if noun == "box" else None
    if box is not None:
        y, width = float(box.body.y) + 0.15, float(box.body.w) + 0.06
    lid = bench.make("lid", bench.x, y, FRONT)
    lid.body.w = width
    lid.move(bench.x, play.through((0, OUTSIDE), (0.8, y)))
    bench.lid = lid
    bench.top = max(bench.top, y + 0.03)


def uncover(play: Play, noun: str) -> None:
    """The lid goes up and away."""
    lid = play.bench.lid
    assert lid is not None, "only what was covered is uncovered"
    x, y = float(lid.body.x), float(lid.body.y)
    way = play.bench.stage.choice((-1.2, 1.2))
    lid.move(play.through((0.3, x), (1, x + way)), play.through((0, y), (0.4, y + 0.3), (1, y + 0.4)))
    play.bench.tools.append(lid)
    play.bench.lid, play.bench.top = None, play.bench.rim


def shake(play: Play, noun: str) -> None:
    """The station with all that is in it is lifted and goes to and fro."""
    bench = play.bench
    across, up = 0.12 * play.wave(0.15, 0.9, 4), play.through((0, 0), (0.15, 0.12), (0.85, 0.12), (1, 0))
    groups = [bench.vessel, *bench.things, *([bench.lid] if bench.lid else [])]
    for thing in [*groups, *([SpriteGroup([bench.liquid])] if bench.liquid else [])]:
        thing.move(thing.body.x + across, thing.body.y + up)


def flip(play: Play, noun: str) -> None:
    """A thing jumps and turns over; its other side is darker."""
    thing = play.work(noun)
    jump = play.through((0.1, 0), (0.5, 0.4), (0.9, 0))
    thing.turn(play.through((0.1, 0), (0.9, play.bench.stage.choice((-pi, pi)))))
    thing.move(thing.body.x, thing.body.y + jump)
    thing.tint(play.through((0.4, 1.0), (0.6, 0.75)))


def take(play: Play, noun: str) -> None:
    """The thing that came last is lifted out and carried away."""
    bench = play.bench
    thing = bench.latest(noun)
    assert thing is not None, "only what was put there is taken"
    x, y = float(thing.body.x), float(thing.body.y)
    high, way = max(bench.rim, y) + 0.3, bench.stage.choice((-0.9, 0.9))
    for part in thing.parts:
        part.layer = FRONT
    thing.move(play.through((0.4, x), (1, x + way)), play.through((0.05, y), (0.45, high), (1, high)))
    bench.things.remove(thing)
    bench.tools.append(thing)


def hammer(play: Play, noun: str) -> None:
    """A nail is set and driven in by three blows."""
    bench = play.bench
    x, top = bench.x + bench.stage.between(-0.15, 0.15), bench.top
    box = bench.latest("box")
    if box is not None:
        top = float(box.body.y) + 0.18
    nail = bench.make("nail", x, top + 0.08)
    blows = ((0.3, 0.08), (0.45, 0.04), (0.6, 0.0), (0.75, -0.05))
    nail.move(x, play.through((0, OUTSIDE), *((moment, top + depth) for moment, depth in blows)))
    for part in nail.parts:
        part.layer = INSIDE
    up = play.through((0.2, 0.5), *[(0.3 + 0.075 * n, 0.0 if n % 2 == 0 else 0.22) for n in range(7)], (1.0, 0.9))
    tool = play.tool("hammer", x, nail.parts[1].y + 0.07 + up)
    tool.turn(0.8 * up)
    bench.things.append(nail)


def join(play: Play, noun: str) -> None:
    """A thing slides in from the side until it touches, with a spark, and stays there."""
    bench = play.bench
    number = sum(thing.noun == noun for thing in bench.things)
    base = bench.things[0] if bench.things else bench.vessel
    reach = float(base.body.w) / 2
    way = -1 if number % 2 else 1
    width, height = LOOKS[noun][0][3:5]
    x = bench.x + way * (reach + (0.0 if noun == "wheel" else width / 2 - 0.01))
    y = bench.bottom + height / 2
    thing = bench.make(noun, x, y, FRONT)
    thing.move(play.through((0, x + way * 0.8), (0.7, x)), y)
    lit = play.through((0.66, 0.0), (0.74, 1.0), (0.9, 0.0))
    for turn in (0.0, pi):
        spark = Sprite("triangle", x - way * width / 2, y + 0.1, 0.16, 0.2, np.array([1.0, 0.95, 0.3]), turn, lit, TOOL)
        bench.tools.append(SpriteGroup([spark]))
    bench.things.append(thing)


def paint(play: Play, noun: str) -> None:
    """A brush goes along a thing and leaves its colour there."""
    bench = play.bench
    thing = play.work(noun)
    x, y, w, h = (last(value) for value in (thing.body.x, thing.body.y, thing.body.w, thing.body.h))
    colour = np.array(bench.stage.colours(1)[0], np.float32)
    share = play.through((0.25, 0.0), (0.8, 1.0))
    coat = Sprite("box", x - w / 2 + w * share / 2, y, w * share, 0.8 * h, colour, 0.0, 0.9, FRONT)
    brush = play.tool("brush", x - w / 2 + w * share, play.through((0, OUTSIDE), (0.25, y), (0.8, y), (1, OUTSIDE)))
    brush.move(brush.body.x, brush.body.y + 0.04 * play.wave(0.25, 0.8, 5))
    brush.body.colour = colour
    thing.parts.append(coat)


def roll(play: Play, noun: str) -> None:
    """A roller goes to and fro over a thing, which becomes wide and flat."""
    thing = play.work(noun)
    body = thing.body
    x, y, w, h = (last(value) for value in (body.x, body.y, body.w, body.h))
    flat = play.through((0.2, 0.0), (0.85, 1.0))
    thing.scale(1 + (min(1.6, 0.46 / w) - 1) * flat, 1 - 0.4 * flat)
    thing.move(x, y - 0.2 * h * flat)
    across = 0.22 * play.wave(0.2, 0.85, 2)
    over = y + 0.07 + h / 2 - 0.3 * h * flat
    play.tool("roller", x + across, play.through((0, OUTSIDE - y), (0.2, 0.0), (0.85, 0.0), (1, OUTSIDE - y)) + over)
    play.bench.top = play.bench.rim + 0.6 * h


def turn(play: Play, noun: str) -> None:
    """All wheels turn, and what they carry goes a little to and fro."""
    across = 0.1 * play.wave(0.1, 0.95, 1)
    for thing in play.bench.things:
        if thing.noun == noun:
            thing.turn(-play.wave(0.1, 0.95, 1) * 3)
        thing.move(thing.body.x + across, thing.body.y)


VERBS: dict[str, Callable[[Play, str], None]] = {
    each.__name__: each
    for each in (
        cover,
        cut,
        flip,
        hammer,
        heat,
        join,
        paint,
        pour,
        put,
        roll,
        shake,
        stack,
        stir,
        take,
        turn,
        uncover,
        wash,
    )
}
"""What each verb does."""

"""How much sound one frame of a network sees, found in what its operators do.

The receptive field is that of a frame before frames are pooled into one vector for the clip:
what the convolutions and local poolings on its way cover. Statistics of the whole clip that are
given back to every frame (squeeze and excitation, context, the weights of an attentive pooling)
are left aside, as is usual; where frames are mixed with one another all over the clip (attention,
recurrence) the receptive field is infinite, which means the whole clip.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from auricle.artifact.tracing import Step, Trace

Growth = Mapping[int, tuple[int, ...]]
"""By how much each axis of each value is longer in a longer clip."""

_PRODUCTS = {"aten.mm": 0, "aten.bmm": 0, "aten.addmm": 1, "aten.baddbmm": 1}
"""Matrix products, and which of what they read is the left factor."""
_MIXERS = ("recurrence", "aten._scaled_dot_product", "aten._fft", "aten.cumsum")
_POOLS = ("aten.avg_pool", "aten.max_pool")
_SMOOTH_RESIZERS = ("aten.upsample_linear", "aten.upsample_bilinear", "aten.upsample_bicubic")


@dataclass(frozen=True)
class View:
    """A frame of a value sees `field_s` seconds; the next one sees the same `step_s` later."""

    field_s: float
    step_s: float


def receptive_field(short: Trace, long: Trace, more_s: float) -> View | None:
    """Compare two runs of a network, of which the `long` one heard `more_s` seconds more.

    Axes that are longer in it are axes of time. Returns what a frame sees that is pooled over
    time or given out, the widest view of all; None where no axis follows the length of the clip
    (a fixed input, of which all is seen). Raises `ValueError` where the two runs took different
    operators.
    """
    views: dict[int, View] = {}
    made: set[int] = set()
    last: list[View] = []
    for step, other in zip(short.steps, long.steps, strict=True):
        if (step.operator, step.reads, step.writes) != (other.operator, other.reads, other.writes):
            raise ValueError(f"{step.operator} runs at one length and {other.operator} at another")
        growth = {
            number: tuple(b - a for a, b in zip(shape, other.shapes[number], strict=True))
            for number, shape in step.shapes.items()
        }
        for number in step.reads:
            if number not in made and number not in views and any(growth[number]):
                period_s = more_s / max(growth[number])
                views[number] = View(period_s, period_s)
        made.update(step.writes)
        seen = [number for number in step.reads if number in views and any(growth[number])]
        if not seen:
            continue
        widest = max(seen, key=lambda number: views[number].field_s)
        for number in step.writes:
            if any(growth[number]):
                views[number] = _through(step, growth, views[widest], widest, number)
            else:
                last.append(views[widest])
    # Of equal ones the last that is pooled: what is given out may be repeated for every frame.
    last = [views[number] for number in short.outputs if number in views] + last
    return max(reversed(last), key=lambda view: view.field_s, default=None)


def _through(step: Step, growth: Growth, view: View, source: int, target: int) -> View:
    """Return the view of what a step writes, from the widest `view` of what it reads."""
    ratio = max(growth[source]) / max(growth[target])
    # The counts of frames are rounded, their ratios are not.
    ratio = round(ratio) if ratio >= 1 else 1 / round(1 / ratio)
    more = _neighbours(step, growth)
    transposed = step.operator == "aten.convolution" and step.arguments[6]
    unit_s = view.step_s * (ratio if transposed else 1)
    return View(view.field_s + more * unit_s if more else view.field_s, view.step_s * ratio)


def _neighbours(step: Step, growth: Growth) -> float:
    """Return how many frames beside its own a frame that a step writes is made of."""
    name, arguments = step.operator, step.arguments
    grows = growth[step.reads[0]]
    if name.startswith(_MIXERS):
        return math.inf
    if name in _PRODUCTS:
        return math.inf if growth[step.reads[_PRODUCTS[name]]][-1] else 0
    if name == "aten.convolution":
        kernel: tuple[int, ...] = arguments[1]
        return _reach(kernel[2:], arguments[5], grows)
    if name.startswith(_POOLS):
        # Average pooling has no dilation; its fifth argument is another.
        dilated = name.startswith("aten.max_pool") and len(arguments) > 4
        return _reach(arguments[1], arguments[4] if dilated else [1], grows)
    if name == "aten.unfold":
        return arguments[2] - 1 if grows[arguments[1]] else 0
    return 1 if name.startswith(_SMOOTH_RESIZERS) else 0


def _reach(kernel: tuple[int, ...] | list[int], dilation: list[int], grows: tuple[int, ...]) -> int:
    """Return the steps from the first to the last frame that a kernel covers."""
    dimensions = len(grows) - 2 if len(kernel) == 1 else len(kernel)
    sizes, gaps = list(kernel) * dimensions, list(dilation) * dimensions
    growing = grows[-dimensions:]
    return sum((sizes[i] - 1) * gaps[i] for i in range(dimensions) if growing[i])

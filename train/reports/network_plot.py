"""A drawing of a network: its layers from top to bottom, with their shapes and what they cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from train.models.spec import ReferenceSpec, spec_from_dict
from train.reports.plots import BLUE, GRAY, ORANGE, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from train.models.complexity import LayerCost

# What belongs to the layer before it: a file of the network stores it as a part of that, or not at all.
_FOLDED = ("BatchNormalization", "ReLU", "Activation", "Dropout", "ZeroPadding2D", "Flatten", "Reshape")
_KINDS = {
    "Conv2D": "convolution",
    "DepthwiseConv2D": "depthwise convolution",
    "SeparableConv2D": "separable convolution",
    "Dense": "dense",
    "Add": "addition of the block's input",
    "Concatenate": "concatenation",
    "MaxPooling2D": "maximum",
    "AveragePooling2D": "mean",
    "GlobalAveragePooling2D": "mean of each channel",
    "GlobalMaxPooling2D": "maximum of each channel",
}
_MAX_ROWS = 64


@dataclass(frozen=True)
class LayerRow:
    """A row of the drawing.

    Attributes:
        name: the layer's name.
        kind: what it does.
        shape: shape of its output.
        parameters: its weights, with those of the normalization behind it; 0 where weights are used again.
        multiply_accumulates: number of multiply-accumulates for an image.
        is_repeated: whether its weights are those of a row above.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    multiply_accumulates: int
    is_repeated: bool = False


def save_network_png(settings: Mapping[str, Any], path: Path, title: str) -> None:
    """Draws the network of a run; draws nothing if its settings do not hold a spec.

    Args:
        settings: content of `run.json`.
        path: PNG file to write.
        title: text above the drawing.

    Raises:
        ConfigError: the network's size is not fixed.
        OutputError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    # These import Keras, which nothing else of a report needs.
    from train.models.complexity import layer_costs
    from train.models.sepnet import build

    values = settings.get("recipe", {}).get("spec")
    if values is None:
        return
    spec = spec_from_dict(values)
    if isinstance(spec, ReferenceSpec):
        spec = replace(spec, pretrained=False)  # the weights are not drawn, and may have to be fetched
    rows = layer_rows(layer_costs(build(spec).get_layer("body")))
    drawn = rows[:_MAX_ROWS]
    figure = Figure(figsize=(9.5, 1.1 + 0.235 * (len(drawn) + 1)), layout="constrained")
    shapes, parameters, multiplications = figure.subplots(1, 3, sharey=True, width_ratios=(5, 2, 2))
    _draw_shapes(shapes, drawn)
    _draw_bars(parameters, [row.parameters for row in drawn], BLUE, "parameters")
    _draw_bars(multiplications, [row.multiply_accumulates for row in drawn], ORANGE, "multiplications")
    shapes.set_ylim(len(drawn) - 0.4, -0.6)
    more = f"; {len(rows) - len(drawn)} more layers follow" if len(rows) > len(drawn) else ""
    figure.suptitle(f"{title}{more}", fontsize=10)
    save_figure(figure, path)


def layer_rows(costs: Sequence[LayerCost]) -> tuple[LayerRow, ...]:
    """Returns the rows of the drawing, without layers that belong to the one before them."""
    rows: list[LayerRow] = []
    seen: set[str] = set()
    for cost in costs:
        if cost.kind in _FOLDED and rows:
            parameters = rows[-1].parameters + cost.parameters
            rows[-1] = replace(rows[-1], parameters=parameters, shape=cost.output_shape)
        elif cost.kind != "InputLayer":
            kind = _KINDS.get(cost.kind, cost.kind)
            numbers = (cost.parameters, cost.multiply_accumulates)
            rows.append(LayerRow(cost.name, kind, cost.output_shape, *numbers, cost.name in seen))
            seen.add(cost.name)
    return tuple(rows)


def _draw_shapes(axes: Axes, rows: Sequence[LayerRow]) -> None:
    """Draws a bar for each row, as wide as its output has channels, and writes what it is."""
    widths = [row.shape[-1] for row in rows]
    axes.barh(range(len(rows)), [width / max(widths) for width in widths], height=0.8, color="#dbe9f4")
    for index, row in enumerate(rows):
        shape = "x".join(map(str, row.shape))
        text = f"{row.kind}, weights of above" if row.is_repeated and row.kind != _KINDS["Add"] else row.kind
        axes.text(0.01, index, f"{shape}  {text}", va="center", fontsize=7.5)
    axes.set_yticks(range(len(rows)), [row.name for row in rows], fontsize=7)
    axes.set_xlim(0, 1.02)
    axes.set_xticks([])
    axes.set_title("output (height x width x channels)", fontsize=9)
    axes.tick_params(left=False)
    axes.spines[:].set_visible(False)


def _draw_bars(axes: Axes, values: Sequence[int], color: str, title: str) -> None:
    largest = max(*values, 1)
    axes.barh(range(len(values)), values, height=0.7, color=color)
    for index, value in enumerate(values):
        if value:
            axes.text(value + largest * 0.02, index, f"{value:,}", va="center", fontsize=7, color=GRAY)
    axes.set_xlim(0, largest * 1.5)
    axes.set_xticks([])
    axes.set_title(f"{title}: {sum(values):,}", fontsize=9)
    axes.tick_params(left=False, labelleft=False)
    axes.spines[:].set_visible(False)

"""Reads trained gates: the structure that they leave, and its plain network with inherited weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import layers

from edge.errors import ConfigError
from quantize.pruning.selection import LEAST_CHANNELS
from quantize.search.structure import GateLayout, Structure, channel_masks
from train.models.sepnet import build

Gates = npt.NDArray[np.float32]
_Indices = npt.NDArray[np.int64]


def round_gates(layout: GateLayout, log_alpha: npt.NDArray[np.floating[Any]], target: int) -> Gates:
    """Returns the gates as 0 and 1: what the trained parameters leave within a size.

    Kinds and applications stay if they are more likely than not. Of the channels, in the order of their
    parameters, as many stay as the size allows, at least two of each width.

    Args:
        layout: the gates.
        log_alpha: (gates,) their trained parameters.
        target: most stored parameters.

    Raises:
        ConfigError: not even the narrowest network with these applications has that size.
    """
    gates = (log_alpha > 0).astype(np.float32)
    channels = np.concatenate([np.arange(layout.size)[layout.slices[name]] for name in layout.channels()])
    order = channels[np.argsort(-log_alpha[channels], kind="stable")]
    least = np.concatenate(
        [
            [index for index in order if where.start <= index < where.stop][:LEAST_CHANNELS]
            for where in (layout.slices[name] for name in layout.channels())
        ]
    )
    for count in range(len(order), -1, -1):
        gates[channels] = 0
        gates[order[:count]] = 1
        gates[least] = 1
        left = read_structure(layout, gates)
        if left.is_sound and left.spec.stored_parameters() <= target:
            return gates
    raise ConfigError(f"gates that leave no network of at most {target:,} parameters")


def read_structure(layout: GateLayout, gates: Gates) -> Structure:
    """Returns the structure that gates of 0 and 1 leave.

    Args:
        layout: the gates.
        gates: (gates,) 0 or 1.
    """
    return _read(layout, gates).structure


def extract(gated: keras.Model, layout: GateLayout, gates: Gates) -> keras.Model:
    """Returns the plain network that gates of 0 and 1 leave, with the gated network's weights.

    Args:
        gated: network of `quantize.search.gated_net.build_gated`.
        layout: its gates.
        gates: (gates,) 0 or 1; their structure is sound.

    Returns:
        A model of `train.models.sepnet.build`, whose outputs are those of the gated network.
    """
    reading = _read(layout, gates)
    model = build(reading.structure.spec)
    body = model.get_layer("body")
    for name, source, inputs, outputs in _copies(reading):
        layer = gated.get_layer(source)
        weights = {weight.name: keras.ops.convert_to_numpy(weight) for weight in layer.weights}
        body.get_layer(name).set_weights(
            [_taken(layer, weight, values, inputs, outputs) for weight, values in weights.items()]
        )
    return model


@dataclass(frozen=True)
class _Reading:
    """What gates of 0 and 1 leave.

    Attributes:
        structure: the structure.
        kept: indices of the gated network's channels for each channel of the stem and of each stage.
        head: the same of the head.
        open: {decision: indices of its open gates}.
    """

    structure: Structure
    kept: tuple[_Indices, ...]
    head: _Indices
    open: Mapping[str, _Indices]


def _read(layout: GateLayout, gates: Gates) -> _Reading:
    widest, parts = layout.widest, layout.split(gates[np.newaxis])
    opened = {name: np.flatnonzero(values[0] > 0.5) for name, values in parts.items()}
    masks = [keras.ops.convert_to_numpy(mask)[0] > 0.5 for mask in channel_masks(parts, widest)]
    kept = [np.flatnonzero(masks[0])]
    stages = []
    for number, (stage, mask) in enumerate(zip(widest.stages, masks[1:], strict=True)):
        block = bool(len(opened[f"stage{number}/block"]))
        # Pooling hands its channels on in their order, and those of zeros come after them.
        first = kept[-1][:0] if block else kept[-1]
        kept.append(np.concatenate([first, np.setdiff1d(np.flatnonzero(mask), first)]))
        own, shared = (len(opened[f"stage{number}/{name}"]) for name in ("own", "shared"))
        stages.append(replace(stage, channels=len(kept[-1]), block=block, own=own, shared=shared))
    structure = replace(
        widest,
        stem=len(kept[0]),
        stages=tuple(stages),
        head=len(opened["head"]),
        places=bool(len(opened["places"])),
    )
    return _Reading(structure, tuple(kept), opened["head"], opened)


def _copies(reading: _Reading) -> Iterator[tuple[str, str, _Indices, _Indices]]:
    """Yields each layer of the plain network, its source, and the indices of its inputs and outputs."""
    before = reading.kept[0]
    yield from _convolution("stem", "stem", "stem_bn", np.arange(1), before)
    entry = 0
    for number, (stage, kept) in enumerate(zip(reading.structure.stages, reading.kept[1:], strict=True)):
        block = 0
        if stage.block:
            yield from _separable(f"stage{entry}_block0", f"stage{number}_block", before, kept)
            block = 1
        elif stage.own:
            entry += 1
        for index in reading.open[f"stage{number}/own"]:
            yield from _separable(f"stage{entry}_block{block}", f"stage{number}_own{index}", kept, kept)
            block += 1
        applications = reading.open[f"stage{number}/shared"]
        if len(applications):
            for part in ("depthwise", "pointwise"):
                yield f"stage{entry}_repeated_{part}", f"stage{number}_shared_{part}", kept, kept
        for time, index in enumerate(applications):
            yield f"stage{entry}_repeated_bn{time}", f"stage{number}_shared_bn{index}", kept, kept
        entry += 1
        before = kept
    yield from _convolution("head", "head", "head_bn", before, reading.head)
    for name in ("places",) if reading.structure.places else ("rows", "columns"):
        yield name, name, reading.head, reading.head
    yield "logits", "logits", reading.head, np.arange(reading.structure.classes)


def _separable(
    name: str, source: str, inputs: _Indices, outputs: _Indices
) -> Iterator[tuple[str, str, _Indices, _Indices]]:
    yield f"{name}_depthwise", f"{source}_depthwise", inputs, inputs
    for part in ("pointwise", "bn"):
        yield f"{name}_{part}", f"{source}_{part}", inputs, outputs


def _convolution(
    name: str, source: str, norm: str, inputs: _Indices, outputs: _Indices
) -> Iterator[tuple[str, str, _Indices, _Indices]]:
    yield name, source, inputs, outputs
    yield norm, norm, outputs, outputs


def _taken(
    layer: Any, weight: str, values: npt.NDArray[np.float32], inputs: _Indices, outputs: _Indices
) -> npt.NDArray[np.float32]:
    """Returns the part of a weight that belongs to channels."""
    if weight != "kernel":
        return np.asarray(values[outputs])  # a bias, or one of BatchNorm's
    if isinstance(layer, layers.DepthwiseConv2D):
        return np.asarray(values[:, :, inputs])
    return np.asarray(values[..., inputs, :][..., outputs])

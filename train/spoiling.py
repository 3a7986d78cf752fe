"""How a camera spoils a face before a network sees it: the limits that students are trained within."""

from __future__ import annotations

from dataclasses import dataclass

from edge.errors import ConfigError


@dataclass(frozen=True)
class Spoiling:
    """Limits of what happens to a share of the images; each change strikes some of these, at random.

    The changes come in the order of a camera's: place, light, lens, sensor, compression, something before
    the face. Lengths in pixels are those of the network's crop.

    Attributes:
        share: share of the images that are spoiled, 0 to 1. A network of 10,000 parameters has little room:
            with a third of the images spoiled, it loses more on clean ones than it gains on the others.
        rotate_deg: largest rotation in either direction, degrees.
        shift: largest shift in either direction along each axis, as a share of the side.
        scale: largest enlargement or reduction, as a share of the side.
        gamma: smallest and largest exponent of the brightness.
        side_light: smallest and largest share of the light that is missing at the dark side.
        darkness: smallest and largest share of the light that is left of all of it.
        blur: smallest and largest standard deviation of a Gaussian blur, pixels.
        distance: smallest share of the side that the face has when it is seen from farther off.
        noise: smallest and largest standard deviation of the sensor's noise, gray levels.
        jpeg: smallest and largest quality of JPEG's compression, 0 to 100.
        cover: smallest and largest side of a rectangle that hides a part, as a share of the side.
    """

    share: float = 0.15
    rotate_deg: float = 12.0
    shift: float = 0.06
    scale: float = 0.1
    gamma: tuple[float, float] = (0.5, 2.0)
    side_light: tuple[float, float] = (0.3, 0.8)
    darkness: tuple[float, float] = (0.15, 0.7)
    blur: tuple[float, float] = (0.3, 2.2)
    distance: float = 0.3
    noise: tuple[float, float] = (1.0, 18.0)
    jpeg: tuple[float, float] = (25.0, 70.0)
    cover: tuple[float, float] = (0.1, 0.5)

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ConfigError(f"a share of {self.share} spoiled images; expected above 0 and at most 1")

"""Colours for a light ground, and as clear on a dark one."""

from __future__ import annotations

from colorsys import hls_to_rgb, rgb_to_hls
from functools import lru_cache

LIGHT, DARK = "#fdfdfc", "#15181b"  # the grounds of ``look.css``
MORE = 1.3
HALVINGS = 24  # of the bracket of a lightness: past the 8 bits of a colour


@lru_cache(maxsize=256)
def on_dark(colour: str) -> str:
    """The colour of the same hue that is as clear on a dark ground as this is on a light one.

    With the contrast r of the Web Content Accessibility Guidelines 2.2, r - 1 is ``MORE`` times as
    large: on dark, green and pink need more to be told apart by readers without green.
    """
    hue, lightness, saturation = rgb_to_hls(*_channels(colour))
    wanted = 1.0 + MORE * (contrast(colour, LIGHT) - 1.0)
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        lightness = (low + high) / 2
        there = _hex(hls_to_rgb(hue, lightness, saturation))
        further = luminance(there) > luminance(DARK) and contrast(there, DARK) >= wanted
        low, high = (low, lightness) if further else (lightness, high)
    return _hex(hls_to_rgb(hue, high, saturation))


def contrast(one: str, other: str) -> float:
    """The ratio of luminances, from 1 to 21."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    """The relative luminance of a colour #rrggbb, from 0 to 1."""
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in _channels(colour)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _channels(colour: str) -> tuple[float, float, float]:
    red, green, blue = (int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5))
    return red, green, blue


def _hex(channels: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(255 * part):02x}" for part in channels)

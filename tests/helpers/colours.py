"""How colours look to colour-blind readers, in grey, and on a ground.

Matrices of full severity in linear RGB: Machado, Oliveira and Fernandes, "A physiologically-based
model for simulation of color vision deficiency", 2009. Differences are CIE 1976, in CIE L*a*b* for
the white D65.
"""

import numpy as np

SEEN = {
    "by most": np.eye(3),
    "without red": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "without green": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "without blue": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], LUMINANCE, [0.0193, 0.1192, 0.9505]])
WHITE = TO_XYZ.sum(axis=1)


def linear(colour):
    """Return "#rrggbb" in linear RGB."""
    values = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    """Return L*, a*, b* of a linear RGB."""
    ratios = TO_XYZ @ np.clip(rgb, 0.0, 1.0) / WHITE
    x, y, z = np.where(ratios > 0.008856, np.cbrt(ratios), 7.787 * ratios + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def difference(first, second, seen):
    """Return how far two colours are apart to readers of a kind."""
    one, other = (lab(SEEN[seen] @ linear(colour)) for colour in (first, second))
    return float(np.linalg.norm(one - other))


def lightness(colour):
    """Return L* in grey, 0 to 100."""
    return float(lab(np.full(3, LUMINANCE @ linear(colour)))[0])


def contrast(colour, ground):
    """Return the ratio of WCAG 2, 1 to 21."""
    low, high = sorted(float(LUMINANCE @ linear(each)) for each in (colour, ground))
    return (high + 0.05) / (low + 0.05)

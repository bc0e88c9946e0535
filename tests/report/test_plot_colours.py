"""Colours of the report's plots: told apart by everyone, and seen on either background."""

import re
from importlib import resources
from itertools import combinations

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

# Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB.
VISIONS = {
    "all cones": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
PROTOCOLS = ("dt", "r2s", "ft", "restore")
OUTCOMES = ("right", "wrong", "ignored")


def variables(name):
    """Linear RGB of a file's variables by name, one or two of each: light, dark."""
    style = (resources.files("rass_bench.report") / "page" / name).read_text("utf-8")
    found = re.findall(r"--([a-z0-9]+): ((?:light-dark\()?#[^;]*);", style)
    return {key: [linear(one) for one in re.findall("#[0-9a-f]{6}", text)] for key, text in found}


def linear(colour):
    share = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def as_seen(colour, vision):
    seen = np.clip(np.array(vision) @ colour, 0, 1)
    share = np.where(seen <= 0.0031308, seen * 12.92, 1.055 * seen ** (1 / 2.4) - 0.055)
    return rgb2lab(share)


def contrast(one, other):
    """WCAG 2's ratio."""
    dark, light = sorted(float(colour @ [0.2126, 0.7152, 0.0722]) for colour in (one, other))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize(
    ("file", "names", "theme"),
    [("plots.css", PROTOCOLS, 0), ("plots.css", PROTOCOLS, 1), ("images.css", OUTCOMES, 0)],
)
def test_colours_are_told_apart(file, names, theme, vision):
    known = variables(file)
    colours = [as_seen(known[name][theme], VISIONS[vision]) for name in names]
    assert min(deltaE_ciede2000(*pair) for pair in combinations(colours, 2)) > 13


@pytest.mark.parametrize("theme", [0, 1])
def test_colours_are_seen_on_the_background(theme):
    card = variables("app.css")["card"][theme]
    known = variables("plots.css")
    assert min(contrast(known[name][theme], card) for name in PROTOCOLS) > 3

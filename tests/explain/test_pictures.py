"""Pictures of one entry: everything that meets in it is marked, in SVG and in matplotlib."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

import handgrad as hg

SVG = "{http://www.w3.org/2000/svg}"
TRACE = {
    "convolution": hg.explain((1, 2, 5, 6), (3, 2, 3, 2), (3,), stride=2, padding=1),
    "transposed": hg.explain((1, 2, 3, 2), (2, 3, 2, 3), (3,), stride=2, padding=1, transposed=True),
    "one axis": hg.explain((2, 2, 7), (3, 2, 3), (3,), padding=2, padding_mode="reflect"),
    "three axes": hg.explain((1, 1, 3, 4, 3), (2, 1, 2, 2, 2), (2,)),
}


@pytest.mark.parametrize("name", ["output", "grad_weight", "grad_bias", "grad_input"])
@pytest.mark.parametrize("kind", TRACE)
def test_what_meets_is_marked_and_written_out(kind: str, name: str) -> None:
    trace = TRACE[kind]
    index = (0,) * len(trace[name].shape)
    written = trace.sum(name, index)
    root = ET.fromstring(trace.to_svg(name, index))
    marked = [
        group.get("class") for group in root.iter(f"{SVG}g") if group.get("class") not in ("cell", "cell hatched")
    ]
    factors = {(factor.name, factor.place) for term in written.terms for factor in term.factors}
    columns = {term.column for term in written.terms if term.column}
    assert len(marked) == len(factors) + len(columns) + 1
    lines = [text.text for text in root.iter(f"{SVG}text")]
    assert written.line(8) in lines
    figure = trace.plot(name, index)
    assert len([patch for patch in figure.axes[0].patches if patch.get_linewidth() > 1]) == len(marked)
    assert written.line(8) in [text.get_text() for text in figure.axes[0].texts]


def test_a_picture_stays_small_where_the_tensors_are_not() -> None:
    svg = hg.explain((2, 16, 40, 40), (16, 16, 3, 3)).to_svg()
    assert len(svg) < 200_000
    assert "shown: " in svg
    width = re.search(r'width="([\d.]+)"', svg)
    assert float(width[1]) < 1200


def test_what_is_no_result_is_said() -> None:
    with pytest.raises(
        hg.HandgradError, match=r"'input' is no result of this convolution\.\n  known  output, grad_weight"
    ):
        TRACE["convolution"].to_svg("input")
    with pytest.raises(hg.HandgradError, match="output has no such entry"):
        TRACE["convolution"].plot("output", (9, 9, 9, 9))


def test_no_colour_tells_what_a_line_does_not() -> None:
    from handgrad._explain.plot import _LOOKS

    assert len({(style, width) for _, _, style, width in _LOOKS.values()} | {("now",)}) >= len(_LOOKS) - 1

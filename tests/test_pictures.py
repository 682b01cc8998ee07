"""Pictures in figures: the grid, its bytes, and that they stand on the page."""

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rethink.report.figures import Chart, Drawing
from rethink.report.page import Artefact, Page
from rethink.report.panels import Panel, Series
from rethink.report.pictures import Picture, grid

NOISE = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 5, 3), np.uint8)


def chart(*more: Panel) -> Chart:
    panels = [Panel(f"panel {i}", "", "", (), picture=grid(NOISE[i : i + 2], ["initial", ""], gap=2)) for i in range(2)]
    return Chart("looks", "What it looks like.", [*panels, *more])


def images_of(svg: str) -> list[Image.Image]:
    found = re.findall(r"data:image/png;base64,([A-Za-z0-9+/=\s]+)", svg)
    return [Image.open(io.BytesIO(base64.b64decode(data))) for data in found]


def test_a_grid_has_clear_gaps_and_enlarges_the_small_ones() -> None:
    small, large = np.full((2, 2), 255, np.uint8), np.zeros((4, 4, 3), np.uint8)
    small[0, 1] = 0
    pixels = grid([[small, large], [large]], gap=1).pixels
    assert pixels.shape == (9, 9, 4)
    white = pixels[:4, :4, :3].max(2) == 255
    np.testing.assert_array_equal(white, np.kron([[True, False], [True, True]], np.ones((2, 2), bool)))
    opaque = pixels[..., 3] == 255
    assert opaque[:4, :4].all()
    assert opaque[:4, 5:].all()
    assert opaque[5:, :4].all()
    assert opaque.sum() == 3 * 16  # the gaps, and the place that has no image, show the page


def test_few_levels_with_the_middle_kept() -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    values = np.unique(grid([[ramp]]).pixels[..., 0])
    assert len(values) == 17
    assert {0, 128, 255} <= {*values.tolist()}
    assert np.abs(grid([[ramp]]).pixels[..., 0].astype(int) - ramp).max() <= 8


def test_a_picture_is_in_the_svg_pixel_by_pixel(tmp_path: Path) -> None:
    chart().save(tmp_path)
    svg = (tmp_path / "looks.svg").read_text()
    found = images_of(svg)
    wanted = [panel.picture.pixels for panel in chart().panels if panel.picture]
    assert len(found) == len(wanted) == 2
    for image, pixels in zip(found, wanted, strict=True):
        shown = np.asarray(image.convert("RGBA"))
        # matplotlib turns it over: an SVG's y goes downwards, its own upwards.
        assert any(np.array_equal(each[each[..., 3] > 0], pixels[pixels[..., 3] > 0]) for each in (shown, shown[::-1]))
    assert "pixelated" in svg
    assert "initial" in svg
    assert "no runs yet" not in svg


def test_the_same_picture_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        chart().save(tmp_path / name)
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert files == ["looks.png", "looks.svg"]  # there are no values
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_beside_curves_there_are_values_of_the_curves_only(tmp_path: Path) -> None:
    both = chart(Panel("curves", "x", "y", [Series("s", [0, 1], [1.0, 2.0], "#000000")]))
    both.save(tmp_path)
    assert (tmp_path / "looks.csv").read_text().splitlines()[1:] == ["curves,s,0,0,1,,1,0", "curves,s,0,1,2,,1,0"]
    assert len(Drawing.of(both, "wide", 3).values) == 1


def test_the_page_has_it_wide_and_narrow_and_fetches_nothing() -> None:
    html = Page("Report", "Lead.", [Artefact("a", "Title", "Claim.", "Finding.", [chart()])]).render()
    assert len(images_of(html)) == 4
    assert 'aria-label="What it looks like."' in html
    assert not re.search(r'(?:href|src)="https?://(?!arxiv)', html)
    ids = re.findall(r'<image[^>]* id="([^"]+)"', html)
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("columns", [1, 2, 3])
def test_the_panels_keep_the_shape_of_their_picture(columns: int) -> None:
    wide = Picture(np.full((10, 40, 4), 255, np.uint8))
    drawing = Drawing.of(Chart("x", "", [Panel("t", "", "", (), picture=wide)] * 3), "wide", columns)
    (width, height) = map(float, re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', drawing.svg).groups())  # type: ignore[union-attr]
    assert height < width * 1.2

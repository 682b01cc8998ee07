"""The page of `make demo`: one screen first, what was not run folded away, and what randomizations do to images."""

import subprocess
import sys
from pathlib import Path

import pytest
from mini_records import results_of, write_run

from experiments.demo import figures
from rethink.report import artefacts
from rethink.report.overview import overview
from rethink.report.randomizations import FIVE
from rethink.runs.run import Run

REPOSITORY = Path(__file__).parents[1]
real = pytest.mark.skipif(not Path("data/cifar10.bin").is_file(), reason="real CIFAR-10 is not here")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    tmp_path = tmp_path_factory.mktemp("page")
    steps = dict(zip(FIVE, (10, 12, 14, 20, 16), strict=True))
    runs = [Run.open(write_run(tmp_path, randomization=name, fits_at=at)) for name, at in steps.items()]
    perceptrons = [
        Run.open(write_run(tmp_path, "MLP", "PartiallyCorruptedLabels", p, test=0.4 - 0.3 * p)) for p in (0.25, 0.75)
    ]
    demo = results_of("demo", [*runs, *perceptrons], scale="demo")
    part = results_of("fig1a", runs[:2], missing=runs[2:], scale="demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(REPOSITORY)
        patch.setattr(figures, "pictures", lambda: ())  # real CIFAR-10: below
        return overview("Demo", [(artefacts.make(part), part), (artefacts.make(demo), demo)]).render()


def test_the_first_screen_has_the_claim_the_picture_what_it_says_and_what_to_do_next(page: str) -> None:
    header = page[page.index("<header>") : page.index("</header>")]
    assert "<figure" in header
    assert "7 of 7 runs" in header
    assert "true labels are first" in header
    assert "random pixels last" in header
    assert "from 68 to 82 %" in header.replace("\u00a0", " ")
    assert "docs/extending.md" in header
    assert page.count('id="demo"') == 0  # it is not shown twice


def test_what_is_mostly_not_run_is_folded_away(page: str) -> None:
    section = page[page.index('<section id="fig1a"') : page.index("</section>")]
    assert '<details class="folded"><summary><h2>' in section
    assert section.count("<details") == section.count("</details>")


@real
def test_six_images_with_their_labels_under_every_randomization() -> None:
    (chart,) = figures.pictures()
    picture = chart.panels[0].picture
    assert picture is not None
    captions = dict(zip(FIVE, picture.captions, strict=True))
    assert len(captions["TrueLabels"]) == 6
    assert captions["TrueLabels"] == captions["GaussianPixels"] != captions["RandomLabels"]
    side, step = 28, picture.pixels.shape[0] // 5
    rows = [picture.pixels[top * step : top * step + side] for top in range(5)]
    assert (rows[0] == rows[4]).all()  # random labels leave the images alone
    assert all((rows[0] != row).any() for row in rows[1:4])


@real
def test_the_images_are_drawn_without_lightning() -> None:
    script = (
        "import sys; from experiments.demo import figures; assert figures.pictures(); print('lightning' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout == "False\n"

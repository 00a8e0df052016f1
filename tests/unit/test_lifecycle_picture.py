"""docs/images/lifecycle.svg is what the seeds give now, and shows every change of the table."""

from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path

import pytest

from lifecourse.errors import LifecourseError
from lifecourse.handbook.picture import PICTURE, SEEDS, draw


@pytest.fixture
def seeds(tmp_path: Path) -> Path:
    for name in ("lifecycle_stage", "lifecycle_transition_allowed"):
        shutil.copy(SEEDS / f"{name}.csv", tmp_path)
    return tmp_path


def _add(seeds: Path, row: str) -> None:
    with (seeds / "lifecycle_transition_allowed.csv").open("a", encoding="utf-8") as file:
        file.write(row + "\n")


def test_the_picture_is_drawn_from_the_seeds_as_they_are() -> None:
    assert PICTURE.read_text(encoding="utf-8") == draw(), "run scripts/draw_lifecycle"


def test_every_stage_and_reason_is_in_it() -> None:
    shown = set(re.findall(r'<text [^>]*class="(?:z|r)"[^>]*>(\w+)', draw()))
    codes = set()
    for name, column in (("lifecycle_stage", "stage_code"), ("lifecycle_transition_allowed", "reason_code")):
        with (SEEDS / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            codes |= {row[column] for row in csv.DictReader(file) if row.get("needs_other_rules") != "true"}
    assert shown == codes | {"clear"}


def test_no_text_lies_over_another_or_leaves_the_picture() -> None:
    picture = draw()
    width = float(re.search(r'viewBox="0 0 (\d+)', picture)[1])  # type: ignore[index]
    boxes = []
    for x, y, style, anchor, text in re.findall(
        r'<text x="([\d.]+)" y="([\d.]+)" class="(\w)"(?: text-anchor="(\w+)")?>([^<]+)', picture
    ):
        # A wide font's figures: a Chinese character is as wide as it is high.
        size = {"n": 16, "p": 13.5}.get(style, 12.5)
        length = sum(size if ord(letter) > 0x2E80 else size * 0.62 for letter in text)
        middle = anchor == "middle" or style in "nz"
        left = float(x) - (length / 2 if middle else 0)
        boxes.append((left, left + length, float(y) - size, float(y) + 2, text))
    assert all(left > 0 and right < width for left, right, *_ in boxes)
    for place, (left, right, top, bottom, text) in enumerate(boxes):
        for other in boxes[place + 1 :]:
            apart = left >= other[1] or other[0] >= right or top >= other[3] or other[2] >= bottom
            assert apart, (text, other[4])


def test_a_change_for_the_same_reasons_from_a_whole_phase_is_one_arrow(seeds: Path) -> None:
    assert draw(seeds).count(">refunded<") == 1


def test_a_new_reason_appears(seeds: Path) -> None:
    _add(seeds, "base,growth,mature,graded_up,false")
    assert ">graded_up<" in draw(seeds)


@pytest.mark.parametrize(
    "row",
    [
        "base,mature,growth,won_back,false",
        "base,onboarding,mature,maturity_reached,false",
        "base,prospect,mature,first_purchase,false",
        "base,,mature,first_purchase,false",
        "danger,danger,danger,signal_opened,false",
    ],
)
def test_a_change_without_a_way_is_refused(seeds: Path, row: str) -> None:
    _add(seeds, row)
    with pytest.raises(LifecourseError, match=r"no way to draw the change from [\w ]+ to \w+"):
        draw(seeds)

"""One spelling per personal value."""

from __future__ import annotations

import pytest

from lifecourse.privacy.normalise import is_nickname, name_core, normalise, swapped


@pytest.mark.parametrize(
    ("kind", "written", "spelling", "is_valid"),
    [
        pytest.param("phone", "+86 100 1234 5678", "10012345678", True, id="country code and spaces"),
        pytest.param("phone", "１００１２３４５６７８", "10012345678", True, id="full width"),
        pytest.param("phone", "021-6543-2100", "02165432100", True, id="landline"),
        pytest.param("phone", "1001234567", "1001234567", False, id="a digit short"),
        pytest.param("email", " Wang.Fang@Example.COM ", "wang.fang@example.com", True, id="case and spaces"),
        pytest.param("email", "nobody@", "nobody@", False, id="no domain"),
        pytest.param("birth_date", "2015年2月3日", "2015-02-03", True, id="Chinese date"),
        pytest.param("birth_date", "2015/2/30", "2015/2/30", False, id="a day that is none"),
        pytest.param("name", "李 明", "李明", True, id="space in a Chinese name"),
        pytest.param("address", "阳光 花园１期", "阳光花园1期", True, id="community with a blank"),
        pytest.param("name", "Anna  SMITH", "anna smith", True, id="Latin name"),
    ],
)
def test_spelling(kind: str, written: str, spelling: str, is_valid: bool) -> None:
    assert normalise(kind, written) == (spelling, is_valid)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "core", "nickname"),
    [
        pytest.param("王梓涵", "涵", False, id="a name"),
        pytest.param(" 王 梓涵", "涵", False, id="a name with blanks"),
        pytest.param("小涵", "涵", True, id="nickname with 小"),
        pytest.param("阿涵", "涵", True, id="nickname with 阿"),
        pytest.param("涵涵", "涵", True, id="a character twice"),
        pytest.param("王涵", "涵", False, id="a name of two characters"),
        pytest.param("Anna  SMITH", "anna", False, id="Latin name"),
    ],
)
def test_a_nickname_and_the_name_share_a_core(name: str, core: str, nickname: bool) -> None:
    assert (name_core(name), is_nickname(name)) == (core, nickname)


@pytest.mark.parametrize(
    ("written", "exchanged"),
    [
        pytest.param("2015-03-04", "2015-04-03", id="another day"),
        pytest.param("2015年3月4日", "2015-04-03", id="Chinese date"),
        pytest.param("2015-03-13", None, id="there is no month 13"),
        pytest.param("2015-03-03", None, id="the same day"),
        pytest.param("2015-02-30", None, id="no day at all"),
    ],
)
def test_day_and_month_are_exchanged(written: str, exchanged: str | None) -> None:
    assert swapped(written) == exchanged

"""One spelling per personal value."""

from __future__ import annotations

import pytest

from lifecourse.privacy.normalise import normalise


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
        pytest.param("name", "Anna  SMITH", "anna smith", True, id="Latin name"),
    ],
)
def test_spelling(kind: str, written: str, spelling: str, is_valid: bool) -> None:
    assert normalise(kind, written) == (spelling, is_valid)  # type: ignore[arg-type]

"""Casts: exact, in UTC, and never losing a row."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from lifecourse.errors import LifecourseError
from lifecourse.sources.casting import cast_batch
from lifecourse.sources.spec import ColumnSpec

SHANGHAI = ZoneInfo("Asia/Shanghai")


def cast(values: list[object] | pa.Array, **spec: str) -> tuple[list[object], list[str | None]]:
    array = values if isinstance(values, pa.Array) else pa.array(values)
    batch = cast_batch({"x": array}, [ColumnSpec(name="x", **spec)], SHANGHAI, "here")  # type: ignore[arg-type]
    return batch.column("x").to_pylist(), batch.column("_cast_error").to_pylist()


@pytest.mark.parametrize(
    ("spec", "text", "value"),
    [
        ({"type": "text"}, "  as it is ", "  as it is "),
        ({"type": "integer"}, " 12 ", 12),
        ({"type": "bigint"}, "-9007199254740993", -9007199254740993),
        ({"type": "money"}, "0.10", Decimal("0.10")),
        ({"type": "money"}, "9999999999999999.99", Decimal("9999999999999999.99")),
        ({"type": "numeric"}, "78.5", Decimal("78.5")),
        ({"type": "hours"}, ".5", Decimal("0.5")),
        ({"type": "boolean"}, "True", True),
        ({"type": "boolean"}, "0", False),
        ({"type": "date"}, "2026-03-01", date(2026, 3, 1)),
        ({"type": "date", "cast": "text_date"}, "2026/3/1", date(2026, 3, 1)),
        ({"type": "date", "cast": "text_date"}, "2026.03.01", date(2026, 3, 1)),
        (
            {"type": "timestamptz"},
            "2026-03-01T08:00:00+08:00",
            datetime(2026, 3, 1, tzinfo=UTC),
        ),
        (
            {"type": "timestamptz"},
            "2026-03-01T00:00:00.123456Z",
            datetime(2026, 3, 1, 0, 0, 0, 123456, UTC),
        ),
        (
            {"type": "timestamptz", "cast": "local_time"},
            "2026-03-01 08:00:00",
            datetime(2026, 3, 1, tzinfo=UTC),
        ),
        (
            {"type": "timestamptz", "cast": "unix_seconds"},
            "1772323200",
            datetime(2026, 3, 1, tzinfo=UTC),
        ),
    ],
)
def test_casts(spec: dict[str, str], text: str, value: object) -> None:
    assert cast([text], **spec) == ([value], [None])


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"type": "integer"}, "2147483648"),
        ({"type": "integer"}, "1.5"),
        ({"type": "bigint"}, "99999999999999999999"),
        ({"type": "money"}, "1.005"),
        ({"type": "money"}, "1e3"),
        ({"type": "money"}, "99999999999999999.00"),
        ({"type": "money"}, "12,50"),
        ({"type": "numeric"}, "NaN"),
        ({"type": "boolean"}, "maybe"),
        ({"type": "date"}, "2026-02-30"),
        ({"type": "date", "cast": "text_date"}, "30/02/2026"),
        ({"type": "date", "cast": "text_date"}, "2026-02-30"),
        ({"type": "timestamptz"}, "2026-03-01T08:00:00"),  # no zone, and none was told
        ({"type": "timestamptz"}, "yesterday"),
        ({"type": "timestamptz", "cast": "unix_seconds"}, "soon"),
    ],
)
def test_what_cannot_be_cast_is_null_and_named_and_the_row_stays(spec: dict[str, str], text: str) -> None:
    assert cast([None, text], **spec) == ([None, None], [None, "x"])


def test_good_values_beside_a_broken_one_are_kept() -> None:
    assert cast(["1.10", "1.005", "2.20"], type="money") == (
        [Decimal("1.10"), None, Decimal("2.20")],
        [None, "x", None],
    )


@pytest.mark.parametrize("kind", ["integer", "money", "date", "timestamptz", "boolean"])
def test_blank_is_no_value_and_no_error(kind: str) -> None:
    assert cast(["", "  "], type=kind) == ([None, None], [None, None])


def test_no_instant_of_unix_seconds_is_no_error() -> None:
    values, errors = cast(
        pa.array([0, 2**31 - 1, None], pa.int64()),
        type="timestamptz",
        cast="unix_seconds",
    )
    assert (values, errors) == ([None] * 3, [None] * 3)


def test_several_columns_that_fail_are_all_named() -> None:
    columns = [ColumnSpec(name=name, type="integer") for name in ("a", "b", "c")]
    values = {
        "a": pa.array(["x", "1"]),
        "b": pa.array(["2", "2"]),
        "c": pa.array(["z", "z"]),
    }
    batch = cast_batch(values, columns, SHANGHAI, "here")
    assert batch.column("_cast_error").to_pylist() == ["a,c", "c"]


def test_doubles_become_exact_decimals() -> None:
    assert cast(pa.array([78.0, 66.7, float("nan"), None]), type="numeric") == (
        [Decimal(78), Decimal("66.7"), None, None],
        [None] * 4,
    )


def test_naive_arrow_times_need_a_zone() -> None:
    naive = pa.array([datetime(2026, 3, 1, 8)], pa.timestamp("ms"))
    assert cast(naive, type="timestamptz", cast="local_time")[0] == [datetime(2026, 3, 1, tzinfo=UTC)]
    with pytest.raises(LifecourseError, match="without a zone"):
        cast(naive, type="timestamptz")


def test_a_personal_column_stays_plain_text() -> None:
    column = ColumnSpec.model_validate({"name": "x", "type": "token", "personal": "phone"})
    batch = cast_batch({"x": pa.array(["0138 0000"])}, [column], SHANGHAI, "here")
    assert batch.column("x").to_pylist() == ["0138 0000"]


def test_a_dictionary_column_is_read_like_any_other() -> None:
    assert cast(pa.array(["1", "2", "1"]).dictionary_encode(), type="integer") == (
        [1, 2, 1],
        [None] * 3,
    )

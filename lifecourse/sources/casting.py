"""Text and Arrow values into the landed types, for the sources that are no Postgres.

The rule is that of `lifecourse.sources.base`: a value that cannot be cast becomes null and its column is named in
``_cast_error``; a row is never dropped and nothing is rounded. Text takes no detour over floats, so an amount is
what was printed, digit for digit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from lifecourse.errors import LifecourseError
from lifecourse.sources.base import CAST_ERROR, cast_error_field
from lifecourse.sources.spec import ColumnSpec

TIMESTAMP = pa.timestamp("us", tz="UTC")

_ARROW_TYPES: dict[str, pa.DataType] = {
    "text": pa.string(),
    "token": pa.string(),  # the plain personal value; the loader lands a token in its place
    "date": pa.date32(),
    "timestamptz": TIMESTAMP,
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "boolean": pa.bool_(),
    "numeric": pa.decimal128(38, 9),
    "money": pa.decimal128(18, 2),
    "hours": pa.decimal128(10, 2),
    "numeric(18,5)": pa.decimal128(18, 5),
}

#: Columns that a file reader adds where a file has no key of its own, with the types the loader lands.
FILE_KEY_FIELDS = (pa.field("file_id", pa.int64()), pa.field("row_number", pa.int64()))

_INTEGER = r"^[+-]?[0-9]+$"
_DECIMAL = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)$"
_HAND_DATE = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})")
_BOOLEANS = {
    **dict.fromkeys(("true", "t", "yes", "y", "1"), True),
    **dict.fromkeys(("false", "f", "no", "n", "0"), False),
}
#: What Moodle and others write for "no instant".
NO_INSTANT = (0, 2**31 - 1)


def arrow_type(column: ColumnSpec) -> pa.DataType:
    """The Arrow type in which a reader delivers the column."""
    return _ARROW_TYPES["text" if column.personal else column.type or "text"]


def schema_of(columns: Iterable[ColumnSpec], extra: Iterable[pa.Field] = ()) -> pa.Schema:
    """The schema of a reader's batches: the columns in landed order, `extra`, then ``_cast_error``."""
    return pa.schema(
        [
            *(pa.field(c.name, arrow_type(c)) for c in columns),
            *extra,
            cast_error_field(),
        ]
    )


def cast_batch(
    values: Mapping[str, pa.Array],
    columns: Iterable[ColumnSpec],
    zone: ZoneInfo,
    where: str,
    extra: Mapping[str, pa.Array] | None = None,
) -> pa.RecordBatch:
    """One batch of landed rows from source arrays by landed column name.

    `zone` is that of naive times cast as ``local_time``; `extra` holds arrays that need no cast (the file key).
    Raises `LifecourseError` (with `where`) for a column whose type has no way into the landed one.
    """
    columns = list(columns)
    extra = extra or {}
    arrays = [cast_array(values[column.name], column, zone, where) for column in columns]
    rows = len(arrays[0]) if arrays else 0
    error = pa.nulls(rows, pa.string())
    for column, cast in zip(columns, arrays, strict=True):
        if cast.null_count > values[column.name].null_count:
            lost = pc.and_(_holds_value(values[column.name], column), pc.is_null(cast))
            named = pc.if_else(
                pc.is_null(error),
                column.name,
                pc.binary_join_element_wise(error, pa.scalar(column.name), ","),
            )
            error = pc.if_else(lost, named, error)
    schema = schema_of(columns, [pa.field(name, array.type) for name, array in extra.items()])
    return pa.RecordBatch.from_arrays([*arrays, *extra.values(), error], schema=schema)


def _holds_value(source: pa.Array, column: ColumnSpec) -> pa.Array:
    """Whether there is anything to cast: blanks, NaN and the "no instant" of unix seconds are nothing."""
    text = _as_text(source)
    present = pc.fill_null(pc.not_equal(pc.utf8_trim_whitespace(text), ""), False)
    if column.cast == "unix_seconds":
        present = pc.and_not(present, pc.is_in(text, pa.array([str(number) for number in NO_INSTANT])))
    return present


def cast_array(source: pa.Array, column: ColumnSpec, zone: ZoneInfo, where: str) -> pa.Array:
    """The array in the landed type; values that cannot be cast are null."""
    target = arrow_type(column)
    kind = source.type
    if pa.types.is_dictionary(kind):
        return cast_array(source.dictionary_decode(), column, zone, where)
    if pa.types.is_null(kind):
        return pa.nulls(len(source), target)
    if pa.types.is_string(target):
        return _as_text(source)
    if pa.types.is_timestamp(target) and column.cast != "unix_seconds":
        if pa.types.is_timestamp(kind):
            return _instants(source, column, zone, where)
        if pa.types.is_date(kind):
            raise LifecourseError(
                f"column {column.name} holds days, not instants",
                where,
                "say `type: date`, or read another column",
            )
    elif pa.types.is_integer(kind) and pa.types.is_integer(target):
        return _integers(source, target)
    elif kind == target or (pa.types.is_date(kind) and pa.types.is_date(target)):
        return source.cast(target)
    return _from_text(_as_text(source), column, target, zone, where)


def _as_text(source: pa.Array) -> pa.Array:
    if pa.types.is_floating(source.type):
        source = pc.if_else(pc.is_nan(source), pa.scalar(None, source.type), source)
    return source.cast(pa.string())


def _from_text(
    text: pa.Array, column: ColumnSpec, target: pa.DataType, zone: ZoneInfo, where: str
) -> pa.Array:
    text = pc.utf8_trim_whitespace(text)
    if column.cast == "unix_seconds":
        seconds = _integers(_matching(text, _INTEGER).cast(pa.int64()), pa.int64())
        seconds = pc.if_else(
            pc.is_in(seconds, pa.array(NO_INSTANT, pa.int64())),
            pa.scalar(None, pa.int64()),
            seconds,
        )
        return seconds.cast(pa.timestamp("s", tz="UTC")).cast(target)
    if pa.types.is_decimal(target):
        return _decimals(_matching(text, _DECIMAL), target)
    if pa.types.is_integer(target):
        return _integers(_small(_matching(text, _INTEGER)).cast(pa.int64()), target)
    if pa.types.is_boolean(target):
        return _mapped(text, lambda value: _BOOLEANS.get(value.lower()), target)
    if pa.types.is_date(target):
        return _mapped(text, _date_by_hand if column.cast == "text_date" else _iso_date, target)
    if pa.types.is_timestamp(target):
        local = zone if column.cast == "local_time" else None
        return _mapped(text, lambda value: _instant(value, local), target)
    raise LifecourseError(
        f"column {column.name}: no cast from {text.type} to {column.type}",
        where,
        "mend the YAML",
    )


def _matching(text: pa.Array, pattern: str) -> pa.Array:
    return pc.if_else(pc.match_substring_regex(text, pattern), text, pa.scalar(None, pa.string()))


def _small(digits: pa.Array) -> pa.Array:
    """Only numbers of at most 18 digits, which fit a bigint whatever they are."""
    return pc.if_else(pc.less_equal(pc.utf8_length(digits), 18), digits, pa.scalar(None, pa.string()))


def _integers(numbers: pa.Array, target: pa.DataType) -> pa.Array:
    if numbers.type == target:
        return numbers
    if target == pa.int32():
        fits = pc.and_(pc.greater_equal(numbers, -(2**31)), pc.less(numbers, 2**31))
        numbers = pc.if_else(fits, numbers, pa.scalar(None, numbers.type))
    return numbers.cast(target)


def _decimals(text: pa.Array, target: pa.Decimal128Type) -> pa.Array:
    try:
        return text.cast(target)
    except pa.ArrowInvalid:
        # A number with too many digits stands among them: find it by hand.
        return _mapped(text, lambda value: _decimal(value, target), target)


def _decimal(text: str, target: pa.Decimal128Type) -> Decimal | None:
    number = Decimal(text)
    whole_digits = number.adjusted() + 1
    unit = Decimal(1).scaleb(-target.scale)
    if whole_digits > target.precision - target.scale or number % unit:
        return None
    return number


def _mapped(text: pa.Array, cast, target: pa.DataType) -> pa.Array:  # type: ignore[no-untyped-def]
    """Casts each distinct value once: days, flags and even instants repeat a lot."""
    encoded = text.dictionary_encode()
    distinct = [
        None if value is None or value == "" else cast(value) for value in encoded.dictionary.to_pylist()
    ]
    return pa.array(distinct, target).take(encoded.indices)


def _iso_date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _date_by_hand(text: str) -> date | None:
    match = _HAND_DATE.fullmatch(text)
    try:
        day = date(*(int(part) for part in match.groups())) if match else None
    except ValueError:
        return None
    # The years that the sources which are a Postgres accept too.
    return day if day and 1900 <= day.year < 2200 else None


def _instant(text: str, local: ZoneInfo | None) -> datetime | None:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    if instant.tzinfo is None:
        # Without a zone and without being told one, an instant is not known.
        if local is None:
            return None
        instant = instant.replace(tzinfo=local)
    return instant.astimezone(UTC)


def _instants(source: pa.Array, column: ColumnSpec, zone: ZoneInfo, where: str) -> pa.Array:
    if source.type.tz is not None:
        return source.cast(TIMESTAMP)
    if column.cast != "local_time":
        raise LifecourseError(
            f"column {column.name} holds times without a zone",
            where,
            "say `cast: local_time` and the system's `timezone`",
        )
    local = pc.assume_timezone(
        source.cast(pa.timestamp("us")),
        str(zone),
        ambiguous="earliest",
        nonexistent="earliest",
    )
    return local.cast(TIMESTAMP)


__all__ = [
    "CAST_ERROR",
    "FILE_KEY_FIELDS",
    "TIMESTAMP",
    "arrow_type",
    "cast_array",
    "cast_batch",
    "schema_of",
]

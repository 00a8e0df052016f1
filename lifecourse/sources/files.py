"""Files as a source: CSV, Parquet and the bills of payment channels, one unit per file.

A file is known by the SHA-256 of its bytes, whatever its name: the loader skips what it has merged already, so the
same file sent twice under two names counts once. Where a file has no key of its own its rows get one: ``file_id``
(the first 63 bits of that hash) and ``row_number`` (from 1, in the order of the file).
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from lifecourse.errors import LifecourseError
from lifecourse.settings import settings
from lifecourse.sources.base import SourceColumn, Unit, Window
from lifecourse.sources.bills import BillRow, parse_alipay_bill, parse_wechat_bill
from lifecourse.sources.casting import FILE_KEY_FIELDS, cast_batch
from lifecourse.sources.spec import ColumnSpec, SystemSpec, TableSpec, resolve

#: Rows per batch of a Parquet file, and bytes per block of a CSV file.
PARQUET_ROWS = 131_072
CSV_BYTES = 4 << 20
#: Rows per batch of a bill.
BILL_ROWS = 20_000

_BILL_PARSERS: dict[str, Callable[[bytes, str], list[BillRow]]] = {
    "wechat_bill": parse_wechat_bill,
    "alipay_bill": parse_alipay_bill,
}


class FilesReader:
    """Reads a directory of files (see `lifecourse.sources.base.Reader`)."""

    def __init__(self, spec: SystemSpec) -> None:
        self.spec = spec
        self._directory: Path | None = None

    def __enter__(self) -> Self:
        directory = directory_of(self.spec)
        if not directory.is_dir():
            raise LifecourseError(
                f"no such directory: {directory}",
                f"system {self.spec.system}",
                f"mend `directory` in {self.spec.file}, or set the variable it names",
            )
        self._directory = directory
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._directory = None

    @property
    def directory(self) -> Path:
        if self._directory is None:
            raise LifecourseError(
                "the reader is not open",
                f"system {self.spec.system}",
                "use it in a `with` block",
            )
        return self._directory

    def clock(self) -> datetime:
        """Files have no clock of their own: that of this machine."""
        return datetime.now(UTC)

    def columns(self, table: TableSpec) -> list[SourceColumn]:
        """Columns of the first file there is, by name.

        A bill has the columns of the canonical table whatever its layout. Where no file has come yet nothing can
        be told: the list is empty.
        """
        paths = self._paths(table)
        if table.format in _BILL_PARSERS:
            return [SourceColumn(field.name, "bill") for field in fields(BillRow)]
        if not paths:
            return []
        if table.format == "parquet":
            return [SourceColumn(field.name, str(field.type)) for field in _parquet(paths[0]).schema_arrow]
        return [SourceColumn(name, "text") for name in _csv_header(table, paths[0])]

    def units(self, table: TableSpec, window: Window) -> list[Unit]:
        """Every file that matches the pattern, by name; of two with the same content the first.

        The window plays no part: a file is new or known by its hash alone.
        """
        units: dict[str, Unit] = {}
        for path in self._paths(table):
            digest = _sha256(path)
            name = path.relative_to(self.directory).as_posix()
            units.setdefault(digest, Unit(name=name, hash=digest, path=str(path)))
        return list(units.values())

    def read(self, table: TableSpec, unit: Unit, window: Window) -> Iterator[pa.RecordBatch]:
        """Rows of one file, typed. A bill that does not add up raises `BillRefused` before its first row."""
        path = Path(unit.path) if unit.path else self.directory / unit.name
        where = f"system {self.spec.system}, file {unit.name}"
        if table.format in _BILL_PARSERS:
            batches = _bill_batches(_BILL_PARSERS[table.format](_bytes(path, where), unit.name))
        elif table.format == "parquet":
            batches = _parquet_batches(path, table, where)
        else:
            batches = _csv_batches(path, table, where)
        file_id = file_id_of(unit.hash or _sha256(path))
        row_number = 1
        for values, rows in batches:
            landed = {column.name: values[_source_name(column)] for column in table.read_columns}
            extra = {
                field.name: (
                    pa.array(np.full(rows, file_id, dtype=np.int64))
                    if field.name == "file_id"
                    else pa.array(np.arange(row_number, row_number + rows, dtype=np.int64))
                )
                for field in FILE_KEY_FIELDS
                if field.name in table.key and field.name not in table.columns
            }
            row_number += rows
            yield cast_batch(landed, table.read_columns, self._zone, where, extra)

    def _paths(self, table: TableSpec) -> list[Path]:
        return sorted(path for path in self.directory.glob(table.pattern or "") if path.is_file())

    @property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.spec.timezone or settings().timezone)


def directory_of(spec: SystemSpec) -> Path:
    """The directory of a system of kind files; a relative one is taken from the checkout."""
    return settings().project / Path(resolve(spec.directory, str(spec.file))).expanduser()


def file_id_of(sha256: str) -> int:
    """The file's part of a row's key: the first 63 bits of its hash, so that it fits a bigint."""
    return int(sha256[:16], 16) >> 1


def _source_name(column: ColumnSpec) -> str:
    return column.source or column.name


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _bytes(path: Path, where: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise LifecourseError(
            f"cannot be read: {error.strerror}", where, "check the file and its rights"
        ) from None


# Each of these yields the columns by source name, and the number of rows.
_Batches = Iterator[tuple[dict[str, pa.Array], int]]


def _bill_batches(rows: list[BillRow]) -> _Batches:
    for start in range(0, len(rows), BILL_ROWS):
        some = rows[start : start + BILL_ROWS]
        yield (
            {field.name: pa.array([getattr(row, field.name) for row in some]) for field in fields(BillRow)},
            len(some),
        )


def _parquet(path: Path) -> pyarrow.parquet.ParquetFile:
    try:
        return pyarrow.parquet.ParquetFile(path)
    except (pa.ArrowInvalid, OSError):
        raise LifecourseError("not a whole Parquet file", path.name, "deliver the file again") from None


def _parquet_batches(path: Path, table: TableSpec, where: str) -> _Batches:
    file = _parquet(path)
    names = [_source_name(column) for column in table.read_columns]
    _check_columns(names, file.schema_arrow.names, where)
    try:
        for batch in file.iter_batches(PARQUET_ROWS, columns=list(dict.fromkeys(names))):
            yield (
                {name: batch.column(name) for name in batch.schema.names},
                batch.num_rows,
            )
    except (pa.ArrowInvalid, OSError):
        raise LifecourseError("the Parquet file is damaged", where, "deliver the file again") from None


def _csv_batches(path: Path, table: TableSpec, where: str) -> _Batches:
    header = _csv_header(table, path)
    names = [_source_name(column) for column in table.read_columns]
    _check_columns(names, header, where)
    twice = {name for name in names if header.count(name) > 1}
    if twice:
        raise LifecourseError(
            f"columns named twice: {', '.join(sorted(twice))}",
            where,
            "mend the file's header",
        )
    try:
        reader = pyarrow.csv.open_csv(
            path,
            read_options=pyarrow.csv.ReadOptions(encoding=_encoding(table), block_size=CSV_BYTES),
            parse_options=pyarrow.csv.ParseOptions(delimiter=table.delimiter, newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(
                include_columns=list(dict.fromkeys(names)),
                column_types={name: pa.string() for name in header},
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                null_values=[""],
            ),
        )
        for batch in reader:
            yield (
                {name: batch.column(name) for name in batch.schema.names},
                batch.num_rows,
            )
    except (pa.ArrowInvalid, UnicodeDecodeError):
        # Arrow's message quotes the line; its place is not known.
        raise LifecourseError(
            f"no regular CSV file in {table.encoding} with {len(header)} values a line",
            where,
            "mend the file, or `encoding` and `delimiter` in the YAML",
        ) from None


def _csv_header(table: TableSpec, path: Path) -> list[str]:
    try:
        with open(path, encoding=_encoding(table), newline="") as file:
            return [
                name.removeprefix("\ufeff") for name in next(csv.reader(file, delimiter=table.delimiter), [])
            ]
    except (UnicodeDecodeError, csv.Error, OSError):
        raise LifecourseError(
            f"its header is not readable as {table.encoding}",
            path.name,
            "mend `encoding`",
        ) from None


def _encoding(table: TableSpec) -> str:
    # The institution's files often come from a spreadsheet: a byte order mark is no part of the first name.
    return "utf-8-sig" if table.encoding.lower().replace("-", "") == "utf8" else table.encoding


def _check_columns(wanted: list[str], found: list[str], where: str) -> None:
    missing = [name for name in dict.fromkeys(wanted) if name not in found]
    if missing:
        raise LifecourseError(
            f"missing columns: {', '.join(missing)}",
            where,
            "the source has changed: mend `from` in the YAML",
        )

"""Files as a source: units by content, rows with keys of their own, nothing that is broken half read."""

from __future__ import annotations

import hashlib
import shutil
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet
import pytest

from lifecourse import contract
from lifecourse.errors import LifecourseError
from lifecourse.sources.base import Unit, Window
from lifecourse.sources.files import FilesReader, file_id_of
from lifecourse.sources.registry import open_reader
from lifecourse.sources.spec import SystemSpec

FIXTURES = Path(__file__).with_name("fixtures") / "payment_bills"
WINDOW = Window(None, datetime(2026, 3, 1, tzinfo=UTC))


def reader_of(directory: Path, **table: Any) -> FilesReader:
    spec = SystemSpec.model_validate(
        {
            "system": "files",
            "serves": "teaching",
            "kind": "files",
            "directory": str(directory),
            "timezone": "Asia/Shanghai",
            "tables": [{"name": "things", **table}],
        }
    )
    reader = open_reader(spec)
    assert isinstance(reader, FilesReader)
    return reader


def read_all(reader: FilesReader) -> list[dict[str, Any]]:
    table = reader.spec.tables[0]
    with reader:
        return [
            row
            for unit in reader.units(table, WINDOW)
            for batch in reader.read(table, unit, WINDOW)
            for row in batch.to_pylist()
        ]


CSV_TABLE = {
    "pattern": "*.csv",
    "format": "csv",
    "columns": {
        "name": "名称",
        "taken_on": {"from": "day", "type": "date", "cast": "text_date"},
        "amount": {"type": "money"},
        "at": {"type": "timestamptz", "cast": "local_time"},
    },
}
CSV = 'day,名称,amount,at,note\n2026/3/1,"a, ""b""\nc",1.10,2026-03-01 08:00:00,x\n30.2.2026,,1.1.1,,\n'


class TestCsv:
    def test_rows_are_typed_and_keyed_by_file_and_row(self, tmp_path: Path) -> None:
        (tmp_path / "one.csv").write_text(CSV, encoding="utf-8")
        file_id = file_id_of(hashlib.sha256(CSV.encode()).hexdigest())

        assert read_all(reader_of(tmp_path, **CSV_TABLE)) == [
            {
                "name": 'a, "b"\nc',
                "taken_on": date(2026, 3, 1),
                "amount": Decimal("1.10"),
                "at": datetime(2026, 3, 1, tzinfo=UTC),
                "file_id": file_id,
                "row_number": 1,
                "_cast_error": None,
            },
            {
                "name": None,
                "taken_on": None,
                "amount": None,
                "at": None,
                "file_id": file_id,
                "row_number": 2,
                "_cast_error": "taken_on,amount",
            },
        ]

    @pytest.mark.parametrize(
        ("encoding", "spec"),
        [
            ("utf-8-sig", {}),
            ("gbk", {"encoding": "gbk"}),
            ("utf-16", {"encoding": "utf-16"}),
        ],
    )
    def test_encodings(self, tmp_path: Path, encoding: str, spec: dict[str, str]) -> None:
        (tmp_path / "one.csv").write_bytes(CSV.encode(encoding))
        rows = read_all(reader_of(tmp_path, **CSV_TABLE, **spec))
        assert [row["name"] for row in rows] == ['a, "b"\nc', None]

    def test_a_table_with_a_key_of_its_own_gets_no_other(self, tmp_path: Path) -> None:
        (tmp_path / "one.csv").write_text("id;v\n7;x\n")
        reader = reader_of(
            tmp_path,
            pattern="*.csv",
            format="csv",
            delimiter=";",
            key=["id"],
            columns={"id": "id", "v": "v"},
        )
        assert read_all(reader) == [{"id": "7", "v": "x", "_cast_error": None}]

    def test_only_a_header_is_no_row(self, tmp_path: Path) -> None:
        (tmp_path / "one.csv").write_text(CSV.splitlines()[0] + "\n")
        assert read_all(reader_of(tmp_path, **CSV_TABLE)) == []

    def test_a_missing_column_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "one.csv").write_text("day,名称,at\n2026-03-01,x,\n")
        with pytest.raises(LifecourseError, match=r"one\.csv: missing columns: amount"):
            read_all(reader_of(tmp_path, **CSV_TABLE))

    @pytest.mark.parametrize(
        "content",
        [
            pytest.param(CSV.encode() + b"a private word,too few\n", id="too few values"),
            pytest.param(
                CSV.encode() + "a private word,é,1,,\n".encode("latin-1"),
                id="another encoding",
            ),
        ],
    )
    def test_a_broken_line_stops_the_file_and_is_not_quoted(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "one.csv").write_bytes(content)
        with pytest.raises(LifecourseError) as caught:
            read_all(reader_of(tmp_path, **CSV_TABLE))
        assert "private" not in str(caught.value)
        assert "one.csv" in str(caught.value)


class TestParquet:
    TABLE: ClassVar = {
        "pattern": "t.parquet",
        "format": "parquet",
        "columns": {"who": {"from": "id", "type": "text"}},
    }

    def write(self, path: Path, rows: int = 3) -> None:
        table = pa.table({"id": pa.array(range(rows), pa.int32()), "score": pa.array([1.5] * rows)})
        pyarrow.parquet.write_table(table, path, row_group_size=2)

    def test_duplicate_rows_stay_two_rows(self, tmp_path: Path) -> None:
        pyarrow.parquet.write_table(pa.table({"id": [5, 5, 5]}), tmp_path / "t.parquet")
        rows = read_all(reader_of(tmp_path, **self.TABLE))
        assert [(row["who"], row["row_number"]) for row in rows] == [
            ("5", 1),
            ("5", 2),
            ("5", 3),
        ]

    def test_row_numbers_run_on_over_batches(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("lifecourse.sources.files.PARQUET_ROWS", 2)
        self.write(tmp_path / "t.parquet", 5)
        assert [row["row_number"] for row in read_all(reader_of(tmp_path, **self.TABLE))] == [1, 2, 3, 4, 5]

    def test_columns_have_the_types_of_the_file(self, tmp_path: Path) -> None:
        self.write(tmp_path / "t.parquet")
        with reader_of(tmp_path, **self.TABLE) as reader:
            columns = {column.name: column.type for column in reader.columns(reader.spec.tables[0])}
        assert columns == {"id": "int32", "score": "double"}

    def test_a_file_cut_short_is_refused(self, tmp_path: Path) -> None:
        self.write(tmp_path / "t.parquet", 1000)
        whole = (tmp_path / "t.parquet").read_bytes()
        (tmp_path / "t.parquet").write_bytes(whole[:-20])
        with pytest.raises(LifecourseError, match="Parquet"):
            read_all(reader_of(tmp_path, **self.TABLE))


class TestUnits:
    def test_a_unit_is_known_by_its_content(self, tmp_path: Path) -> None:
        (tmp_path / "b.csv").write_text("x\n1\n")
        (tmp_path / "a.csv").write_text("x\n2\n")
        (tmp_path / "copy of a.csv").write_text("x\n2\n")
        (tmp_path / "other.txt").write_text("x\n3\n")
        with reader_of(tmp_path, pattern="*.csv", format="csv", columns={"x": "x"}) as reader:
            units = reader.units(reader.spec.tables[0], WINDOW)
        assert units == [
            Unit("a.csv", hashlib.sha256(b"x\n2\n").hexdigest(), str(tmp_path / "a.csv")),
            Unit("b.csv", hashlib.sha256(b"x\n1\n").hexdigest(), str(tmp_path / "b.csv")),
        ]

    def test_no_file_yet_is_no_unit_and_tells_no_columns(self, tmp_path: Path) -> None:
        with reader_of(tmp_path, **CSV_TABLE) as reader:
            assert reader.units(reader.spec.tables[0], WINDOW) == []
            assert reader.columns(reader.spec.tables[0]) == []

    def test_a_missing_directory_says_where_it_was_looked_for(self, tmp_path: Path) -> None:
        with (
            pytest.raises(LifecourseError, match="no such directory"),
            reader_of(tmp_path / "gone", **CSV_TABLE),
        ):
            pass


class TestBills:
    TABLE: ClassVar = {
        "maps_to": "settlement_bills",
        "pattern": "wechat*.csv",
        "format": "wechat_bill",
    }

    def test_rows_are_those_of_the_contract(self, tmp_path: Path) -> None:
        shutil.copy(FIXTURES / "wechat_v3_tradebill_ALL_20210128.csv", tmp_path)
        reader = reader_of(tmp_path, **self.TABLE)
        rows = read_all(reader)
        assert list(rows[0]) == [
            *contract.table("settlement_bills").columns,
            "_cast_error",
        ]
        assert [row["amount"] for row in rows] == [Decimal("0.01")] * 3
        assert rows[0]["occurred_at"] == datetime(2021, 1, 28, 9, 7, 11, tzinfo=UTC)
        assert rows[0]["fee_amount"] == Decimal("0.00000")
        with reader:
            assert {column.name for column in reader.columns(reader.spec.tables[0])} >= set(rows[0]) - {
                "_cast_error"
            }

    def test_a_tampered_bill_gives_no_row_at_all(self, tmp_path: Path) -> None:
        text = (FIXTURES / "wechat_v3_tradebill_ALL_20210128.csv").read_text(encoding="utf-8")
        (tmp_path / "wechat.csv").write_text(text.replace("`0.03", "`0.02", 1), encoding="utf-8")
        reader = reader_of(tmp_path, **self.TABLE)
        with reader, pytest.raises(LifecourseError, match=r"wechat\.csv.*add up"):
            next(reader.read(reader.spec.tables[0], Unit("wechat.csv"), WINDOW))

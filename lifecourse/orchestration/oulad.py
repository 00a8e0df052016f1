"""The Open University on stage: a real institution with one system, seven Parquet files, for `lifecourse demo`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from lifecourse.errors import LifecourseError
from lifecourse.orchestration.stage import Stage
from lifecourse.settings import PROJECT
from lifecourse.warehouse.connection import Warehouse

#: The largest of the seven files, by which a folder is known to hold the data set.
LARGEST = "studentVle.parquet"
FOLDERS = (PROJECT / "data" / "oulad", PROJECT / "data" / "oulad_sample")


@dataclass
class Oulad:
    """All 10.7 million rows, or a sample, as they were published.

    The files never change, so that the second night finds nothing new. Its days lie after the last presentation:
    everything that ever happened is told.
    """

    data: Path | None = None
    name: str = "oulad"
    nights: tuple[date, date] = (date(2015, 12, 30), date(2015, 12, 31))
    patience: float = 3600

    def stage(self) -> Stage:
        return Stage(
            self.name,
            {
                "LIFECOURSE_AIRFLOW_CLOCK": "false",
                "LIFECOURSE_TIMEZONE": "Europe/London",
                "LIFECOURSE_SOURCES_DIR": str(PROJECT / "sources" / "oulad"),
                "LIFECOURSE_OULAD_DIR": str(self._folder()),
            },
        )

    def live(self, at: Warehouse, say: Callable[[str], None]) -> str:
        import pyarrow.parquet as pq

        files = sorted(self._folder().glob("*.parquet"))
        rows = sum(pq.read_metadata(file).num_rows for file in files)
        return f"{rows:,} rows in {len(files)} files of {self._folder()}"

    def go_on(self, at: Warehouse, say: Callable[[str], None]) -> str:
        return "the files are as they were: the second night has to find that out, and write nothing"

    def _folder(self) -> Path:
        for folder in [self.data] if self.data else FOLDERS:
            if (folder / LARGEST).exists():
                return folder.resolve()
        raise LifecourseError(
            f"no {LARGEST} here",
            str(self.data or FOLDERS[0]),
            "give the folder with the seven Parquet files: --data DIR (docs/sources.md says where they come from)",
        )

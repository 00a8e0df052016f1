"""The Open University Learning Analytics Dataset as histories, by the mapping in SOURCES.md.

An institution with no payment system: each registration is an enrolment and so a purchase on its
registration day, with one self-paced period line. Reads the Parquet files of a directory and writes the
folder of CSV files that ``lifecourse spans`` and the reference read. All days are dates: the dataset holds no
instants.

``python -m tests.reference.oulad_histories --data data/oulad_sample --out DIR [--students N]``
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from .lifecycle_reference import COLUMNS, Day, iso

FIRST_DAY_OF_LETTER = {"B": (2, 1), "J": (10, 1)}
LAST_PRESENTATION_OVER = date(2015, 12, 31)

Presentation = tuple[str, str]


def first_day(code_presentation: str) -> Day:
    """Day 0 of a presentation: 1 February for B, 1 October for J."""
    month, day_of_month = FIRST_DAY_OF_LETTER[code_presentation[4]]
    return date(int(code_presentation[:4]), month, day_of_month).toordinal()


@dataclass(frozen=True)
class Registration:
    student: str
    presentation: Presentation
    granted_on: Day
    starts_on: Day
    ends_on: Day
    cut_on: Day | None

    def covers(self, number: Day) -> bool:
        last = self.ends_on
        if self.cut_on is not None:
            last = min(last, self.cut_on - 1)
        return self.granted_on <= number <= last

    @property
    def line_id(self) -> str:
        return f"{self.student}-{self.presentation[0]}-{self.presentation[1]}"


def _records(data: Path, table: str) -> Iterable[dict[str, Any]]:
    return pq.read_table(data / f"{table}.parquet").to_pylist()


def _presentation(record: dict[str, Any]) -> Presentation:
    return record["code_module"], record["code_presentation"]


def registrations(data: Path) -> list[Registration]:
    """Every registration as a line."""
    lengths = {_presentation(r): r["module_presentation_length"] for r in _records(data, "courses")}
    found = []
    for record in _records(data, "studentRegistration"):
        presentation = _presentation(record)
        starts_on = first_day(presentation[1])
        registered, left = record["date_registration"], record["date_unregistration"]
        found.append(
            Registration(
                student=str(record["id_student"]),
                presentation=presentation,
                granted_on=starts_on if registered is None else starts_on + registered,
                starts_on=starts_on,
                ends_on=starts_on + lengths[presentation] - 1,
                cut_on=None if left is None else starts_on + left,
            )
        )
    return found


def study_days(data: Path) -> dict[str, set[Day]]:
    """The days with a click, per student."""
    columns = ["id_student", "code_presentation", "date"]
    table = pq.read_table(data / "studentVle.parquet", columns=columns).group_by(columns).aggregate([])
    found: dict[str, set[Day]] = defaultdict(set)
    for presentation in pc.unique(table["code_presentation"]).to_pylist():
        rows = table.filter(pc.equal(table["code_presentation"], presentation))
        begins = first_day(presentation)
        for student, offset in zip(rows["id_student"].to_pylist(), rows["date"].to_pylist(), strict=True):
            found[str(student)].add(begins + offset)
    return found


@dataclass(frozen=True)
class Submissions:
    """Submission days by student and assessment, and which of them are banked (no homework then)."""

    submitted_on: dict[tuple[str, int], Day]
    banked: set[tuple[str, int]]


def submissions(data: Path) -> Submissions:
    begins = {r["id_assessment"]: first_day(r["code_presentation"]) for r in _records(data, "assessments")}
    submitted_on: dict[tuple[str, int], Day] = {}
    banked: set[tuple[str, int]] = set()
    for record in _records(data, "studentAssessment"):
        key = (str(record["id_student"]), record["id_assessment"])
        submitted_on[key] = begins[record["id_assessment"]] + record["date_submitted"]
        if record["is_banked"]:
            banked.add(key)
    return Submissions(submitted_on, banked)


def homework_due(data: Path) -> dict[Presentation, list[tuple[int, Day]]]:
    """Assessments of type TMA or CMA with a due day, per presentation."""
    found: dict[Presentation, list[tuple[int, Day]]] = defaultdict(list)
    for record in _records(data, "assessments"):
        if record["assessment_type"] in ("TMA", "CMA") and record["date"] is not None:
            due_on = first_day(record["code_presentation"]) + int(record["date"])
            found[_presentation(record)].append((record["id_assessment"], due_on))
    return found


def convert(data: Path, out: Path, students: int | None = None) -> int:
    """Write the histories of all students, or of the first ``students`` by id; returns how many."""
    lines = sorted(registrations(data), key=lambda r: (int(r.student), r.granted_on, r.line_id))
    ids = sorted({r.student for r in lines}, key=int)[:students]
    wanted = set(ids)
    lines = [r for r in lines if r.student in wanted]
    clicks = study_days(data)
    handed_in = submissions(data)
    due = homework_due(data)

    homework: list[tuple[str, str, str]] = []
    told: set[tuple[str, int]] = set()
    for r in lines:
        for assessment, due_on in due[r.presentation]:
            key = (r.student, assessment)
            if r.covers(due_on) and key not in handed_in.banked:
                submitted_on = handed_in.submitted_on.get(key)
                homework.append((r.student, iso(due_on), "" if submitted_on is None else iso(submitted_on)))
                told.add(key)
    # Submissions that are no homework (exams, banked, after the line was cut) are contacts all the same.
    contacts = [
        (key[0], iso(d))
        for key, d in sorted(handed_in.submitted_on.items())
        if key[0] in wanted and key not in told
    ]

    rows: dict[str, Iterable[tuple[object, ...]]] = {
        "customers": [(student, "") for student in ids],
        "contacts": contacts,
        "lines": [
            (
                r.line_id,
                r.student,
                r.line_id,
                "false",
                "period",
                iso(r.granted_on),
                iso(r.starts_on),
                iso(r.ends_on),
                "",
                "self_paced",
                "" if r.cut_on is None else iso(r.cut_on),
                "" if r.cut_on is None else "withdrew",
            )
            for r in lines
        ],
        "homework": homework,
        "study": ((student, iso(d)) for student in ids for d in sorted(clicks.get(student, ()))),
    }
    out.mkdir(parents=True, exist_ok=True)
    for name, values in rows.items():
        with (out / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS[name])
            writer.writerows(values)
    return len(ids)


def main() -> None:
    parser = argparse.ArgumentParser(description="OULAD as a folder of CSV histories.")
    parser.add_argument("--data", type=Path, required=True, help="directory of the Parquet files")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--students", type=int, help="only the first so many students by id")
    arguments = parser.parse_args()
    print(f"{convert(arguments.data, arguments.out, arguments.students)} students")


if __name__ == "__main__":
    main()

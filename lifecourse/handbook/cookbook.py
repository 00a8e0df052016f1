"""The questions in docs/cookbook and their answers on the demo, as the pages of the documentation show them.

A book is a folder of questions and the page that shows them. A question is an SQL file whose head says
``-- Question:``, ``-- Returns:`` and ``-- Caveat:``; its answer stands beside it in ``answers/``. Neither the answers
nor their part of the page are written by hand: ``scripts/cookbook`` does it.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from lifecourse.errors import LifecourseError
from lifecourse.settings import PROJECT

BEGIN = "<!-- cookbook: from here to its end written by scripts/cookbook -->"
END = "<!-- end of the cookbook -->"
#: Rows of an answer that the page shows; the rest stands in its file.
ROWS_SHOWN = 12

Answer = list[list[str]]


@dataclass(frozen=True)
class Book:
    """A folder of questions, the page that shows them, and the highest number a question of it has."""

    name: str
    last: int

    @property
    def folder(self) -> Path:
        return PROJECT / "docs" / "cookbook" / self.name

    @property
    def answers(self) -> Path:
        return self.folder / "answers"

    @property
    def page(self) -> Path:
        return PROJECT / "docs" / f"{self.name}.md"


LIFECYCLE = Book("lifecycle", 12)
FACTS = Book("facts", 20)
BOOKS = (LIFECYCLE, FACTS)


@dataclass(frozen=True)
class Question:
    """One file of the cookbook."""

    path: Path
    question: str
    returns: str
    caveat: str
    sql: str

    @property
    def number(self) -> int:
        return int(self.path.name[:2])

    @property
    def answer_path(self) -> Path:
        return self.path.parent / "answers" / f"{self.path.stem}.csv"


def questions(folder: Path) -> list[Question]:
    """All questions, by number; raises `LifecourseError` for a file without its head."""
    return [_read(path) for path in sorted(folder.glob("[0-9][0-9]_*.sql"))]


def _read(path: Path) -> Question:
    text = path.read_text(encoding="utf-8")
    head = re.match(r"(?:--[^\n]*\n)+", text)
    said = re.sub(r"\n--   ", " ", head[0] if head else "")
    parts = dict(re.findall(r"^-- (Question|Returns|Caveat): ([^\n]+)$", said, re.MULTILINE))
    if head is None or len(parts) != 3:
        raise LifecourseError(
            "its head lacks Question, Returns or Caveat",
            path.name,
            "write the three lines as its neighbours have them",
        )
    return Question(path, parts["Question"], parts["Returns"], parts["Caveat"], text[head.end() :].strip())


def ask(connection: psycopg.Connection[Any], question: Question) -> Answer:
    """The answer: names of the columns, then the rows, all as text; null is empty."""
    cursor = connection.execute(question.path.read_bytes())
    assert cursor.description is not None
    rows = [["" if value is None else str(value) for value in row] for row in cursor.fetchall()]
    return [[column.name for column in cursor.description], *rows]


def to_csv(answer: Answer) -> str:
    """An answer as its file holds it."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(answer)
    return text.getvalue()


def from_csv(path: Path) -> Answer:
    """The answer in a file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def render(book: Book) -> str:
    """The cookbook's part of the page, from the questions and the answers in their files.

    A question that has not been answered yet is left out; the test of the answers tells it.
    """
    answered = [question for question in questions(book.folder) if question.answer_path.exists()]
    return "\n\n".join(_section(book, question, from_csv(question.answer_path)) for question in answered)


def page(book: Book) -> str:
    """The whole page of a book, its cookbook made anew."""
    text = book.page.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise LifecourseError(
            "the marks of the cookbook are missing", book.page.name, f"write {BEGIN} and {END}"
        )
    return f"{before}{BEGIN}\n\n{render(book)}\n\n{END}{after}"


def _section(book: Book, question: Question, answer: Answer) -> str:
    folder = question.path.parent.relative_to(book.page.parent)
    columns, *rows = answer
    shown = rows[:ROWS_SHOWN]
    lines = [
        f"### {question.number}. {question.question}",
        "",
        f"{_sentence(question.returns)} *Caveat:* {question.caveat}",
        "",
        _row(columns),
        _row(
            [":--" if any(_is_text(row[place]) for row in rows) else "--:" for place in range(len(columns))]
        ),
        *(_row([_cell(value) for value in row]) for row in shown),
        "",
    ]
    if len(rows) > len(shown):
        file = (folder / "answers" / question.answer_path.name).as_posix()
        lines += [f"{len(shown)} of {len(rows)} rows: [all of them]({file}).", ""]
    path = (folder / question.path.name).as_posix()
    lines += [
        f"<details><summary>SQL</summary>\n\n[{question.path.name}]({path})\n\n```sql\n{question.sql}\n```\n\n</details>"
    ]
    return "\n".join(lines)


def _sentence(text: str) -> str:
    return f"Returns {text}"


def _is_text(value: str) -> bool:
    return bool(value) and not re.fullmatch(r"-?\d+(\.\d+)?", value)


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(value: str) -> str:
    """A value inside a table of Markdown."""
    if value.startswith("{"):
        return f"`{value}`".replace("|", "\\|")
    return value.replace("|", "\\|").replace("->", "→")

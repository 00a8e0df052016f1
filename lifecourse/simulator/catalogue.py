"""What the institution sells: chains of courses taught in classes, and courses for self-study."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LEVELS = ("beginner", "intermediate", "advanced")
_LEVEL_NAMES = ("入门", "进阶", "高阶")


@dataclass(frozen=True)
class Subject:
    name: str
    product_line: str
    school_level: str
    lesson_hours: float
    price: int  # of a lesson, in yuan
    weekly: int  # lessons a week


#: Subjects taught in classes, each at three levels; the last level is terminal.
SUBJECTS = (
    Subject("数学思维", "K12", "primary", 2.0, 130, 1),
    Subject("英语", "language", "primary", 1.5, 150, 2),
    Subject("语文写作", "K12", "junior", 2.0, 120, 1),
    Subject("少儿编程", "coding", "primary", 1.5, 180, 1),
    Subject("美术", "arts", "preschool", 1.5, 110, 1),
    Subject("围棋", "arts", "primary", 1.0, 90, 2),
    Subject("舞蹈", "arts", "preschool", 1.0, 100, 2),
    Subject("物理", "K12", "senior", 2.0, 160, 1),
    Subject("成人英语", "adult", "adult", 1.5, 200, 2),
    Subject("雅思", "adult", "adult", 2.0, 260, 2),
)
ADULT_SUBJECTS = (8, 9)
CHILD_SUBJECTS = tuple(range(8))

#: Courses for self-study: name, subject, product line, school level, price of a month.
SELF_STUDY = (
    ("英语分级阅读", "英语", "language", "primary", 99),
    ("编程闯关", "少儿编程", "coding", "junior", 129),
    ("数学题库", "数学思维", "K12", "junior", 79),
    ("考研网课", "考研", "adult", "university", 199),
    ("职场英语", "成人英语", "adult", "adult", 159),
)
CHILD_SELF_STUDY = (0, 1, 2)
ADULT_SELF_STUDY = (3, 4)

CLASS_COURSES = len(SUBJECTS) * len(LEVELS)
FIRST_COURSE_ID = 101


def course_id(course: object) -> np.ndarray:
    """Course ids of course numbers: subject * 3 + level, and self-study courses after them."""
    return np.asarray(course) + FIRST_COURSE_ID


@dataclass(frozen=True)
class Courses:
    """The catalogue as columns, in the order of course numbers."""

    name: np.ndarray
    subject: np.ndarray
    level: np.ndarray
    school_level: np.ndarray
    product_line: np.ndarray
    delivery: np.ndarray
    lesson_hours: np.ndarray
    price: np.ndarray  # cents: of a lesson, or of a month of self-study
    is_terminal: np.ndarray
    next_course: np.ndarray  # number, -1 for none


def courses() -> Courses:
    """The whole catalogue."""
    rows = []
    for number, s in enumerate(SUBJECTS):
        for level, word in enumerate(_LEVEL_NAMES):
            after = number * 3 + level + 1 if level < 2 else -1
            price = (s.price + 10 * level) * 100
            rows.append((s.name + word, s.name, LEVELS[level], s.school_level, s.product_line, "scheduled",
                         s.lesson_hours, price, level == 2, after))  # fmt: skip
    for name, subject, line, school_level, price in SELF_STUDY:
        rows.append(
            (name, subject, "beginner", school_level, line, "self_paced", 0.5, price * 100, False, -1)
        )
    c = list(zip(*rows, strict=True))
    return Courses(
        name=np.array(c[0], dtype=object),
        subject=np.array(c[1], dtype=object),
        level=np.array(c[2], dtype=object),
        school_level=np.array(c[3], dtype=object),
        product_line=np.array(c[4], dtype=object),
        delivery=np.array(c[5], dtype=object),
        lesson_hours=np.array(c[6]),
        price=np.array(c[7], dtype=np.int64),
        is_terminal=np.array(c[8]),
        next_course=np.array(c[9], dtype=np.int64),
    )

"""What the teaching system knows of a lesson missed and of a test by topic.

Drawn from the keys alone (`uniform_hash`), so that nothing else of the institution moves with it.
"""

from __future__ import annotations

import numpy as np

from lifecourse.simulator.block import Block
from lifecourse.simulator.draw import uniform_hash
from lifecourse.simulator.sheets import DAY, FAR, NONE, Floats, Ints, ragged, sheet, words
from lifecourse.simulator.study import TOPICS

#: A test of a course has three topics, one that looks over all of it four.
_FEW, _MANY = 3, 4
#: Days within which a missed lesson is made up.
_MADE_UP_WITHIN = 60
_REASONS = ("illness", "exam", "travel", "school", "other")


def add_topics(block: Block) -> None:
    """Leave and making up in `attendance`, and the table `assessment_topics`."""
    _leave(block)
    _makeup(block)
    _assessment_topics(block)


def _starts(block: Block) -> Ints:
    """Start of the lesson of every attendance row."""
    lessons, rows = block.sheets["lessons"], block.sheets["attendance"]
    order = np.argsort(lessons.keys)
    place = np.searchsorted(lessons.keys[order], rows.columns["lesson_id"])
    starts: Ints = lessons.columns["starts_at"][order][np.minimum(place, len(order) - 1)]
    return starts


def _leave(block: Block) -> None:
    """When leave was asked for, and why; what was an absence at first is asked for afterwards."""
    rows, seed = block.sheets["attendance"], block.world.seed
    lots = uniform_hash(rows.keys, seed, "leave")
    reason = np.array(_REASONS, dtype=object)[(uniform_hash(rows.keys, seed, "leave reason") * 5).astype(int)]
    # From two hours to four days ahead.
    asked = _starts(block) - 7_200 - (lots * lots * 4 * DAY).astype(np.int64)
    is_leave = rows.columns["outcome"] == "leave"
    rows.columns["leave_requested_at"] = np.where(is_leave, asked, NONE)
    rows.columns["leave_reason"] = words(is_leave, reason, None)
    excused = rows.changes[0]
    excused.values["leave_requested_at"] = np.where(excused.at < FAR * DAY, excused.at - 1_800, NONE)
    excused.values["leave_reason"] = reason


def _makeup(block: Block) -> None:
    """A lesson taken to make up is for the last one missed before it under the same enrolment."""
    rows = block.sheets["attendance"]
    starts = _starts(block)
    order = np.lexsort((starts, rows.columns["enrolment_id"]))
    enrolment, lesson = rows.columns["enrolment_id"][order], rows.columns["lesson_id"][order]
    outcome, at = rows.columns["outcome"][order], starts[order]
    place = np.arange(len(order))
    missed = np.isin(outcome.astype(str), ["absent", "leave"])
    last = np.maximum.accumulate(np.where(missed, place, -1))
    made_up = np.flatnonzero((outcome == "made_up") & (last >= 0))
    of = last[made_up]
    fits = (enrolment[of] == enrolment[made_up]) & (at[made_up] - at[of] <= _MADE_UP_WITHIN * DAY)
    made_up, of = made_up[fits], of[fits]
    # Of two lessons after one that was missed, the first makes up for it.
    _, first = np.unique(of, return_index=True)
    for_lesson = np.full(len(order), NONE, dtype=np.int64)
    for_lesson[order[made_up[first]]] = lesson[of[first]]
    rows.columns["makes_up_lesson_id"] = for_lesson


def _assessment_topics(block: Block) -> None:
    """Points by topic of every marked test; they add up to its score."""
    tests, seed = block.sheets["assessments"], block.world.seed
    marked = tests.changes[0]
    test = np.flatnonzero(marked.at < FAR * DAY)
    count = np.where(np.isin(tests.columns["kind"][test].astype(str), ["unit"]), _FEW, _MANY)
    keys = tests.keys[test]
    names = np.array(TOPICS, dtype=object)
    order = np.argsort(names)
    first = order[np.searchsorted(names[order], tests.columns["topic"][test])]
    # An odd stride walks through the eight topics without meeting one twice.
    stride = 1 + 2 * (uniform_hash(keys, seed, "topic stride") * 4).astype(np.int64)
    learner = tests.columns["learner_id"][test]
    points = _points(
        np.asarray(marked.values["score"][test], dtype=np.float64), count, learner, first, stride, seed
    )
    owner, position = ragged(count)
    topic = (first[owner] + stride[owner] * position) % len(TOPICS)
    block.add(sheet("assessment_topics", marked.at[test][owner], {
        "assessment_topic_id": keys[owner] * 10 + position,
        "assessment_result_id": keys[owner],
        "learner_id": learner[owner],
        "topic": names[topic],
        "score": points[owner, position],
        "max_score": _possible(count)[owner, position],
    }))  # fmt: skip


def _possible(count: Ints) -> Floats:
    """Points possible per test and topic, 100 in all."""
    possible = np.zeros((len(count), _MANY))
    for k in range(_MANY):
        possible[:, k] = np.where(k < count, 100 // count + (k < 100 % count), 0)
    return possible


def _points(score: Floats, count: Ints, learner: Ints, first: Ints, stride: Ints, seed: int) -> Floats:
    """Points reached per test and topic: a learner has strong topics and weak ones, the same in every test."""
    possible = _possible(count)
    points = np.zeros_like(possible)
    for k in range(_MANY):
        topic = (first + stride * k) % len(TOPICS)
        gift = uniform_hash(learner * len(TOPICS) + topic, seed, "topic gift") * 44 - 26
        points[:, k] = np.clip(
            np.round(possible[:, k] * np.clip(score + gift, 4, 100) / 100), 0, possible[:, k]
        )
    for k in range(_MANY):
        owed = score - points.sum(axis=1)
        points[:, k] = np.clip(points[:, k] + owed, 0, possible[:, k])
    return points

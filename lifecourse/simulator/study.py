"""The teaching system: learners, classes, lessons, attendance, homework, tests, sessions, goals."""

from __future__ import annotations

import numpy as np

from lifecourse.simulator import catalogue, frame
from lifecourse.simulator.almanac import as_date, day_number
from lifecourse.simulator.block import Block
from lifecourse.simulator.draw import chance, moments, pick, uniform
from lifecourse.simulator.households import BIG_STRIDE, DRIFTER, STEADY, STRIVER, STRUGGLER, grade_on
from lifecourse.simulator.sheets import DAY, FAR, NONE, Ints, ragged, sheet, words
from lifecourse.simulator.stories import ABSENT, HOMEWORK, LEAVE, OUTCOMES, REFUNDED, USAGE

TOPICS = ["基础", "应用", "阅读", "综合", "复习", "拓展", "实验", "表达"]


def add_study(block: Block) -> None:
    """All tables of the teaching system that customers bring about."""
    _learners(block)
    enrolment_of_outcome, first_enrolment = _enrolments(block)
    _classes_and_lessons(block)
    _attendance(block, enrolment_of_outcome)
    _homework(block, enrolment_of_outcome, first_enrolment)
    _sessions(block, first_enrolment)
    _assessments(block, enrolment_of_outcome)
    _goals(block, first_enrolment)
    _pauses(block)


def line_ids(block: Block) -> Ints:
    """Order line id of every line bought."""
    return block.number * BIG_STRIDE + 1 + np.arange(len(block.stories.lines))


def _learners(block: Block) -> None:
    people, runs = block.people, block.stories.runs
    since_day = np.minimum(block.learner_since // DAY, block.world.last_day)
    home = people.household
    made = sheet("learners", block.learner_since, {
        "learner_id": people.learner_id,
        "household_id": people.household_id,
        "campus_id": block.campus_id,
        "name": people.name,
        "nickname": people.nickname,
        "birth_date": people.birth_day,
        "gender": words(people.is_girl, "f", "m"),
        "grade": grade_on(people.birth_day, since_day, people.is_adult),
        "school": words(people.is_adult, None, people.school),
        "region": people.region,
        "guardian_name": people.guardian[home],
        "guardian_phone": people.phone[home],
        "guardian_wechat_unionid": people.unionid_of(np.arange(len(people))),
        "acquisition_channel": people.channel,
        "status": "active",
        "is_test": people.is_test,
        "is_staff_child": people.is_staff_child,
        "registered_at": block.learner_since,
    })  # fmt: skip
    for year in range(block.world.opened_on.year, as_date(block.world.last_day).year + 1):
        september = day_number(as_date(block.world.first_day).replace(year=year, month=9, day=1))
        at = np.where(people.is_adult | (september <= since_day), FAR, september) * DAY + 8 * 3_600
        made.change(at, grade=grade_on(people.birth_day, np.full(len(people), september), people.is_adult))
    for number in (1, 2, 3):
        here = runs.number == number
        back = np.full(len(people), FAR, dtype=np.int64)
        gone = np.full(len(people), FAR, dtype=np.int64)
        back[runs.person[here]] = runs.first_day[here]
        gone[runs.person[here]] = runs.last_day[here]
        if number > 1:
            made.change(back * DAY + 22 * 3_600, status="active")
        made.change((gone + 35) * DAY + 9 * 3_600, status="left")
    block.add(made)


def _enrolments(block: Block) -> tuple[Ints, Ints]:
    """Enrolments; returns the enrolment id of every outcome, and of every line the first one.

    A line taught in a class that runs over the end of a term goes on in the next class, as
    another enrolment under the same line.
    """
    rng, stories, table = block.rng("enrolments"), block.stories, block.timetable
    lines, outcomes = stories.lines, stories.outcomes
    taught = table.class_of(outcomes.lesson)
    new = np.ones(len(taught), dtype=bool)
    new[1:] = (outcomes.line[1:] != outcomes.line[:-1]) | (taught[1:] != taught[:-1])
    part = np.cumsum(new) - 1
    begin = np.flatnonzero(new)
    last = np.append(begin[1:], len(taught)) - 1 if len(begin) else begin
    bare = np.ones(len(lines), dtype=bool)
    bare[outcomes.line] = False
    in_class = ~lines.self_paced
    stream = np.where(in_class, table.stream_of[np.minimum(lines.course, catalogue.CLASS_COURSES - 1)], 0)
    first_lesson = table.lesson_from(stream, lines.starts_on)
    reachable = ~in_class | (first_lesson < table.end[stream])
    alone = np.flatnonzero(bare & reachable)
    line = np.concatenate([outcomes.line[begin], alone])
    n = len(line)
    of_class = np.concatenate([
        taught[begin],
        np.where(in_class[alone], table.class_of(np.minimum(first_lesson[alone], len(table.day) - 1)), -1),
    ])  # fmt: skip
    first_day = np.concatenate([table.day[outcomes.lesson[begin]], lines.starts_on[alone]])
    last_day = np.concatenate([table.day[outcomes.lesson[last]], lines.last_day[alone]])
    is_first = np.ones(n, dtype=bool)
    is_first[1 : len(begin)] = line[1 : len(begin)] != line[: max(len(begin) - 1, 0)]
    is_last = np.ones(n, dtype=bool)
    is_last[: max(len(begin) - 1, 0)] = line[: max(len(begin) - 1, 0)] != line[1 : len(begin)]
    term = np.where(of_class >= 0, of_class % len(table.term_first), 0)
    class_end = np.where(of_class >= 0, table.term_last[term], lines.ends_on[line])
    enrolled = np.where(
        is_first, lines.bought_on[line], np.maximum(table.term_first[term] - 7, lines.bought_on[line])
    )
    created = np.where(
        is_first, block.paid_at[line] + uniform(rng, n, 300, 3_000), moments(rng, enrolled, 21, 22)
    )
    over = np.where(is_last, lines.last_day[line], last_day)
    cut = is_last & (lines.cut_by[line] > 0)
    done_on = np.where(cut, FAR, over)
    back = np.where(lines.cut_by[line] == REFUNDED, uniform(rng, n, 1, 3), 0)
    withdrawn_on = np.where(cut, lines.cut_on[line] + back, FAR)
    reason = words(chance(rng, 0.6, n), stories.runs.reason[lines.run[line]], None)
    hidden = block.people.hidden_type[lines.person[line]]
    weak = (hidden == STRUGGLER) | (hidden == DRIFTER)
    u = rng.random(n)
    result = np.select(
        [u < np.where(weak, 0.3, 0.03), u > np.where(weak, 0.97, 0.85)], ["fail", "distinction"], "pass"
    )
    ids = block.people.ids(n)
    made = sheet("enrolments", created, {
        "enrolment_id": ids,
        "learner_id": block.people.learner_id[lines.person[line]],
        "course_id": catalogue.course_id(lines.course[line]),
        "class_id": np.where(of_class >= 0, class_ids(block, of_class), NONE),
        "campus_id": block.campus_id,
        "order_line_id": line_ids(block)[line],
        "delivery": words(lines.self_paced[line], "self_paced", "scheduled"),
        "status": "active",
        "enrolled_on": enrolled,
        "starts_on": first_day,
        "ends_on": np.maximum(class_end, first_day),
    })  # fmt: skip
    made.change(np.minimum(done_on, FAR) * DAY + 22 * 3_600, status="completed", completed_on=done_on,
                result=result.astype(object))  # fmt: skip
    made.change(moments(rng, withdrawn_on, 10, 18), status="withdrawn", withdrawn_on=withdrawn_on,
                withdrawal_reason=reason, result="withdrawn")  # fmt: skip
    first_of_line = np.full(len(lines), NONE, dtype=np.int64)
    first_of_line[line[is_first]] = ids[is_first]
    block.add(made)
    return ids[part], first_of_line


def class_ids(block: Block, number: Ints) -> Ints:
    return block.number * 1_000 + 1 + number


def _classes_and_lessons(block: Block) -> None:
    """Classes that somebody enrols in, with the lessons of their term."""
    rng, table, people = block.rng("classes"), block.timetable, block.people
    term_count = len(table.term_first)
    taken = block.sheets["enrolments"].columns["class_id"]
    used = np.unique(taken[taken != NONE]) - int(class_ids(block, np.zeros(1, dtype=np.int64))[0])
    stream, term = used // term_count, used % term_count
    subject = table.course[stream] // 3
    teacher = frame.teacher_id(people.campus, subject, rng.integers(0, frame.TEACHERS_PER_SUBJECT, len(used)))
    first, last = table.term_first[term], table.term_last[term]
    published = np.maximum(first - 21, block.world.first_day) * DAY + 2 * 3_600
    follows = np.isin(used + 1, used) & (term + 1 < term_count)
    classes = sheet("classes", published, {
        "class_id": class_ids(block, used),
        "course_id": catalogue.course_id(table.course[stream]),
        "campus_id": block.campus_id,
        "teacher_id": teacher,
        "term": table.term_names[term],
        "capacity": np.asarray(pick(rng, len(used), [8, 12, 16])),
        "starts_on": first,
        "ends_on": last,
        "status": "planned",
        "successor_class_id": np.where(follows, class_ids(block, used + 1), NONE),
    })  # fmt: skip
    classes.columns["successor_class_id"][:] = NONE
    classes.change(np.maximum(first * DAY + 7 * 3_600, published + 60), status="open")
    classes.change(np.where(follows, last - 21, FAR) * DAY + 2 * 3_600,
                   successor_class_id=np.where(follows, class_ids(block, used + 1), NONE))  # fmt: skip
    classes.change(last * DAY + 23 * 3_600, status="finished")
    teacher_of = np.zeros(len(table.course) * term_count, dtype=np.int64)
    teacher_of[used] = teacher
    number = table.stream * term_count + table.term
    lesson = np.flatnonzero(np.isin(number, used))
    attended = np.zeros(len(table.day), dtype=bool)
    attended[block.stories.outcomes.lesson] = True
    over = table.starts_at[lesson] + (table.hours[lesson] * 3_000).astype(np.int64)
    plan = np.maximum(table.term_first[table.term[lesson]] - 21, block.world.first_day) * DAY + 2 * 3_600
    substitute = chance(rng, 0.04, len(lesson))
    others = frame.teacher_id(people.campus, table.course[table.stream[lesson]] // 3,
                              rng.integers(0, frame.TEACHERS_PER_SUBJECT, len(lesson)))  # fmt: skip
    lessons = sheet("lessons", plan, {
        "lesson_id": lesson_ids(block, lesson),
        "class_id": class_ids(block, number[lesson]),
        "campus_id": block.campus_id,
        "teacher_id": np.where(substitute, others, teacher_of[number[lesson]]),
        "starts_at": table.starts_at[lesson],
        "hours": table.hours[lesson],
        "status": "scheduled",
        "topic": pick(rng, len(lesson), TOPICS),
    })  # fmt: skip
    lessons.change(np.where(attended[lesson], FAR * DAY, table.starts_at[lesson] - 7_200), status="cancelled")
    lessons.change(np.where(attended[lesson], over, FAR * DAY), status="held")
    block.add(classes, lessons)


def lesson_ids(block: Block, lesson: Ints) -> Ints:
    return block.number * 100_000 + 1 + lesson


def _attendance(block: Block, enrolment: Ints) -> None:
    rng, table, outcomes = block.rng("attendance"), block.timetable, block.stories.outcomes
    n = len(outcomes.line)
    person = block.stories.lines.person[outcomes.line]
    hours = table.hours[outcomes.lesson]
    over = table.starts_at[outcomes.lesson] + (hours * 3_000).astype(np.int64)
    marked = over + uniform(rng, n, 120, 4_500)
    absent = outcomes.outcome == ABSENT
    corrected = marked + uniform(rng, n, 1, 4) * DAY
    made = sheet("attendance", marked, {
        "attendance_id": block.people.ids(n),
        "lesson_id": lesson_ids(block, outcomes.lesson),
        "learner_id": block.people.learner_id[person],
        "enrolment_id": enrolment,
        "outcome": np.array(OUTCOMES, dtype=object)[outcomes.outcome],
        "hours": np.where(outcomes.outcome < ABSENT, hours, 0.0),
        "marked_at": marked,
    })  # fmt: skip
    made.change(np.where(absent & chance(rng, 0.03, n), corrected, FAR * DAY), outcome="leave")
    block.add(made)


def _homework(block: Block, enrolment: Ints, first_enrolment: Ints) -> None:
    """Homework of most lessons, and weekly exercises of self-study courses."""
    rng, stories, table = block.rng("homework"), block.stories, block.timetable
    lines, outcomes = stories.lines, stories.outcomes
    set_at = chance(rng, 0.85, len(table.day))
    days = uniform(rng, len(table.day), 3, 6)
    o = np.flatnonzero(set_at[outcomes.lesson] & (outcomes.outcome != LEAVE))
    lesson = outcomes.lesson[o]
    over = table.starts_at[lesson] + (table.hours[lesson] * 3_000).astype(np.int64)
    paced = np.flatnonzero(
        lines.self_paced & chance(rng, 0.6, len(lines)) & (lines.starts_on <= block.world.last_day)
    )
    weeks = (
        np.maximum(np.minimum(lines.last_day[paced], block.world.last_day) - lines.starts_on[paced], 0) // 7
    )
    owner, week = ragged(weeks)
    begin = lines.starts_on[paced][owner] + 7 * week
    line = np.concatenate([outcomes.line[o], paced[owner]])
    person = lines.person[line]
    day = np.concatenate([table.day[lesson], begin])
    due = np.concatenate([table.day[lesson] + days[lesson], begin + 6])
    created = np.concatenate([over + 900, begin * DAY + 7 * 3_600])
    keep = ~stories.paused(person, day) & ~stories.paused(person, due)
    index = np.flatnonzero(keep)
    line, person, day, due, created = line[index], person[index], day[index], due[index], created[index]
    of_lesson = np.concatenate([lesson_ids(block, lesson), np.full(len(owner), NONE)])[index]
    of_enrolment = np.concatenate([enrolment[o], first_enrolment[paced][owner]])[index]
    n = len(index)
    hidden = block.people.hidden_type[person]
    does = np.where(stories.troubled(lines.run[line], due, HOMEWORK), 0.2, np.where(
        (hidden == STEADY) | (hidden == STRIVER), 0.985, 0.96))  # fmt: skip
    late = chance(rng, 0.05, n)
    open_for = np.maximum((due + 1) * DAY - created - 7_200, 7_200)
    handed = created + 1_800 + (rng.random(n) * open_for * 0.95).astype(np.int64)
    # Nobody does homework in the small hours.
    handed += np.where(handed % DAY < 7 * 3_600, 7 * 3_600, 0)
    handed = np.where(
        late, due * DAY + uniform(rng, n, 1, 8) * DAY + uniform(rng, n, 8 * 3_600, 22 * 3_600), handed
    )
    done = chance(rng, does, n) & (handed // DAY <= lines.last_day[line])
    handed = np.where(done, handed, FAR * DAY)
    level = np.where(hidden == STRUGGLER, 68, np.where(hidden == STRIVER, 90, 82))
    score = np.clip(np.round(rng.normal(level, 9, n)), 20, 100)
    made = sheet("homework", created, {
        "homework_id": block.people.ids(n),
        "learner_id": block.people.learner_id[person],
        "enrolment_id": of_enrolment,
        "lesson_id": of_lesson,
        "topic": pick(rng, n, TOPICS),
        "due_on": due,
    })  # fmt: skip
    made.change(handed, submitted_at=handed)
    marked = np.where(chance(rng, 0.9, n), handed + uniform(rng, n, 1_800, 2 * DAY), FAR * DAY)
    made.change(marked, score=score)
    block.add(made)


def _sessions(block: Block, first_enrolment: Ints) -> None:
    """Learning sessions in the app, week by week."""
    rng, stories = block.rng("sessions"), block.stories
    lines, end = stories.lines, block.world.last_day
    here = np.flatnonzero((lines.starts_on <= end) & (first_enrolment != NONE))
    weeks = np.maximum(np.minimum(lines.last_day[here], end) - lines.starts_on[here] + 1, 0) // 7 + 1
    owner, week = ragged(weeks)
    line = here[owner]
    begin = lines.starts_on[line] + 7 * week
    rate = np.where(lines.self_paced[line], 3.2, np.where(lines.track[line] == 1, 0.5, 1.0))
    rate = np.where(stories.troubled(lines.run[line], begin, USAGE), rate * 0.1, rate)
    count = rng.poisson(rate)
    owner, _ = ragged(count)
    line, day = line[owner], begin[owner]
    day = day + rng.integers(0, 7, len(day))
    person = lines.person[line]
    keep = np.flatnonzero((day <= lines.last_day[line]) & ~stories.paused(person, day))
    line, day, person = line[keep], day[keep], person[keep]
    n = len(keep)
    kind = pick(rng, n, ["video", "exercise", "reading", "forum", "login"], [0.33, 0.35, 0.18, 0.04, 0.10])
    bare = (kind == "login") & chance(rng, 0.8, n)
    late = chance(rng, 0.7, n)
    started = day * DAY + np.where(
        late, uniform(rng, n, 17 * 3_600, 23 * 3_600 - 1), uniform(rng, n, 8 * 3_600, 17 * 3_600)
    )
    # A session after a login earlier than the enrolment on the first day would have no parent.
    started = np.maximum(started, block.paid_at[line] + 3_600)
    minutes = np.where(bare, 1.0, np.round(rng.gamma(2.0, 9.0, n) + 1, 1))
    block.add(sheet("learning_sessions", started, {
        "session_id": block.people.ids(n),
        "learner_id": block.people.learner_id[person],
        "enrolment_id": first_enrolment[line],
        "kind": kind,
        "activity_count": np.where(bare, 0, 1 + rng.poisson(8, n)),
        "duration_minutes": minutes,
    }))  # fmt: skip


def _assessments(block: Block, enrolment: Ints) -> None:
    """A placement test at the trial, a test after every tenth lesson, a final when a course is done."""
    rng, stories, table, people = block.rng("assessments"), block.stories, block.timetable, block.people
    trial = stories.enquiries.trial_on
    tried = np.flatnonzero(stories.enquiries.trial_shows & (trial <= block.world.last_day))
    outcomes, lines = stories.outcomes, stories.lines
    count = np.bincount(outcomes.line, minlength=len(lines))
    _, position = ragged(count)
    unit = np.flatnonzero((position % 10 == 9) & (outcomes.outcome < ABSENT))
    rows = block.sheets["enrolments"]
    ended = rows.changes[0]
    final = np.flatnonzero(
        (ended.at < FAR * DAY) & (ended.values["result"] != "fail") & chance(rng, 0.7, len(rows))
    )
    person = np.concatenate(
        [tried, lines.person[outcomes.line[unit]], rows.columns["learner_id"][final] - people.learner_id[0]]
    )
    day = np.concatenate([trial[tried], table.day[outcomes.lesson[unit]], ended.at[final] // DAY])
    of = np.concatenate([np.full(len(tried), NONE), enrolment[unit], rows.columns["enrolment_id"][final]])
    course = np.concatenate([np.full(len(tried), NONE), catalogue.course_id(lines.course[outcomes.line[unit]]),
                             rows.columns["course_id"][final]])  # fmt: skip
    kind = np.array(["placement"] * len(tried) + ["unit"] * len(unit) + ["final"] * len(final), dtype=object)
    n = len(person)
    swap = (kind == "unit") & chance(rng, 0.12, n)
    kind = np.where(swap, np.where(chance(rng, 0.5, n), "midterm", "mock"), kind).astype(object)
    hidden = people.hidden_type[person]
    level = np.where(hidden == STRUGGLER, 64, np.where(hidden == STRIVER, 88, 78)) - np.where(
        kind == "placement", 15, 0
    )
    taken = day * DAY + np.where(kind == "placement", 19 * 3_600, 23 * 3_600)
    made = sheet("assessments", taken, {
        "assessment_result_id": people.ids(n),
        "learner_id": people.learner_id[person],
        "enrolment_id": of,
        "course_id": course,
        "kind": kind,
        "topic": pick(rng, n, TOPICS),
        "taken_on": day,
        "max_score": 100.0,
        "is_banked": False,
    })  # fmt: skip
    made.change(
        taken + uniform(rng, n, 3_600, 3 * DAY), score=np.clip(np.round(rng.normal(level, 10, n)), 5, 100)
    )
    block.add(made)


def _goals(block: Block, first_enrolment: Ints) -> None:
    rng, stories = block.rng("goals"), block.stories
    lines = stories.lines
    n = len(lines)
    row = np.flatnonzero(
        (first_enrolment != NONE) & (lines.track == 0) & chance(rng, 0.4, n) & (lines.starts_on < FAR)
    )
    n = len(row)
    set_on = lines.bought_on[row] + uniform(rng, n, 1, 12)
    baseline = uniform(rng, n, 45, 75).astype(float)
    expected = np.minimum(baseline + uniform(rng, n, 5, 25), 100)
    hidden = block.people.hidden_type[lines.person[row]]
    gain = rng.normal(np.where(hidden == STRIVER, 20, np.where(hidden == STRUGGLER, 2, 13)), 6)
    actual = np.clip(np.round(baseline + gain), 0, 100)
    measured = np.where(lines.cut_on[row] < FAR, FAR, np.maximum(lines.last_day[row], set_on + 1))
    made = sheet("goals", moments(rng, set_on, 21, 22), {
        "goal_id": block.people.ids(n),
        "learner_id": block.people.learner_id[lines.person[row]],
        "enrolment_id": first_enrolment[row],
        "subject": catalogue.courses().subject[lines.course[row]],
        "baseline_score": baseline,
        "expected_score": expected,
        "set_on": set_on,
        "due_on": set_on + 180,
    })  # fmt: skip
    made.change(np.minimum(measured, FAR) * DAY + 81_000, actual_score=actual, measured_on=measured)
    block.add(made)


def _pauses(block: Block) -> None:
    rng, stories = block.rng("pauses"), block.stories
    person, k = np.nonzero(stories.pause_from < FAR)
    first, last = stories.pause_from[person, k], stories.pause_to[person, k]
    n = len(person)
    approved = moments(rng, first - uniform(rng, n, 1, 5), 9, 19)
    known = chance(rng, 0.65, n)
    made = sheet("pauses", approved, {
        "pause_id": block.people.ids(n),
        "learner_id": block.people.learner_id[person],
        "from_on": first,
        "to_on": np.where(known, last, NONE),
        "reason": pick(rng, n, ["exam", "illness", "travel", "school", "other"], [0.35, 0.2, 0.2, 0.15, 0.1]),
        "approved_at": approved,
    })  # fmt: skip
    made.change(np.where(known, FAR * DAY, last * DAY + 18 * 3_600), to_on=last)
    block.add(made)

"""One HTML page per learner: nothing is loaded from anywhere, and a phone shows it as well as paper does."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from html import escape

from lifecourse.reports.reading import WEEKS, Goal, Homework, InClass, Lesson, Report, Topic
from lifecourse.reports.words import Words

_STYLE = """
:root { color-scheme: light }
* { box-sizing: border-box }
body { margin: 0 auto; padding: 16px; max-width: 640px; color: #1c2733; background: #fff;
       font: 16px/1.5 system-ui, "PingFang SC", "Noto Sans CJK SC", "Microsoft YaHei", sans-serif }
header { border-bottom: 2px solid #2563a8; padding-bottom: 8px }
h1 { font-size: 22px; margin: 0 } h2 { font-size: 17px; margin: 24px 0 8px; color: #2563a8 }
h3 { font-size: 15px; margin: 12px 0 4px }
p { margin: 4px 0 } .quiet { color: #5b6773; font-size: 14px }
.tiles { display: grid; grid-template-columns: repeat(2, 1fr); gap: 8px }
.tile { border: 1px solid #d5dde5; border-radius: 8px; padding: 8px 12px }
.tile b { display: block; font-size: 22px }
ul { list-style: none; margin: 0; padding: 0 }
li { display: flex; justify-content: space-between; gap: 12px; padding: 4px 0; border-bottom: 1px solid #eef2f5 }
li span:last-child { text-align: right } .week { white-space: nowrap } .bad { color: #a83232 } .good { color: #1d7044 }
svg { display: block; width: 100%; height: auto } svg text { font: 12px system-ui, "Noto Sans CJK SC", sans-serif }
@media print { body { max-width: none } }
"""
_OWN, _CLASS, _WEAK, _TRACK, _INK = "#2563a8", "#9aa8b5", "#c2571a", "#e8edf2", "#1c2733"
_WIDTH = 360


def page(report: Report, words: Words) -> str:
    """The page as HTML text."""
    learner = report.learner
    title = f"{words('title')} {_iso(report.week_on)}"
    who = [f"{words('learner')} {learner.customer_id}"]
    if learner.grade:
        who.append(f"{words('grade')} {learner.grade}")
    if learner.campus_name:
        who.append(f"{words('campus')} {learner.campus_name}")
    body = [
        f'<header><h1>{words("title")} <span class="week">{_iso(report.week_on)}</span></h1>',
        f"<p>{report.week_on:%Y-%m-%d} – {report.last_on:%Y-%m-%d}</p>",
        f'<p class="quiet">{escape(" · ".join(who))}</p></header>',
    ]
    if not report.is_over:
        body.append(f'<p class="quiet">{words("not_over")}</p>')
    if report.week is None:
        body.append(f"<p>{words('nothing')}</p>")
    else:
        body += [_tiles(report, words), _lessons(report.lessons, words), _homework(report.homework, words)]
        body.append(_classes(report.classes, words))
    body += [_topics(report.topics, words), _history(report, words), _goals(report.goals, words)]
    body.append(f'<footer><p class="quiet">{words("as_of", day=report.as_of.isoformat())}</p></footer>')
    return (
        f'<!doctype html>\n<html lang="{words.language}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="robots" content="noindex">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(part for part in body if part)
        + "\n</body>\n</html>\n"
    )


def _iso(day: date) -> str:
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02}"


def _day(day: date) -> str:
    return f"{day:%m-%d}"


def _number(value: Decimal | int | None, words: Words) -> str:
    """As short as it is exact, with one digit at most."""
    if value is None:
        return words("none")
    rounded = Decimal(value).quantize(Decimal("0.1"), ROUND_HALF_UP)
    return f"{rounded.normalize():f}"


def _percent(rate: Decimal | None, words: Words) -> str:
    return words("none") if rate is None else f"{(rate * 100).quantize(Decimal(1), ROUND_HALF_UP)}%"


def _tiles(report: Report, words: Words) -> str:
    week = report.week
    assert week is not None
    homework_change = week.homework_on_time_rate_change
    tiles: list[tuple[str, str, str]] = [
        ("hours", _number(week.attended_hours, words), _change(week.attended_hours_change, words)),
        (
            "attendance",
            words("of", some=week.attended_seats, all=week.scheduled_seats - week.leave_seats),
            f"{words('leave')} {week.leave_seats}" if week.leave_seats else "",
        ),
        (
            "homework",
            words("on_time_count", some=week.homework_on_time, all=week.homework_due),
            _change(homework_change * 100, words, "%") if homework_change is not None else "",
        ),
        ("study_days", str(week.study_days), _change(week.study_days_change, words)),
    ]
    inside = "".join(
        f'<div class="tile">{words(name)}<b>{escape(value)}</b><span class="quiet">{escape(note)}</span></div>'
        for name, value, note in tiles
    )
    return f'<section><h2>{words("this_week")}</h2><div class="tiles">{inside}</div></section>'


def _change(change: Decimal | int | None, words: Words, unit: str = "") -> str:
    if change is None:
        return ""
    if change == 0:
        return words("same")
    sign, size = ("+", change) if change > 0 else ("−", -change)
    return words("change", change=f"{sign}{_number(size, words)}{unit}")


def _list(title: str, items: list[tuple[str, str, str]]) -> str:
    if not items:
        return ""
    inside = "".join(
        f'<li><span>{escape(left)}</span><span class="{kind}">{escape(right)}</span></li>'
        for left, right, kind in items
    )
    return f"<section><h2>{escape(title)}</h2><ul>{inside}</ul></section>"


def _lessons(lessons: list[Lesson], words: Words) -> str:
    items = []
    for lesson in lessons:
        said = words(lesson.outcome)
        if lesson.makes_up_lesson_on:
            said += f", {words('makes_up', day=_day(lesson.makes_up_lesson_on))}"
        if lesson.made_up_on:
            said += f", {words('made_up_on', day=_day(lesson.made_up_on))}"
        kind = "bad" if lesson.outcome == "absent" and not lesson.made_up_on else ""
        items.append((f"{_day(lesson.lesson_on)} {lesson.course_name or ''}", said, kind))
    return _list(words("lessons"), items)


def _homework(homework: list[Homework], words: Words) -> str:
    items = []
    for piece in homework:
        if piece.submission_status == "late":
            said = (
                words("handed_late_1") if piece.days_late == 1 else words("handed_late", days=piece.days_late)
            )
        else:
            said = words(piece.submission_status)
        if piece.score is not None:
            said += f", {words('score', score=_number(piece.score, words))}"
        kind = {"missing": "bad", "on_time": "good"}.get(piece.submission_status, "")
        items.append((f"{words('due', day=_day(piece.due_on))} {piece.topic or ''}", said, kind))
    return _list(words("homework"), items)


def _classes(classes: list[InClass], words: Words) -> str:
    parts = []
    for each in classes:
        if not each.is_comparable:
            continue
        bars = [
            _bar(words("attendance_rate"), each.own_attendance_rate, each.class_attendance_rate, words),
            _bar(words("homework_rate"), each.own_homework_rate, each.class_homework_rate, words),
            _bar(
                words("homework_score"),
                _share(each.own_score),
                _share(each.class_score),
                words,
                is_score=True,
            ),
        ]
        parts.append(f"<h3>{escape(each.course_name or '')}</h3>" + "".join(bars))
    if not classes:
        return ""
    if len(parts) < len(classes):
        parts.append(f'<p class="quiet">{words("small_class")}</p>')
    key = (
        f'<p class="quiet"><span style="color:{_OWN}">■</span> {words("own")} '
        f'<span style="color:{_CLASS}">■</span> {words("class")}</p>'
    )
    return f"<section><h2>{words('against_class')}</h2>{key}{''.join(parts)}</section>"


def _share(score: Decimal | None) -> Decimal | None:
    return None if score is None else score / 100


def _bar(label: str, own: Decimal | None, whole: Decimal | None, words: Words, is_score: bool = False) -> str:
    """Two bars, the learner's over the class's; nothing where the learner has no figure."""
    if own is None:
        return ""

    def said(rate: Decimal | None) -> str:
        return _number(rate * 100, words) if is_score and rate is not None else _percent(rate, words)

    rows = [(own, _OWN, 2), *([(whole, _CLASS, 20)] if whole is not None else [])]
    inside = "".join(
        f'<rect x="118" y="{y}" width="180" height="14" rx="3" fill="{_TRACK}"/>'
        f'<rect x="118" y="{y}" width="{_length(rate, 180)}" height="14" rx="3" fill="{colour}"/>'
        f'<text x="306" y="{y + 12}" fill="{_INK}">{said(rate)}</text>'
        for rate, colour, y in rows
    )
    spoken = f"{label}: {words('own')} {said(own)}, {words('class')} {said(whole)}"
    return (
        f'<svg viewBox="0 0 {_WIDTH} 40" role="img" aria-label="{escape(spoken)}">'
        f'<text x="0" y="24" fill="{_INK}">{escape(label)}</text>{inside}</svg>'
    )


def _length(rate: Decimal, full: int) -> int:
    return int(max(Decimal(0), min(rate, Decimal(1))) * full)


def _topics(topics: list[Topic], words: Words) -> str:
    if not topics:
        return ""
    rows = []
    for number, topic in enumerate(topics):
        y = number * 30
        change = "" if topic.mastery_before is None else _arrow(topic.mastery_rate - topic.mastery_before)
        note = f" {words('weak')}" if topic.is_weak else ""
        rows.append(
            f'<text x="0" y="{y + 16}" fill="{_INK}">{escape(topic.topic)}</text>'
            f'<rect x="80" y="{y + 4}" width="150" height="14" rx="3" fill="{_TRACK}"/>'
            f'<rect x="80" y="{y + 4}" width="{_length(topic.mastery_rate, 150)}" height="14" rx="3" '
            f'fill="{_WEAK if topic.is_weak else _OWN}"/>'
            f'<text x="238" y="{y + 16}" fill="{_WEAK if topic.is_weak else _INK}">'
            f"{_percent(topic.mastery_rate, words)} {change}{escape(note)}</text>"
        )
    return (
        f'<section><h2>{words("topics")}</h2><p class="quiet">{words("topics_note")}</p>'
        f'<svg viewBox="0 0 {_WIDTH} {len(topics) * 30}" role="img" aria-label="{escape(words("topics"))}">'
        f"{''.join(rows)}</svg></section>"
    )


def _arrow(change: Decimal) -> str:
    # Less than a point is noise.
    return "↑" if change >= Decimal("0.01") else "↓" if change <= Decimal("-0.01") else "→"


def _history(report: Report, words: Words) -> str:
    hours = {week.week_on: week.attended_hours for week in report.earlier}
    if not any(hours.values()):
        return ""
    most = max(hours.values())
    columns = []
    for number in range(WEEKS):
        monday = report.week_on - timedelta(weeks=WEEKS - 1 - number)
        value = hours.get(monday, Decimal(0))
        x, height = number * 45 + 4, int(value / most * 80)
        columns.append(
            f'<rect x="{x}" y="{100 - height}" width="37" height="{height}" rx="3" '
            f'fill="{_OWN if monday == report.week_on else _CLASS}"/>'
            f'<text x="{x + 18}" y="{94 - height}" text-anchor="middle" fill="{_INK}">{_number(value, words)}</text>'
            f'<text x="{x + 18}" y="118" text-anchor="middle" fill="{_INK}">{_day(monday)}</text>'
        )
    return (
        f'<section><h2>{words("history")}</h2><svg viewBox="0 0 {_WIDTH} 124" role="img" '
        f'aria-label="{escape(words("history"))}">{"".join(columns)}</svg></section>'
    )


def _goals(goals: list[Goal], words: Words) -> str:
    items = []
    for goal in goals:
        aim = "goal_only" if goal.baseline_score is None else "goal"
        left = words(
            aim,
            baseline=_number(goal.baseline_score, words),
            expected=_number(goal.expected_score, words),
        )
        if goal.due_on:
            left += f", {words('by', day=goal.due_on.isoformat())}"
        right = words(goal.status)
        if goal.actual_score is not None:
            right += f" ({words('actual', actual=_number(goal.actual_score, words))})"
        kind = {"reached": "good", "missed": "bad"}.get(goal.status, "")
        items.append((f"{goal.subject or ''} {left}", right, kind))
    return _list(words("goals"), items)

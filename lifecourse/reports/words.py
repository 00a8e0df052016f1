"""The words of the weekly report, in English and Chinese."""

from __future__ import annotations

from lifecourse.lifecycle.names import Language

_WORDS: dict[str, tuple[str, str]] = {
    "title": ("Weekly learning report", "每周学习报告"),
    "learner": ("Learner", "学员"),
    "grade": ("Grade", "年级"),
    "campus": ("Campus", "校区"),
    "as_of": ("Data as of {day}", "数据截至 {day}"),
    "not_over": ("The week is not over yet.", "本周尚未结束。"),
    "nothing": ("Nothing is recorded for this week.", "本周没有学习记录。"),
    "this_week": ("This week", "本周概览"),
    "hours": ("Lesson hours", "上课课时"),
    "attendance": ("Attendance", "出勤"),
    "homework": ("Homework", "作业"),
    "study_days": ("Study days", "自学天数"),
    "of": ("{some} of {all}", "{some} / {all}"),
    "on_time_count": ("{some} of {all} on time", "按时 {some} / {all}"),
    "change": ("{change} on last week", "较上周 {change}"),
    "same": ("as last week", "与上周持平"),
    "lessons": ("Lessons", "上课情况"),
    "attended": ("attended", "出勤"),
    "late": ("late", "迟到"),
    "left_early": ("left early", "早退"),
    "made_up": ("made up", "补课"),
    "absent": ("absent", "缺勤"),
    "leave": ("on leave", "请假"),
    "makes_up": ("makes up for {day}", "补 {day} 的课"),
    "made_up_on": ("made up on {day}", "已于 {day} 补课"),
    "due": ("due {day}", "{day} 截止"),
    "on_time": ("on time", "按时"),
    "handed_late": ("{days} days late", "迟交 {days} 天"),
    "handed_late_1": ("1 day late", "迟交 1 天"),
    "missing": ("not handed in", "未交"),
    "score": ("score {score}", "得分 {score}"),
    "against_class": ("Beside the class", "与班级对比"),
    "own": ("learner", "学员"),
    "class": ("class", "班级"),
    "attendance_rate": ("Attendance", "出勤率"),
    "homework_rate": ("Homework on time", "作业按时率"),
    "homework_score": ("Homework score", "作业得分"),
    "small_class": (
        "No class average is shown for fewer than four learners.",
        "班级不足四人时不显示班级平均。",
    ),
    "topics": ("Mastery by topic", "知识点掌握"),
    "topics_note": (
        "Mean score of marked homework and tests of the last eight weeks.",
        "近八周已批改作业与测验的平均得分。",
    ),
    "weak": ("to practise", "需加强"),
    "history": ("Lesson hours of the last eight weeks", "近八周上课课时"),
    "goals": ("Goals", "学习目标"),
    "goal": ("from {baseline} to {expected}", "从 {baseline} 到 {expected}"),
    "goal_only": ("{expected}", "{expected}"),
    "actual": ("reached {actual}", "已达 {actual}"),
    "by": ("by {day}", "{day} 前"),
    "reached": ("reached", "已达成"),
    "missed": ("missed", "未达成"),
    "overdue": ("due, not measured yet", "到期待测"),
    "open": ("under way", "进行中"),
    "none": ("–", "–"),
}


class Words:
    """The words of one language."""

    def __init__(self, language: Language) -> None:
        self.language = language

    def __call__(self, key: str, **values: object) -> str:
        """The words under a key, with values filled in; `KeyError` for a key that has none."""
        return _WORDS[key][0 if self.language is Language.EN else 1].format(**values)

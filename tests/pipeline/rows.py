"""Rows of canonical tables as a small institution would have them: required columns filled, the rest as asked."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")


def at(day: str, time_of_day: str = "10:00") -> datetime:
    return datetime.fromisoformat(f"{day}T{time_of_day}").replace(tzinfo=SHANGHAI)


def learner(learner_id: str, **more: Any) -> dict[str, Any]:
    return {"learner_id": learner_id, "campus_id": "P1", "registered_at": at("2025-09-01"), **more}


def order(order_id: str, learner_id: str, day: str, payable: int = 1000, **more: Any) -> dict[str, Any]:
    return {
        "order_id": order_id, "learner_id": learner_id, "campus_id": "P1", "status": "paid", "list_amount": 1000,
        "payable_amount": payable, "currency": "CNY", "placed_at": at(day), **more,
    }  # fmt: skip


def line(order_id: str, starts_on: str, ends_on: str, **more: Any) -> dict[str, Any]:
    return {
        "order_line_id": f"{order_id}-1", "order_id": order_id, "kind": "period", "delivery": "scheduled",
        "product_line": "K12", "starts_on": starts_on, "ends_on": ends_on, **more,
    }  # fmt: skip


def payment(order_id: str, day: str, status: str = "succeeded", **more: Any) -> dict[str, Any]:
    return {
        "payment_id": f"{order_id}-p", "order_id": order_id, "method": "wechat", "status": status, "amount": 1000,
        "currency": "CNY", "paid_at": at(day, "10:05"), **more,
    }  # fmt: skip


def enrolment(order_id: str, learner_id: str, day: str, **more: Any) -> dict[str, Any]:
    return {
        "enrolment_id": f"{order_id}-e", "learner_id": learner_id, "course_id": "K1", "class_id": "A1",
        "campus_id": "P1", "order_line_id": f"{order_id}-1", "delivery": "scheduled", "status": "active",
        "enrolled_on": date.fromisoformat(day), **more,
    }  # fmt: skip


def lead(lead_id: str, learner_id: str | None = None, **more: Any) -> dict[str, Any]:
    return {
        "lead_id": lead_id, "campus_id": "P1", "channel_code": "wechat", "learner_id": learner_id, "status": "new",
        "created_at": at("2025-08-20"), "updated_at": at("2025-08-20"), **more,
    }  # fmt: skip


def attended(
    name: str, learner_id: str, lesson_id: str, order_id: str, outcome: str = "attended"
) -> dict[str, Any]:
    return {
        "attendance_id": name, "lesson_id": lesson_id, "learner_id": learner_id, "enrolment_id": f"{order_id}-e",
        "outcome": outcome, "hours": 1,
    }  # fmt: skip


def lesson(lesson_id: str, day: str, **more: Any) -> dict[str, Any]:
    return {
        "lesson_id": lesson_id, "class_id": "A1", "campus_id": "P1", "starts_at": at(day, "16:00"), "hours": 1,
        "status": "held", **more,
    }  # fmt: skip

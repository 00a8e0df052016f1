"""Stripe's way of paging, on a server that answers like it."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lifecourse.errors import LifecourseError
from lifecourse.sources.base import Unit, Window
from lifecourse.sources.registry import open_reader
from lifecourse.sources.spec import SystemSpec
from lifecourse.sources.stripe import StripeReader
from tests import stripe_server

NOON = datetime(2026, 3, 1, 4, tzinfo=UTC)
SECONDS = int(NOON.timestamp())


def charge(number: int, **changed: Any) -> dict[str, Any]:
    return {
        "id": f"ch_{number}", "amount": 100 + number, "created": SECONDS + number, "metadata": {"learner_id": "17"},
    } | changed  # fmt: skip


@pytest.fixture
def stripe() -> Iterator[stripe_server.Stripe]:
    refund = {"id": "re_1", "amount": 5, "created": SECONDS, "charge": "ch_2"}
    with stripe_server.running({"charges": [charge(n) for n in range(5)], "refunds": [refund]}) as server:
        yield server


def spec_of(url: str, token: str = stripe_server.KEY, **changed: Any) -> SystemSpec:
    charges = {
        "name": "charges",
        "path": "/v1/charges",
        "key": ["id"],
        "change_time": "created",
        "columns": {
            "id": {},
            "amount": {"type": "bigint"},
            "learner_id": {"from": "metadata.learner_id", "optional": True},
            "created": {"type": "timestamptz", "cast": "unix_seconds"},
        },
    }
    refunds = {
        "name": "refunds",
        "path": "/v1/refunds?expand[]=data.charge",
        "key": ["id"],
        "columns": {"id": {}, "charge_amount": {"from": "charge.amount", "type": "bigint"}},
    }
    return SystemSpec.model_validate(
        {
            "system": "stripe", "serves": "payments", "kind": "rest", "dialect": "stripe", "url": url, "token": token,
            "page_size": 2, "tables": [charges | changed, refunds],
        }
    )  # fmt: skip


def read(spec: SystemSpec, table: str = "charges", after: datetime | None = None) -> list[dict[str, Any]]:
    reader = open_reader(spec)
    assert isinstance(reader, StripeReader)
    window = Window(after, NOON + timedelta(seconds=3))
    with reader:
        return [row for batch in reader.read(spec.table(table), Unit(), window) for row in batch.to_pylist()]


def test_every_page_is_read_once_and_the_window_holds(stripe: stripe_server.Stripe) -> None:
    assert [row["id"] for row in read(spec_of(stripe.url))] == ["ch_3", "ch_2", "ch_1", "ch_0"]
    assert [asked.get("starting_after") for asked in stripe.asked] == [None, ["ch_2"]]
    assert [row["id"] for row in read(spec_of(stripe.url), after=NOON + timedelta(seconds=1))] == [
        "ch_3",
        "ch_2",
    ]


def test_a_charge_that_comes_while_pages_are_read_moves_none_of_them(stripe: stripe_server.Stripe) -> None:
    spec = spec_of(stripe.url)
    with open_reader(spec) as reader:
        pages = reader.read(spec.tables[0], Unit(), Window(None, NOON + timedelta(days=1)))
        seen = next(pages).to_pylist()
        stripe.objects["charges"].append(charge(9))
        seen += [row for batch in pages for row in batch.to_pylist()]
    assert [row["id"] for row in seen] == ["ch_4", "ch_3", "ch_2", "ch_1", "ch_0"]


def test_an_optional_field_may_lack_and_another_may_not(stripe: stripe_server.Stripe) -> None:
    stripe.objects["charges"] = [charge(1, metadata={}), charge(2)]
    assert [row["learner_id"] for row in read(spec_of(stripe.url))] == ["17", None]
    needed = spec_of(stripe.url, columns={"id": {}, "learner_id": "metadata.learner_id", "created": {}})
    with pytest.raises(LifecourseError, match=r"missing column: metadata\.learner_id"):
        read(needed)


def test_what_the_path_asks_for_besides_is_asked(stripe: stripe_server.Stripe) -> None:
    assert read(spec_of(stripe.url), "refunds") == [{"id": "re_1", "charge_amount": 102, "_cast_error": None}]


def test_the_clock_is_the_servers(stripe: stripe_server.Stripe) -> None:
    with open_reader(spec_of(stripe.url)) as reader:
        assert abs(reader.clock() - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_refused_key_is_told_and_not_shown(stripe: stripe_server.Stripe) -> None:
    # In two halves, so that this file's own lines in the traceback do not hold it.
    secret = "s3c" + "ret"
    with pytest.raises(LifecourseError, match="the token is refused") as caught:
        read(spec_of(stripe.url, token=secret))
    assert secret not in "".join(traceback.format_exception(caught.value))


def test_a_dialect_goes_with_its_kind() -> None:
    with pytest.raises(ValueError, match="kind rest has no dialect mysql"):
        SystemSpec.model_validate(
            {"system": "s", "serves": "payments", "kind": "rest", "dialect": "mysql", "url": "x",
             "tables": [{"name": "t", "key": ["id"], "columns": {"id": {}}}]}
        )  # fmt: skip

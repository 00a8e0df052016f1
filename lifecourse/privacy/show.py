"""What a demo shows of an erasure: somebody asks, is found nowhere afterwards, and the books are the same."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from lifecourse.errors import LifecourseError
from lifecourse.privacy import erasure, ledger
from lifecourse.privacy.subject import find
from lifecourse.warehouse.connection import Role, Warehouse

#: Whom no metric counts: then nothing of what the documentation shows of the demo's warehouse changes with them. If
#: possible nobody with an enquiry that counts, or in the network of referrals. What is kept of somebody erased before is
#: nobody who could ask.
_WHO = """
select registry.customer_id
from marts.dim_customer as customers
inner join core.customer_registry as registry on registry.customer_id = customers.customer_id
inner join canonical.learners as learners on learners.learner_id = registry.learner_id
inner join marts.fct_payment as payments on payments.customer_id = registry.customer_id
where
    not customers.is_reportable
    and (learners.is_test or learners.is_staff_child)
group by registry.customer_id, customers.current_stage
order by
    exists (
        select from marts.fct_lead as leads where leads.customer_id = registry.customer_id and leads.is_reportable
    ),
    exists (
        select from marts.fct_referral_network as referrals
        where registry.customer_id in (referrals.customer_id, referrals.referred_customer_id)
    ),
    customers.current_stage not in ('terminated', 'dormant'),
    count(*) desc,
    -- The number of the source, so that it is the same person whatever customer ids a build has given.
    min(learners.learner_id)
limit 1
"""

#: Heading -> amount, over everybody.
_BOOKS = {
    "ordered": "select sum(payable_amount) from marts.fct_order",
    "paid": "select sum(amount) from marts.fct_payment",
    "refunded": "select sum(refunded_amount) from marts.fct_refund",
    "recognised": "select sum(revenue_amount) from marts.fct_lesson_consumption",
    "deferred today": "select sum(closing) from marts.fct_deferred_revenue_day"
    " where day_on = (select max(day_on) from marts.fct_deferred_revenue_day)",
}


def show(console: Console, at: Warehouse) -> None:
    """Erases somebody and prints the request, the report of its proof, and the books before and after.

    Prints nothing where nobody suits. Raises `NotErased` if the person is still found somewhere, and `LifecourseError`
    if an amount has changed.
    """
    with at.connect(Role.TRANSFORMER) as connection:
        row = connection.execute(_WHO).fetchone()
    if row is None:
        return
    customer_id = row[0]
    subject, before = find(at, customer_id), _books(at)
    held = ", ".join(
        f"{len(keys)} {kind}{'s' if len(keys) > 1 else ''}" for kind, keys in subject.keys.items() if keys
    )
    console.print(
        f"\n[bold]Somebody asks to be erased[/], whom no metric counts: scripts/lifecourse privacy erase {customer_id} --now",
        soft_wrap=True,
    )
    console.print(f"  Known to the systems by {held}.")
    request_id = ledger.ask(customer_id=customer_id, of=at)
    [done] = [request for request in erasure.honour(at) if request.request_id == request_id]
    after = _books(at)
    console.print(f"  Request {request_id} is {done.status}. scripts/lifecourse privacy report {request_id}:")
    console.print(_report(done.report or {}))
    console.print(_both(before, after))
    if before != after:
        raise LifecourseError(
            "the books changed with an erasure", "schema marts", "compare the two builds in meta.build"
        )
    try:
        find(at, customer_id)
    except LifecourseError as error:
        console.print(
            f"  Asked again for {customer_id}: {error.what}. What the sources go on sending is left out at the merge;"
            " what accounting law keeps is under a pseudonym, a customer without name, phone or school.",
            soft_wrap=True,
        )


def _books(at: Warehouse) -> dict[str, Any]:
    with at.connect(Role.BI_READER) as connection:
        return {
            name: (connection.execute(query.encode()).fetchone() or (None,))[0]
            for name, query in _BOOKS.items()
        }


def _report(report: dict[str, Any]) -> Table:
    table = Table("looked for", "how many", title="Every table and file searched", title_justify="left")
    for what, count in report["searched_for"].items():
        if count:
            table.add_row(what, f"{count:,}")
    table.add_row("places with anything of that person left", f"{len(report['found']):,}")
    return table


def _both(before: dict[str, Any], after: dict[str, Any]) -> Table:
    table = Table("", "before", "after", title="The books of everybody", title_justify="left")
    for name in before:
        table.add_row(name, f"{before[name]:,}", f"{after[name]:,}")
    return table

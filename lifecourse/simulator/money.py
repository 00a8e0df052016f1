"""The payment system: orders, lines, gifts, instalments, payments, refunds, coupons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lifecourse.simulator import catalogue, frame
from lifecourse.simulator.almanac import as_date
from lifecourse.simulator.block import Block
from lifecourse.simulator.draw import chance, moments, pick, uniform
from lifecourse.simulator.households import BARGAIN, BIG_STRIDE, TRIALLED
from lifecourse.simulator.sheets import DAY, FAR, NONE, Column, Flags, Ints, Sheet, join, ragged, sheet, words
from lifecourse.simulator.stories import LAPSED, PACKAGE, REFUND_REQUEST, REFUNDED
from lifecourse.simulator.study import line_ids

# Positions within a block's numbers: orders and lines of sales, of sales that came to nothing, of gifts.
_LOST, _GIFTS = 400_000, 500_000
_SECOND_REFUNDS = 100_000
FEES = {"wechat": 60, "alipay": 60, "card": 38, "cash": 0, "bank": 0}  # in 1/100 of a percent


@dataclass
class Orders:
    """Sales of a block: one row per order that was paid."""

    line: Ints  # its first line
    id: Ints
    of_line: Ints  # per line: row of its order
    payable: Ints  # cents
    cut_on: Ints  # day from which nothing more is paid; FAR: never


def add_money(block: Block) -> None:
    """All tables of the payment system that customers bring about."""
    rng, lines = block.rng("prices"), block.stories.lines
    n = len(lines)
    own = np.flatnonzero(lines.shares_order < 0)
    of_line = np.zeros(n, dtype=np.int64)
    of_line[own] = np.arange(len(own))
    shared = np.flatnonzero(lines.shares_order >= 0)
    of_line[shared] = of_line[lines.shares_order[shared]]
    listed = _list_price(block)
    share, coupon = _discounts(rng, block, own)
    coupon_kind, coupon_value, coupon_used = coupon
    off = listed * share[of_line] // 100_000_000 * 100  # whole yuan
    fixed = np.where((coupon_kind == "amount") & coupon_used, coupon_value, 0)
    off[own] += np.where(fixed <= listed[own] // 4, fixed, 0)
    coupon_used &= (coupon_kind != "amount") | (fixed <= listed[own] // 4)
    net = listed - off
    total = np.bincount(of_line, weights=net, minlength=len(own)).astype(np.int64)
    cut_on = np.full(len(own), FAR, dtype=np.int64)
    np.minimum.at(cut_on, of_line, lines.cut_on)
    orders = Orders(own, block.number * BIG_STRIDE + 1 + np.arange(len(own)), of_line, total, cut_on)
    instalments, payment = _payments(block, orders)
    refunds = _refunds(block, orders, net, payment)
    _orders(block, orders, listed, net, coupon_used, payment, refunds)
    _lines(block, orders, listed, net)
    _coupons(block, orders, coupon_kind, coupon_value, coupon_used)
    block.add(instalments, payment.sheet, refunds)


def _list_price(block: Block) -> Ints:
    """List price of every line, in cents."""
    lines, known = block.stories.lines, catalogue.courses()
    # The list was raised for classes after a year and a half.
    lesson = known.price[lines.course] + np.where(
        ~lines.self_paced & (lines.bought_on >= block.world.first_day + 550), 500, 0
    )
    period = np.where(lines.ends_on < FAR, lines.ends_on - lines.starts_on + 1, 0)
    weekly = np.array([s.weekly for s in catalogue.SUBJECTS])
    per_week = weekly[np.minimum(lines.course // 3, len(weekly) - 1)]
    months = np.maximum(period // 30, 1)
    return np.select(
        [lines.kind == PACKAGE, lines.self_paced],
        [lines.lessons * lesson, months * lesson],
        (period // 7) * per_week * lesson,
    ).astype(np.int64)


def _discounts(rng: np.random.Generator, block: Block, own: Ints) -> tuple[Ints, tuple[Column, Ints, Flags]]:
    """Discount per order in millionths (of the list price), and the coupon used if any."""
    n = len(own)
    lines = block.stories.lines
    eager = block.people.hidden_type[lines.person[own]] == BARGAIN
    promo = np.where(chance(rng, np.where(eager, 0.6, 0.25), n), uniform(rng, n, 3, 12), 0) * 10_000
    used = chance(rng, np.where(eager, 0.45, 0.15), n)
    kind = pick(rng, n, ["amount", "percent"], [0.7, 0.3])
    value = np.where(kind == "amount", uniform(rng, n, 1, 5) * 10_000, np.asarray(pick(rng, n, [500, 1000])))
    percent = np.where(used & (kind == "percent"), value * 100, 0)
    return promo + percent, (kind, value, used)


@dataclass
class Payments:
    """The payments sheet and, per order, what refunds and the order's status need of it."""

    sheet: Sheet
    main_id: Ints  # the payment refunds are made from
    main_amount: Ints
    complete_at: Ints  # when all is paid; far where that never happens
    has_parts: Flags


def _payments(block: Block, orders: Orders) -> tuple[Sheet, Payments]:
    rng, lines = block.rng("payments"), block.stories.lines
    n = len(orders.id)
    paid_at = block.paid_at[orders.line]
    parts = np.where((orders.payable >= 300_000) & chance(rng, 0.3, n), uniform(rng, n, 2, 3), 1)
    owner, number = ragged(parts)
    whole = orders.payable[owner]
    each = whole // parts[owner] // 100 * 100
    amount = np.where(number == 0, whole - each * (parts[owner] - 1), each)
    due_on = paid_at[owner] // DAY + 30 * number
    slow = block.people.hidden_type[lines.person[orders.line[owner]]] == BARGAIN
    delay = np.where(chance(rng, np.where(slow, 0.35, 0.08), len(owner)), uniform(rng, len(owner), 1, 12),
                     -uniform(rng, len(owner), 0, 4))  # fmt: skip
    delay = np.where(slow & chance(rng, 0.15, len(owner)), uniform(rng, len(owner), 20, 80), delay)
    at = np.where(number == 0, paid_at[owner], moments(rng, due_on + delay, 9, 21))
    # Nothing is paid any more once the line is given up.
    at = np.where(at // DAY >= orders.cut_on[owner], FAR * DAY, at)
    by_parts = np.flatnonzero(parts[owner] > 1)
    instalment_id = block.people.ids(len(by_parts))
    of_payment = np.full(len(owner), NONE, dtype=np.int64)
    of_payment[by_parts] = instalment_id
    agreed = block.placed_at[orders.line][owner[by_parts]] + 30
    instalments = sheet("instalments", agreed, {
        "instalment_id": instalment_id,
        "order_id": orders.id[owner[by_parts]],
        "instalment_no": number[by_parts] + 1,
        "due_on": due_on[by_parts],
        "amount": amount[by_parts],
        "currency": "CNY",
        "status": "due",
    })  # fmt: skip
    a, overdue = at[by_parts], (due_on[by_parts] + 1) * DAY + 3_600
    given_up = np.where(a >= FAR * DAY, orders.cut_on[owner[by_parts]] * DAY + 19 * 3_600, FAR * DAY)
    instalments.change(np.where(overdue < np.minimum(a, given_up), overdue, FAR * DAY), status="overdue")
    instalments.change(np.where(a < FAR * DAY, a + 5, FAR * DAY), status="paid")
    instalments.change(given_up, status="cancelled")

    method = pick(rng, n, list(FEES), [0.52, 0.3, 0.09, 0.05, 0.04])[owner]
    fee = (amount * np.array([FEES[m] for m in method]) + 5_000) // 10_000 if len(method) else amount
    ids = block.number * BIG_STRIDE + 1 + np.arange(len(owner))
    channel_id = _channel_ids("", method, ids, at)
    waits = chance(rng, 0.04, len(owner)) & (at < FAR * DAY)
    created = np.where(waits, at - 90, at)
    good = sheet("payments", created, {
        "payment_id": ids,
        "order_id": orders.id[owner],
        "instalment_id": of_payment,
        "method": method,
        "status": words(waits, "pending", "succeeded"),
        "amount": amount,
        "fee_amount": fee,
        "currency": "CNY",
        "channel_transaction_id": channel_id,
        "paid_at": created,
    }).change(np.where(waits, at, FAR * DAY), status="succeeded", paid_at=at)  # fmt: skip
    f = np.flatnonzero(chance(rng, 0.06, len(owner)) & (at < FAR * DAY))
    failed_at = np.maximum(
        at[f] - uniform(rng, len(f), 100, 160), block.placed_at[orders.line][owner[f]] + 40
    )
    failed = sheet("payments", failed_at, {
        "payment_id": ids[f] + _LOST,
        "order_id": orders.id[owner[f]],
        "instalment_id": of_payment[f],
        "method": method[f],
        "status": "failed",
        "amount": amount[f],
        "currency": "CNY",
        "paid_at": failed_at,
    }).change(np.full(len(f), FAR * DAY), status="failed", paid_at=failed_at)  # fmt: skip
    complete = np.zeros(n, dtype=np.int64)
    np.maximum.at(complete, owner, at)
    first = np.flatnonzero(number == 0)
    return instalments, Payments(join([good, failed]), ids[first], amount[first], complete, parts > 1)


def _channel_ids(mark: str, method: Column, ids: Ints, at: Ints) -> Column:
    """Transaction numbers as the channels print them; none for cash and transfers."""
    found = np.full(len(ids), None, dtype=object)
    for i, (m, key, when) in enumerate(zip(method, ids, at, strict=True)):
        if m in ("wechat", "alipay", "card") and when < FAR * DAY:
            day = f"{as_date(when // DAY):%Y%m%d}"
            if m == "wechat":
                found[i] = f"{'5030' if mark else '4200'}00{key % 10_000:04d}{day}{key:010d}"
            elif m == "alipay":
                found[i] = f"{day}2200{'9' if mark else '1'}{key:015d}"
            else:
                found[i] = f"UP{mark}{day}{key:012d}"
    return found


def _refunds(block: Block, orders: Orders, net: Ints, payment: Payments) -> Sheet:
    """Refunds of whole lines by those who leave, and requests that come to little or nothing."""
    rng, stories = block.rng("refunds"), block.stories
    lines, runs = stories.lines, stories.runs
    table, out = block.timetable, stories.outcomes
    used_lessons = np.bincount(
        out.line, weights=table.hours[out.lesson] * (out.outcome < 4), minlength=len(lines)
    )
    per_lesson = catalogue.courses().lesson_hours[lines.course]
    bought = (lines.lessons + lines.gift_lessons) * per_lesson
    days = np.clip(
        (lines.cut_on - lines.starts_on) / np.maximum(lines.ends_on - lines.starts_on + 1, 1), 0, 1
    )
    used = np.where(lines.kind == PACKAGE, used_lessons / np.maximum(bought, 1), days)
    share = net / np.maximum(orders.payable[orders.of_line], 1)
    most = payment.main_amount[orders.of_line] * share

    whole = np.flatnonzero((lines.cut_by == REFUNDED) & (net > 0))
    w = len(whole)
    amount = (np.minimum(net[whole] * (1 - used[whole]), most[whole] * 0.8) // 100).astype(np.int64) * 100
    cut = lines.cut_on[whole]
    asked = moments(rng, np.maximum(cut - uniform(rng, w, 3, 16), lines.bought_on[whole] + 1), 9, 18)
    paid = np.maximum(moments(rng, cut, 10, 18), asked + 600)
    reason = words(chance(rng, 0.7, w), runs.reason[lines.run[whole]], None)
    key = orders.of_line[whole]
    ids = block.number * BIG_STRIDE + 1 + np.arange(w)
    method = _method_of(payment, key)
    given_up = sheet("refunds", asked, {
        "refund_id": ids,
        "order_id": orders.id[key],
        "order_line_id": line_ids(block)[whole],
        "payment_id": payment.main_id[key],
        "amount": np.maximum(amount, 100),
        "currency": "CNY",
        "is_whole_line": True,
        "reason_code": reason,
        "requested_at": asked,
    }).change(paid, resolution="paid", resolved_at=paid,
              channel_refund_id=_channel_ids("R", method, ids, paid))  # fmt: skip

    # Requests in trouble: within the weeks before leaving, or in a bad spell.
    signed = (runs.signs & REFUND_REQUEST) > 0
    day = np.where(signed, runs.trouble_from + uniform(rng, len(runs.person), 2, 30), FAR)
    person, spell = runs.person, stories.spell
    in_spell = ((spell.signs[person] & REFUND_REQUEST) > 0) & (spell.first_day[person] < runs.last_day)
    day = np.where(in_spell & (spell.first_day[person] > runs.first_day), spell.first_day[person] + 3, day)
    at_run = np.full(len(runs.person), FAR, dtype=np.int64)
    at_run[:] = day
    covers = (lines.track == 0) & (at_run[lines.run] > lines.bought_on + 2) & (at_run[lines.run] < np.minimum(
        lines.last_day, lines.cut_on) - 3) & (lines.cut_by != REFUNDED) & (net > 0)  # fmt: skip
    ask = np.flatnonzero(covers)
    # One request per run at most: the first line that covers the day.
    _, first = np.unique(lines.run[ask], return_index=True)
    ask = ask[first]
    a = len(ask)
    asked = moments(rng, at_run[lines.run[ask]], 9, 18)
    answered = asked + uniform(rng, a, 3, 18) * DAY
    resolution = pick(rng, a, ["rejected", "withdrawn", "paid", None], [0.35, 0.3, 0.2, 0.15])
    key = orders.of_line[ask]
    ids = block.number * BIG_STRIDE + _SECOND_REFUNDS + 1 + np.arange(a)
    method = _method_of(payment, key)
    open_ = np.array([r is None for r in resolution], dtype=bool)
    channel = _channel_ids("R", np.where(resolution == "paid", method, "cash"), ids, answered)
    asked_for = sheet("refunds", asked, {
        "refund_id": ids,
        "order_id": orders.id[key],
        "order_line_id": line_ids(block)[ask],
        "payment_id": payment.main_id[key],
        "amount": np.maximum((most[ask] * 0.15 // 100).astype(np.int64) * 100, 100),
        "currency": "CNY",
        "is_whole_line": False,
        "reason_code": words(chance(rng, 0.5, a), runs.reason[lines.run[ask]], None),
        "requested_at": asked,
    }).change(np.where(open_, FAR * DAY, answered), resolution=resolution, resolved_at=answered,
              channel_refund_id=channel)  # fmt: skip
    return join([given_up, asked_for])


def _method_of(payment: Payments, order: Ints) -> Column:
    """Method of the main payment of those orders."""
    by_id = dict(zip(payment.sheet.keys.tolist(), payment.sheet.columns["method"], strict=True))
    return np.array([by_id[k] for k in payment.main_id[order].tolist()], dtype=object)


def _orders(
    block: Block,
    orders: Orders,
    listed: Ints,
    net: Ints,
    coupon_used: Flags,
    payment: Payments,
    refunds: Sheet,
) -> None:
    rng, people, lines = block.rng("orders"), block.people, block.stories.lines
    n = len(orders.id)
    person = lines.person[orders.line]
    home = people.household[person]
    second = people.has_second[home] & chance(rng, 0.25, n)
    list_total = np.bincount(orders.of_line, weights=listed, minlength=n).astype(np.int64)
    made = sheet("orders", block.placed_at[orders.line], {
        "order_id": orders.id,
        "learner_id": people.learner_id[person],
        "contract_id": np.where(has_contract(block), contract_ids(block), NONE),
        "payer_name": np.where(second, people.second_guardian[home], people.guardian[home]),
        "payer_phone": np.where(second, people.second_phone[home], people.phone[home]),
        "payer_wechat_unionid": words(second, None, people.unionid_of(person)),
        "campus_id": block.campus_id,
        "coupon_id": np.where(coupon_used, orders.id, NONE),
        "status": "placed",
        "list_amount": list_total,
        "discount_amount": list_total - orders.payable,
        "payable_amount": orders.payable,
        "currency": "CNY",
        "placed_at": block.placed_at[orders.line],
    })  # fmt: skip
    made.change(
        block.paid_at[orders.line] + 2,
        status=words(payment.has_parts, "partly_paid", "paid"),
    )
    made.change(np.where(payment.has_parts, payment.complete_at + 2, FAR * DAY), status="paid")
    whole = refunds.columns["is_whole_line"] == 1
    refunded = np.full(n, FAR * DAY, dtype=np.int64)
    row = refunds.columns["order_id"][whole] - orders.id[0]
    np.minimum.at(refunded, row, refunds.changes[0].at[whole])
    lines_of = np.bincount(orders.of_line, minlength=n)
    gone = np.bincount(row, minlength=n)
    made.change(np.where(gone == lines_of, refunded + 3, FAR * DAY), status="refunded")
    block.add(join([made, _lost_orders(block, made), _gift_orders(block, made)]))


def _blank_changes(made: Sheet, like: Sheet) -> Sheet:
    """Give a sheet the kinds of changes another has, none of which ever happens."""
    for change in like.changes[len(made.changes) :]:
        made.change(np.full(len(made), FAR * DAY), **dict.fromkeys(change.values))
    return made


def _lost_orders(block: Block, like: Sheet) -> Sheet:
    """Orders placed after a trial that nobody paid: cancelled after three days, or left standing."""
    rng, people = block.rng("lost orders"), block.people
    trial = block.stories.enquiries.trial_on
    who = np.flatnonzero((people.reach == TRIALLED) & (trial < FAR) & chance(rng, 0.3, len(people)))
    n = len(who)
    placed = moments(rng, trial[who] + uniform(rng, n, 1, 6), 10, 20)
    amount = uniform(rng, n, 15, 60) * 10_000
    home = people.household[who]
    made = sheet("orders", placed, {
        "order_id": block.number * BIG_STRIDE + _LOST + 1 + np.arange(n),
        "learner_id": people.learner_id[who],
        "payer_name": people.guardian[home],
        "payer_phone": people.phone[home],
        "payer_wechat_unionid": people.unionid_of(who),
        "campus_id": block.campus_id,
        "status": "placed",
        "list_amount": amount,
        "discount_amount": 0,
        "payable_amount": amount,
        "currency": "CNY",
        "placed_at": placed,
    })  # fmt: skip
    made.change(np.where(chance(rng, 0.8, n), placed + 3 * DAY, FAR * DAY), status="cancelled")
    return _blank_changes(made, like)


@dataclass
class Gifts:
    """Gifts of a fortnight or a month of self-study, on a day, to a person."""

    person: Ints
    at: Ints
    days: Ints
    course: Ints

    def order_ids(self, block: Block) -> Ints:
        return block.number * BIG_STRIDE + _GIFTS + 1 + np.arange(len(self.person))


def gifts_of(block: Block) -> Gifts:
    """To welcome, before a purchase, to keep those who lapse, to win back those who left."""
    rng, people, stories = block.rng("gifts"), block.people, block.stories
    runs, trial = stories.runs, stories.enquiries.trial_on
    tried = np.flatnonzero((people.reach == TRIALLED) & (trial < FAR) & chance(rng, 0.2, len(people)))
    fresh = np.flatnonzero((runs.number == 1) & chance(rng, 0.12, len(runs.person)))
    lapsed = (runs.ending == LAPSED) & (runs.last_day < FAR)
    keep = np.flatnonzero(lapsed & chance(rng, 0.06, len(lapsed)))
    back = np.flatnonzero((runs.last_day < FAR) & chance(rng, 0.12, len(lapsed)))
    first_paid = np.full(len(people), FAR * DAY, dtype=np.int64)
    np.minimum.at(first_paid, stories.lines.person, block.paid_at)
    person = np.concatenate([tried, runs.person[fresh], runs.person[keep], runs.person[back]])
    at = np.concatenate([
        moments(rng, trial[tried] + 1, 10, 20),
        first_paid[runs.person[fresh]] + 1_200,
        moments(rng, runs.last_day[keep] + uniform(rng, len(keep), 2, 20), 10, 20),
        moments(rng, runs.last_day[back] + uniform(rng, len(back), 45, 90), 10, 20),
    ])  # fmt: skip
    days = np.repeat([14, 30, 14, 14], [len(tried), len(fresh), len(keep), len(back)])
    study = np.where(people.is_adult[person], catalogue.ADULT_SELF_STUDY[0], catalogue.CHILD_SELF_STUDY[0])
    soon = at < (block.world.last_day + 1) * DAY
    return Gifts(person[soon], at[soon], days[soon], (study + catalogue.CLASS_COURSES)[soon])


def _gift_price(gifts: Gifts) -> Ints:
    return np.asarray(
        catalogue.courses().price[gifts.course] * np.maximum(gifts.days // 30, 1), dtype=np.int64
    )


def _gift_orders(block: Block, like: Sheet) -> Sheet:
    gifts, people = gifts_of(block), block.people
    home = people.household[gifts.person]
    price = _gift_price(gifts)
    made = sheet("orders", gifts.at, {
        "order_id": gifts.order_ids(block),
        "learner_id": people.learner_id[gifts.person],
        "payer_name": people.guardian[home],
        "payer_phone": people.phone[home],
        "payer_wechat_unionid": people.unionid_of(gifts.person),
        "campus_id": block.campus_id,
        "status": "paid",
        "list_amount": price,
        "discount_amount": price,
        "payable_amount": 0,
        "currency": "CNY",
        "placed_at": gifts.at,
    })  # fmt: skip
    return _blank_changes(made, like)


def _lines(block: Block, orders: Orders, listed: Ints, net: Ints) -> None:
    lines, known, gifts = block.stories.lines, catalogue.courses(), gifts_of(block)
    package = lines.kind == PACKAGE
    hours = known.lesson_hours[lines.course]
    sold = sheet("order_lines", block.placed_at, {
        "order_line_id": line_ids(block),
        "order_id": orders.id[orders.of_line],
        "course_id": catalogue.course_id(lines.course),
        "product_line": known.product_line[lines.course],
        "kind": words(package, "package", "period"),
        "delivery": known.delivery[lines.course],
        "is_gift": False,
        "paid_hours": np.where(package, lines.lessons * hours, np.nan),
        "gift_hours": np.where(package, lines.gift_lessons * hours, np.nan),
        "list_amount": listed,
        "net_amount": net,
        "starts_on": lines.starts_on,
        "ends_on": np.where(lines.ends_on < FAR, lines.ends_on, NONE),
    })  # fmt: skip
    given_on = gifts.at // DAY
    price = _gift_price(gifts)
    given = sheet("order_lines", gifts.at, {
        "order_line_id": gifts.order_ids(block),
        "order_id": gifts.order_ids(block),
        "course_id": catalogue.course_id(gifts.course),
        "product_line": known.product_line[gifts.course],
        "kind": "period",
        "delivery": "self_paced",
        "is_gift": True,
        "list_amount": price,
        "net_amount": 0,
        "granted_on": given_on,
        "starts_on": given_on,
        "ends_on": given_on + gifts.days - 1,
    })  # fmt: skip
    block.add(join([sold, given]))


def _coupons(block: Block, orders: Orders, kind: Column, value: Ints, used: Flags) -> None:
    """Coupons that were used on an order, and some that nobody used."""
    rng, people, lines = block.rng("coupons"), block.people, block.stories.lines
    row = np.flatnonzero(used)
    placed = block.placed_at[orders.line[row]]
    person = lines.person[orders.line[row]]
    issued = placed - uniform(rng, len(row), 3_600, 30 * DAY)
    issued = np.maximum(issued, block.lead_at[person] + 60)
    idle = np.flatnonzero((block.learner_since < FAR * DAY) & chance(rng, 0.25, len(people)))
    idle_at = block.learner_since[idle] + uniform(rng, len(idle), DAY, 500 * DAY)
    who = np.concatenate([person, idle])
    at = np.concatenate([issued, idle_at])
    n = len(who)
    quarter = frame.quarter_of(block.world, np.minimum(at // DAY, block.world.last_day))
    made = sheet("coupons", at, {
        "coupon_id": np.concatenate([orders.id[row], block.number * BIG_STRIDE + _LOST + 1 + np.arange(len(idle))]),
        "learner_id": np.where(block.learner_since[who] <= at, people.learner_id[who], NONE),
        "campaign_id": np.where(chance(rng, 0.5, n), frame.campaign_id(0, np.maximum(quarter, 0)), NONE),
        "kind": np.concatenate([kind[row], np.full(len(idle), "amount", dtype=object)]),
        "value": np.concatenate([value[row], uniform(rng, len(idle), 1, 5) * 10_000]),
        "currency": "CNY",
        "issued_at": at,
        "expires_on": at // DAY + 60,
    })  # fmt: skip
    spent = np.concatenate([placed + 1, np.full(len(idle), FAR * DAY)])
    made.change(spent, used_at=spent)
    block.add(made)


def has_contract(block: Block) -> Flags:
    """Per order: whether a contract was signed (first purchases nearly always, renewals by half)."""
    lines = block.stories.lines
    own = np.flatnonzero(lines.shares_order < 0)
    first = lines.bought_on[own] == block.stories.enquiries.bought_on[lines.person[own]]
    return chance(block.rng("contracts"), np.where(first, 0.96, 0.45), len(own))


def contract_ids(block: Block) -> Ints:
    """Contract id per order, signed or not."""
    own = int((block.stories.lines.shares_order < 0).sum())
    return block.number * BIG_STRIDE + 1 + np.arange(own)

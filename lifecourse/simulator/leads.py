"""The sign-up system up to the contract: contacts, leads, trials, contracts, handovers, referrals."""

from __future__ import annotations

import numpy as np

from lifecourse.simulator import catalogue, frame
from lifecourse.simulator.block import Block
from lifecourse.simulator.draw import chance, moments, pick, uniform
from lifecourse.simulator.households import BIG_STRIDE, BUYER, LEAD_ONLY, PEOPLE_STRIDE, grade_on
from lifecourse.simulator.money import contract_ids, has_contract
from lifecourse.simulator.sheets import DAY, FAR, NONE, Ints, sheet, words

_SUBJECTS = [s.name for s in catalogue.SUBJECTS]


def add_leads(block: Block) -> None:
    """All tables that lead from an enquiry to the handover to teaching."""
    _contacts(block)
    first_touch = (
        block.lead_at
        + (block.rng("first touch").exponential(9 * 3_600, len(block.people))).astype(np.int64)
        + 300
    )
    _leads(block, first_touch)
    _trials(block)
    _contracts(block)
    _handovers(block)
    _referrals(block)


def first_paid(block: Block) -> Ints:
    """Per person: first successful payment; far where there is none."""
    found = np.full(len(block.people), FAR * DAY, dtype=np.int64)
    np.minimum.at(found, block.stories.lines.person, block.paid_at)
    return found


def _contacts(block: Block) -> None:
    rng, people = block.rng("contacts"), block.people
    homes = len(people.phone)
    asked = np.full(homes, FAR * DAY, dtype=np.int64)
    np.minimum.at(asked, people.household, block.lead_at)
    second = np.flatnonzero(people.has_second)
    met = asked[second] + uniform(rng, len(second), DAY, 40 * DAY)
    apart = np.flatnonzero(people.entered_apart)
    home = np.concatenate([np.arange(homes), second, people.household[apart]])
    is_second = np.repeat([False, True, False], [homes, len(second), len(apart)])
    created = np.concatenate([asked, met, block.lead_at[apart]])
    other = np.where(people.relation == "mother", "father", "mother")
    other = np.where(chance(rng, 0.2, homes), "grandparent", other)
    ids = block.number * PEOPLE_STRIDE + 1 + 2 * home + is_second
    ids[homes + len(second) :] = people.contact_id[apart]
    hidden = is_second | chance(rng, 0.12, len(home))
    hidden[homes + len(second) :] = True
    mail = np.array([f"p{i:07d}@example.com" for i in ids], dtype=object)
    n = len(home)
    made = sheet("contacts", created, {
        "contact_id": ids,
        "campus_id": block.campus_id,
        "name": np.where(is_second, people.second_guardian[home], people.guardian[home]),
        "phone": np.where(is_second, people.second_phone[home], people.phone[home]),
        "wechat_unionid": words(hidden, None, people.unionid[home]),
        "email": words(chance(rng, 0.25, n), mail, None),
        "relation": np.where(is_second, other[home], people.relation[home]),
        "is_decision_maker": ~is_second,
        "region": people.household_region[home],
        "created_at": created,
    })  # fmt: skip
    # Background is asked for at the first meetings, and moves of house become known later.
    asked_at = created + uniform(rng, n, DAY, 60 * DAY)
    made.change(asked_at, income_band=people.income_band[home], education=people.education[home],
                occupation=people.occupation[home])  # fmt: skip
    moved = np.where(chance(rng, 0.06, n), asked_at + uniform(rng, n, 60 * DAY, 700 * DAY), FAR * DAY)
    made.change(moved, region=people.household_region[(home + 1) % homes])
    block.add(made)


def _leads(block: Block, first_touch: Ints) -> None:
    rng, people, asked = block.rng("leads"), block.people, block.stories.enquiries
    n = len(people)
    day = people.first_day
    channel = people.channel
    number = np.array([frame.CHANNELS.index(c) if c in frame.CHANNELS else -1 for c in channel])
    campaign = np.where((number >= 0) & chance(rng, 0.85, n),
                        1_000 * (number + 1) + frame.quarter_of(block.world, day) + 1, NONE)  # fmt: skip
    buys = people.reach == BUYER
    intent = np.where(buys, pick(rng, n, ["high", "medium", "low"], [0.5, 0.38, 0.12]),
                      pick(rng, n, ["high", "medium", "low"], [0.12, 0.38, 0.5]))  # fmt: skip
    invalid = (people.reach == LEAD_ONLY) & chance(rng, 0.12, n)
    trial_over = asked.trial_on * DAY + 16 * 3_600
    paid = first_paid(block)
    subject = pick(rng, n, _SUBJECTS)
    made = sheet("leads", block.lead_at, {
        "lead_id": people.lead_id,
        "contact_id": people.contact_id,
        "campus_id": block.campus_id,
        "campaign_id": campaign,
        "channel_code": channel,
        "advisor_id": block.advisor,
        "learner_name": people.name,
        "learner_birth_date": np.where(chance(rng, 0.8, n), people.birth_day, NONE),
        "learner_grade": words(chance(rng, 0.85, n), grade_on(people.birth_day, day, people.is_adult), None),
        "subject_interest": words(chance(rng, 0.9, n), subject, None),
        "intent": words(chance(rng, 0.92, n), intent, None),
        "status": "new",
        "is_test": people.is_test,
        "created_at": block.lead_at,
    })  # fmt: skip
    trialled = asked.trial_shows
    bound = np.minimum(block.trial_booked_at, paid)
    made.change(np.where(first_touch < bound, first_touch, FAR * DAY), status="contacted")
    made.change(np.minimum(block.trial_booked_at, FAR * DAY), status="trial_booked")
    linked = chance(rng, 0.92, n)
    link = np.where(linked, people.learner_id, NONE)
    made.change(np.where(trialled, trial_over, FAR * DAY), status="trialled",
                learner_id=np.where(buys, NONE, link))  # fmt: skip
    made.change(paid + 60, status="converted", learner_id=link)
    lost = np.where(trialled, trial_over, np.minimum(first_touch, FAR * DAY)) + uniform(
        rng, n, 20 * DAY, 80 * DAY
    )
    booked = block.trial_booked_at
    lost = np.where(~trialled & (booked < FAR * DAY), np.maximum(lost, booked + 14 * DAY), lost)
    reason = pick(rng, n, ["price", "distance", "time", "competitor", "no_need", "unreachable"])
    made.change(words(buys, FAR * DAY, lost), status=np.where(invalid, "invalid", "lost"),
                lost_reason=np.where(invalid, "unreachable", reason))  # fmt: skip
    block.add(made)


def _trials(block: Block) -> None:
    """Trials that take place, before some of them one that was missed, and trials of those who never come."""
    rng, people, asked = block.rng("trials"), block.people, block.stories.enquiries
    booked = np.flatnonzero(asked.trial_on < FAR)
    comes = asked.trial_shows[booked]
    # A trial missed first: booked and due between the first booking and the one that is kept.
    room = asked.trial_on[booked] - block.trial_booked_at[booked] // DAY >= 3
    missed = booked[comes & room & chance(rng, 0.15, len(booked))]
    person = np.concatenate([booked, missed])
    again = np.repeat([False, True], [len(booked), len(missed)])
    n = len(person)
    at = block.trial_booked_at[person]
    due = np.where(again, at // DAY + 1, asked.trial_on[person]) * DAY + np.asarray(
        pick(rng, n, [10, 14, 15, 18], [0.3, 0.3, 0.2, 0.2])) * 3_600  # fmt: skip
    shows = asked.trial_shows[person] & ~again
    held = np.where(shows, asked.trial_on[person] * DAY + 15 * 3_600, due)
    # The kept trial of somebody who missed one was booked after that.
    rebooked = np.isin(person, missed) & ~again
    booked_at = np.where(rebooked, np.minimum(at + 2 * DAY, held - 3_600), at)
    cancels = ~shows & chance(rng, 0.35, n)
    offered = block.timetable.course
    course = offered[rng.integers(0, len(offered), n)]
    made = sheet("trials", booked_at, {
        "trial_id": people.ids(n),
        "lead_id": people.lead_id[person],
        "campus_id": block.campus_id,
        "course_id": catalogue.course_id(course),
        "teacher_id": frame.teacher_id(people.campus, course // 3, rng.integers(0, frame.TEACHERS_PER_SUBJECT, n)),
        "booked_at": booked_at,
        "scheduled_at": held,
        "status": "booked",
    })  # fmt: skip
    cancelled = np.where(
        cancels, np.maximum(booked_at + 600, held - uniform(rng, n, 2 * 3_600, 40 * 3_600)), FAR * DAY
    )
    made.change(cancelled, status="cancelled", cancelled_at=cancelled)
    made.change(
        np.where(cancels, FAR * DAY, held + 3_600),
        status=words(shows, "attended", "no_show"),
    )
    block.add(made)


def _contracts(block: Block) -> None:
    rng, people, lines = block.rng("signing"), block.people, block.stories.lines
    own = np.flatnonzero(lines.shares_order < 0)
    signed = np.flatnonzero(has_contract(block))
    line = own[signed]
    person = lines.person[line]
    first = lines.bought_on[line] == block.stories.enquiries.bought_on[person]
    at = block.placed_at[line]
    made = sheet("contracts", at, {
        "contract_id": contract_ids(block)[signed],
        "lead_id": np.where(first, people.lead_id[person], NONE),
        "learner_id": people.learner_id[person],
        "contact_id": people.contact_id[person],
        "campus_id": block.campus_id,
        "order_id": block.number * BIG_STRIDE + 1 + signed,
        "status": "signed",
        "signed_at": at,
    })  # fmt: skip
    gone = moments(rng, lines.cut_on[line], 18, 20)
    made.change(gone, status="cancelled", cancelled_at=gone)
    block.add(made)


def _handovers(block: Block) -> None:
    """From sales to teaching, after the first purchase."""
    rng, people, stories = block.rng("handovers"), block.people, block.stories
    row = np.flatnonzero((stories.runs.number == 1) & chance(rng, 0.94, len(stories.runs.person)))
    person = stories.runs.person[row]
    n = len(row)
    paid = first_paid(block)[person]
    at = paid + uniform(rng, n, 3_600, 3 * DAY)
    pains = ["计算粗心，审题不仔细", "注意力容易分散", "基础薄弱，跟不上进度", "缺少练习机会", "孩子怕开口说"]
    goals = ["期末提高十分", "养成每天练习的习惯", "通过等级考试", "培养兴趣", "考上理想学校"]
    plans = ["先测评再查漏补缺", "第一课以游戏建立信心", "复习上学期重点", "从绘本阅读开始"]
    made = sheet("handovers", at, {
        "handover_id": people.ids(n),
        "learner_id": people.learner_id[person],
        "advisor_id": block.advisor[person],
        "teacher_id": frame.teacher_id(people.campus, block.timetable.course[0] // 3, rng.integers(0, 3, n)),
        "pain_points": pick(rng, n, pains),
        "goals": pick(rng, n, goals),
        "first_lesson_plan": pick(rng, n, plans),
        "handed_over_at": at,
    })  # fmt: skip
    papers = at + uniform(rng, n, 600, 2 * DAY)
    account = papers + uniform(rng, n, 600, DAY)
    table = account + uniform(rng, n, 600, 2 * DAY)
    made.change(papers, documents_at=papers)
    made.change(account, account_at=account)
    made.change(table, timetable_at=table)
    accepted = np.where(chance(rng, 0.96, n), table + uniform(rng, n, 600, DAY), FAR * DAY)
    made.change(accepted, accepted_at=accepted)
    block.add(made)


def _referrals(block: Block) -> None:
    """Referrals and, once the new customer has paid, rewards to both sides."""
    rng, people = block.rng("referrals"), block.people
    referred = np.flatnonzero(people.referrer >= 0)
    by = people.referrer[referred]
    n = len(referred)
    at = block.lead_at[referred] + uniform(rng, n, 30, 600)
    ids = people.ids(n)
    referrals = sheet("referrals", at, {
        "referral_id": ids,
        "referrer_learner_id": people.learner_id[by],
        "referrer_contact_id": people.contact_id[by],
        "referred_lead_id": people.lead_id[referred],
        "source_type": pick(rng, n, ["classmate", "neighbour", "colleague", "online", "other"], [0.4, 0.25, 0.15, 0.15, 0.05]),
        "referred_at": at,
    })  # fmt: skip
    paid = first_paid(block)[referred]
    both = np.repeat(np.flatnonzero((paid < FAR * DAY) & chance(rng, 0.9, n)), 2)
    side = np.arange(len(both)) % 2
    granted = paid[both] + uniform(rng, len(both), DAY, 10 * DAY)
    who = np.where(side == 0, by[both], referred[both])
    rewards = sheet("rewards", granted, {
        "reward_id": people.ids(len(both)),
        "referral_id": ids[both],
        "beneficiary": words(side == 0, "referrer", "referred"),
        "learner_id": people.learner_id[who],
        "kind": pick(rng, len(both), ["lessons", "cash", "voucher", "gift"], [0.4, 0.15, 0.3, 0.15]),
        "amount": uniform(rng, len(both), 1, 4) * 10_000,
        "currency": "CNY",
        "granted_at": granted,
    })  # fmt: skip
    block.add(referrals, rewards)

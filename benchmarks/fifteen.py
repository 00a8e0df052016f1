"""The fifteen questions of a dashboard, asked of tables made for them.

`{marts}` stands for the schema. A question is the query behind one page: it reads what the page shows, no more.
"""

from __future__ import annotations

#: Question -> SQL.
FIFTEEN: dict[str, str] = {
    "1 customers by stage now, by campus": """
        select campus_id, stage_code, sum(customers)
        from {marts}.fct_stage_day
        where day_on = (select max(day_on) from {marts}.fct_stage_day)
        group by campus_id, stage_code
    """,
    "2 flow between stages by month": """
        select date_trunc('month', transition_on), layer, from_code, to_code, count(*), count(distinct customer_id)
        from {marts}.fct_lifecycle_transition
        group by 1, 2, 3, 4
    """,
    "3 funnel by channel": """
        select channel_code, step_no, step_code, sum(new_leads), sum(reached_leads)
        from {marts}.mart_funnel
        where is_mature
        group by channel_code, step_no, step_code
    """,
    "4 lead conversion by cohort": """
        select cohort_on, sum(new_leads), sum(reached_leads),
            round(sum(reached_leads)::numeric / nullif(sum(new_leads), 0), 3)
        from {marts}.mart_funnel
        where step_no = (select max(step_no) from {marts}.mart_funnel)
        group by cohort_on
    """,
    "5 cost, return and lifetime value by channel": """
        select channel_code, sum(cost_amount), sum(new_payers), sum(revenue_to_date_amount), sum(ltv_historic_amount),
            sum(ltv_predicted_12m_amount)
        from {marts}.mart_channel_roi
        group by channel_code
    """,
    "6 renewal rate by due month and campus": """
        select month_on, campus_id, due_enrolments, renewed_enrolments, renewal_rate
        from {marts}.mart_campus_loyalty
        where is_renewal_mature
    """,
    "7 due in the next 30 days": """
        select due.customer_id, due.due_on, due.balance_hours, due.renewal_probability, owners.advisor_id
        from {marts}.mart_renewal as due
        left join {marts}.dim_customer_owner as owners on owners.customer_id = due.customer_id
        where due.days_to_due between 0 and 30
        order by due.due_on, due.customer_id
    """,
    "8 in danger, why, whose customer": """
        select customers.customer_id, signals.signal_code, signals.evidence, signals.opened_on, owners.advisor_id
        from {marts}.dim_customer as customers
        inner join {marts}.fct_risk_signal as signals
            on signals.customer_id = customers.customer_id and signals.closed_on is null
        left join {marts}.dim_customer_owner as owners on owners.customer_id = customers.customer_id
        where customers.current_stage = 'danger' and customers.is_reportable
        order by signals.priority, customers.customer_id
    """,
    "9 leavers by reason and stage": """
        select churn_reason_class, from_code, count(*)
        from {marts}.fct_lifecycle_transition
        where layer = 'base' and reason_code in ('lapsed', 'withdrew', 'refunded')
        group by churn_reason_class, from_code
    """,
    "10 win-back rate by reason and offer": """
        select leavings.churn_reason_class, interviews.offer_code, count(*), count(back.customer_id)
        from {marts}.fct_lifecycle_transition as leavings
        left join {marts}.fct_lifecycle_transition as back
            on
                back.customer_id = leavings.customer_id
                and back.reason_code = 'won_back'
                and back.run_no = leavings.run_no + 1
                and back.transition_on < leavings.transition_on + 180
        left join {marts}.fct_exit_interview as interviews
            on
                interviews.customer_id = leavings.customer_id
                and interviews.interviewed_on between leavings.transition_on - 60 and leavings.transition_on + 60
        where leavings.layer = 'base' and leavings.reason_code in ('lapsed', 'withdrew', 'refunded')
        group by leavings.churn_reason_class, interviews.offer_code
    """,
    "11 retention by cohort": """
        select cohort_on, months_since, sum(cohort_customers), sum(active_customers)
        from {marts}.mart_retention_cohort
        where is_mature
        group by cohort_on, months_since
    """,
    "12 the twelve customer types": """
        select types.name_en, types.strategy_en, sum(summary.customers), sum(summary.net_paid_12m_amount)
        from {marts}.mart_segment_summary as summary
        inner join {marts}.dim_customer_type as types on types.type_code = summary.type_code
        group by types.ordinal, types.name_en, types.strategy_en
        order by types.ordinal
    """,
    "13 billings, recognised and deferred revenue by day": """
        select day_on, currency, sum(billings), sum(refunds), sum(recognised), sum(closing)
        from {marts}.fct_deferred_revenue_day
        group by day_on, currency
    """,
    "14 attendance and homework by class and week": """
        select week_on, class_id, scheduled_seats, attended_seats, homework_due, homework_on_time
        from {marts}.fct_class_week
        where week_on > (select max(week_on) from {marts}.fct_class_week) - 84
        order by week_on, class_id
    """,
    "15 campus scoreboard": """
        select campuses.campus_name, boards.*
        from {marts}.mart_campus_scoreboard as boards
        inner join {marts}.dim_campus as campuses on campuses.campus_id = boards.campus_id
        where boards.month_on >= (select max(month_on) from {marts}.mart_campus_scoreboard) - interval '12 months'
    """,
}

-- One row per reportable customer and day of a run: what was known of the customer at the end of that day, in numbers.
{% set before = standing_rows() %}
with

feature_days as (
    {{ feature_days() }}
),

spans as (
    select * from {{ ref('fct_lifecycle_span') }}
    where phase_code = 'existing'
),

runs as (
    select
        customer_id,
        run_no,
        min(valid_from) as started_on
    from spans
    group by customer_id, run_no
),

stages as (
    select * from {{ ref('dim_lifecycle_stage') }}
),

{% if before %}

    -- Built again on the same day: what was known of a customer who has not changed since.
    kept as (
        select before.*
        from {{ before }} as before
        where
            before.day_on = {{ as_of() }}
            and not exists (
                select 1
                from {{ ref('changed_customer') }} as changed
                where changed.customer_id = before.customer_id
            )
    ),

{% endif %}

running as (
    select
        spans.customer_id,
        customers.campus_id,
        feature_days.day_on,
        spans.run_no,
        spans.base_stage,
        stages.ordinal as stage_ordinal,
        runs.started_on,
        customers.first_purchase_on
    from feature_days
    inner join spans
        on
            spans.valid_from <= feature_days.day_on
            and (spans.valid_to is null or spans.valid_to > feature_days.day_on)
    inner join {{ ref('dim_customer') }} as customers on customers.customer_id = spans.customer_id
    inner join runs
        on
            runs.customer_id = spans.customer_id
            and runs.run_no = spans.run_no
    inner join stages on stages.stage_code = spans.base_stage
    where customers.is_reportable
),

customers as (
    select running.*
    from running
    {% if before %}
        where
            not exists (
                select 1 from kept
                where kept.customer_id = running.customer_id
            )
    {% endif %}
),

signals as (
    select
        customers.customer_id,
        customers.day_on,
        count(
            case when signals.closed_on is null or signals.closed_on > customers.day_on then 1 end
        ) as open_signals,
        count(
            case
                when
                    signals.signal_class = 'voice'
                    and (signals.closed_on is null or signals.closed_on > customers.day_on)
                    then 1
            end
        ) as voice_signals,
        count(
            case
                when
                    signals.signal_class = 'behaviour'
                    and (signals.closed_on is null or signals.closed_on > customers.day_on)
                    then 1
            end
        ) as behaviour_signals,
        count(case when signals.opened_on > {{ add_days('customers.day_on', -90) }} then 1 end) as signals_90d,
        -- In the grace days the last day of entitlement was the one before.
        max(
            case
                when
                    signals.signal_code = 'lapsing'
                    and (signals.closed_on is null or signals.closed_on > customers.day_on)
                    then {{ add_days('signals.opened_on', -1) }}
            end
        ) as lapsed_on
    from customers
    inner join {{ ref('fct_risk_signal') }} as signals
        on
            signals.customer_id = customers.customer_id
            and signals.opened_on <= customers.day_on
    group by customers.customer_id, customers.day_on
),

-- Many facts are added up before they are joined: that is less than to join them first.
study as (
    select
        study_days.customer_id,
        feature_days.day_on,
        count(case when study_days.study_on > {{ add_days('feature_days.day_on', -28) }} then 1 end)
            as study_days_28d,
        count(
            case
                when
                    study_days.study_on > {{ add_days('feature_days.day_on', -56) }}
                    and study_days.study_on <= {{ add_days('feature_days.day_on', -28) }}
                    then 1
            end
        ) as study_days_before,
        max(study_days.study_on) as last_study_on
    from feature_days
    inner join {{ ref('int_study_day') }} as study_days on study_days.study_on <= feature_days.day_on
    where study_days.customer_id in (select customers.customer_id from customers)
    group by study_days.customer_id, feature_days.day_on
),

attendance as (
    select
        attendance.customer_id,
        feature_days.day_on,
        avg(
            case attendance.outcome_class when 'absent' then cast(1 as double precision) when 'attended' then 0 end
        ) as absence_rate,
        sum(case when attendance.outcome_class = 'attended' then attendance.hours end) as attended_hours
    from feature_days
    inner join {{ ref('fct_attendance') }} as attendance
        on
            attendance.lesson_on <= feature_days.day_on
            and attendance.lesson_on > {{ add_days('feature_days.day_on', -56) }}
    where attendance.customer_id in (select customers.customer_id from customers)
    group by attendance.customer_id, feature_days.day_on
),

homework as (
    select
        homework.customer_id,
        feature_days.day_on,
        avg(
            case when homework.submitted_on <= homework.due_on then cast(1 as double precision) else 0 end
        ) as homework_rate
    from feature_days
    inner join {{ ref('fct_homework') }} as homework
        on
            homework.due_on <= feature_days.day_on
            and homework.due_on > {{ add_days('feature_days.day_on', -56) }}
    where homework.customer_id in (select customers.customer_id from customers)
    group by homework.customer_id, feature_days.day_on
),

tests as (
    select
        customers.customer_id,
        customers.day_on,
        avg(tests.score_rate) as test_rate
    from customers
    inner join {{ ref('fct_assessment') }} as tests
        on
            tests.customer_id = customers.customer_id
            and tests.taken_on <= customers.day_on
            and tests.taken_on > {{ add_days('customers.day_on', -180) }}
            and not tests.is_banked
    group by customers.customer_id, customers.day_on
),

{% if var('purchase_event') == 'enrolment' %}

    -- No payment system is connected: an enrolment is the purchase, its teaching period the line.
    lines as (
        select
            enrolment_id as line_id,
            customer_id,
            'period' as kind,
            false as is_gift,
            enrolled_on as granted_on,
            ends_on,
            cast(0 as numeric) as total_hours
        from {{ ref('fct_enrolment') }}
    ),

{% else %}

    lines as (
        select
            order_line_id as line_id,
            customer_id,
            kind,
            is_gift,
            granted_on,
            ends_on,
            coalesce(paid_hours, 0) + coalesce(gift_hours, 0) as total_hours
        from {{ ref('fct_order_line') }}
        where granted_on is not null
    ),

{% endif %}

purchases as (
    select
        customers.customer_id,
        customers.day_on,
        -- Several orders of one day are one purchase.
        count(distinct lines.granted_on) as purchases,
        max(lines.granted_on) as last_purchase_on
    from customers
    inner join lines
        on
            lines.customer_id = customers.customer_id
            and lines.granted_on <= customers.day_on
    where not lines.is_gift
    group by customers.customer_id, customers.day_on
),

-- A line is over once all enrolments that it paid for were left, or the whole of it was paid back.
left_lines as (
    select
        customers.day_on,
        {{ 'enrolments.enrolment_id' if var('purchase_event') == 'enrolment' else 'enrolments.order_line_id' }}
            as line_id
    from customers
    inner join {{ ref('fct_enrolment') }} as enrolments
        on
            enrolments.customer_id = customers.customer_id
            and enrolments.enrolled_on <= customers.day_on
    group by 1, 2
    having min(case when enrolments.withdrawn_on <= customers.day_on then 1 else 0 end) = 1
),

returned_lines as (
    select
        order_line_id as line_id,
        min(resolved_on) as returned_on
    from {{ ref('fct_refund') }}
    where
        is_whole_line
        and resolution = 'paid'
        and order_line_id is not null
    group by order_line_id
),

consumed as (
    select
        consumption.customer_id,
        feature_days.day_on,
        consumption.lot_id as line_id,
        sum(consumption.hours) as hours
    from feature_days
    inner join {{ ref('fct_lesson_consumption') }} as consumption on consumption.lesson_on <= feature_days.day_on
    where consumption.customer_id in (select customers.customer_id from customers)
    group by consumption.customer_id, feature_days.day_on, consumption.lot_id
),

open_lines as (
    select
        customers.customer_id,
        customers.day_on,
        lines.kind,
        lines.ends_on,
        case when lines.kind = 'package' then greatest(lines.total_hours - coalesce(consumed.hours, 0), 0) end
            as hours_left
    from customers
    inner join lines
        on
            lines.customer_id = customers.customer_id
            and lines.granted_on <= customers.day_on
            and (lines.ends_on is null or lines.ends_on >= customers.day_on)
    left join left_lines
        on
            left_lines.line_id = lines.line_id
            and left_lines.day_on = customers.day_on
    left join returned_lines
        on
            returned_lines.line_id = lines.line_id
            and returned_lines.returned_on <= customers.day_on
    left join consumed
        on
            consumed.customer_id = customers.customer_id
            and consumed.day_on = customers.day_on
            and consumed.line_id = lines.line_id
    where
        left_lines.line_id is null
        and returned_lines.line_id is null
),

balances as (
    select
        customer_id,
        day_on,
        sum(hours_left) as hours_left,
        max(case when kind = 'period' then ends_on end) as period_ends_on,
        max(case when hours_left > 0 then coalesce(ends_on, {{ far_day() }}) end) as package_expires_on
    from open_lines
    group by customer_id, day_on
),

-- The last day that what is bought reaches to: packages at the pace of eight weeks, but not beyond their expiry.
dues as (
    select
        customers.customer_id,
        customers.day_on,
        coalesce(balances.hours_left, 0) as hours_left,
        coalesce(
            greatest(
                balances.period_ends_on,
                case
                    when balances.hours_left > 0 and attendance.attended_hours > 0
                        then
                            least(
                                balances.package_expires_on,
                                {{ add_days(
                                    'customers.day_on',
                                    'ceil(least(56 * balances.hours_left / attendance.attended_hours, 3650))'
                                ) }}
                            )
                    -- Nobody knows the pace of who has had no lesson yet.
                    when balances.package_expires_on < {{ far_day() }} then balances.package_expires_on
                end
            ),
            signals.lapsed_on
        ) as due_on
    from customers
    left join balances
        on
            balances.customer_id = customers.customer_id
            and balances.day_on = customers.day_on
    left join attendance
        on
            attendance.customer_id = customers.customer_id
            and attendance.day_on = customers.day_on
    left join signals
        on
            signals.customer_id = customers.customer_id
            and signals.day_on = customers.day_on
),

moved as (
    {{ cash_moved() }}
),

money as (
    select
        customers.customer_id,
        customers.day_on,
        sum(moved.amount) as net_paid
    from customers
    inner join moved
        on
            moved.customer_id = customers.customer_id
            and moved.day_on <= customers.day_on
            and moved.day_on > {{ add_days('customers.day_on', -365) }}
    group by customers.customer_id, customers.day_on
),

{% for part, relation, day in [
    ('complaints', 'fct_complaint', 'opened_on'),
    ('refund_requests', 'fct_refund', 'requested_on'),
    ('referrals', 'fct_referral', 'referred_on'),
] %}
    {{ part }} as (
        select
            customers.customer_id,
            customers.day_on,
            count(*) as facts
        from customers
        inner join {{ ref(relation) }} as facts
            on
                facts.customer_id = customers.customer_id
                and facts.{{ day }} <= customers.day_on
                {% if part != 'referrals' %}
                    and facts.{{ day }} > {{ add_days('customers.day_on', -365) }}
                {% endif %}
        group by customers.customer_id, customers.day_on
    ),
{% endfor %}

answers as (
    select
        customers.customer_id,
        customers.day_on,
        surveys.score,
        -- Of several at one instant the lower counts.
        row_number() over (
            partition by customers.customer_id, customers.day_on
            order by surveys.responded_at desc, surveys.score, surveys.survey_id
        ) as answer_no
    from customers
    inner join {{ ref('fct_survey') }} as surveys
        on
            surveys.customer_id = customers.customer_id
            and surveys.kind = 'nps'
            and surveys.responded_on <= customers.day_on
            and surveys.responded_on > {{ add_days('customers.day_on', -365) }}
)

select
    customers.customer_id,
    customers.day_on,
    customers.campus_id,
    customers.base_stage,
    dues.due_on,
{% for feature, expression in {
    'tenure_days': days_between('customers.first_purchase_on', 'customers.day_on'),
    'run_days': days_between('customers.started_on', 'customers.day_on'),
    'run_no': 'customers.run_no',
    'stage_ordinal': 'customers.stage_ordinal',
    'danger': 'case when signals.open_signals > 0 then 1 else 0 end',
    'voice_signals': 'coalesce(signals.voice_signals, 0)',
    'behaviour_signals': 'coalesce(signals.behaviour_signals, 0)',
    'signals_90d': 'coalesce(signals.signals_90d, 0)',
    'study_days_28d': 'coalesce(study.study_days_28d, 0)',
    'study_trend': 'coalesce(study.study_days_28d - study.study_days_before, 0)',
    'days_since_study': capped(days_between('study.last_study_on', 'customers.day_on'), 365),
    'absence_rate_56d': 'attendance.absence_rate',
    'homework_rate_56d': 'homework.homework_rate',
    'test_rate_180d': 'tests.test_rate',
    'purchases': 'coalesce(purchases.purchases, 0)',
    'days_since_purchase': days_between('purchases.last_purchase_on', 'customers.day_on'),
    'net_paid_365d': 'coalesce(money.net_paid, 0)',
    'hours_left': 'dues.hours_left',
    'days_to_due': capped(days_between('customers.day_on', 'dues.due_on'), 3650),
    'complaints_365d': 'coalesce(complaints.facts, 0)',
    'nps_score': 'answers.score',
    'refund_requests_365d': 'coalesce(refund_requests.facts, 0)',
    'referrals': 'coalesce(referrals.facts, 0)',
}.items() %}
    cast({{ expression }} as double precision) as {{ feature }}{{ ',' if not loop.last }}
{% endfor %}
from customers
inner join dues
    on
        dues.customer_id = customers.customer_id
        and dues.day_on = customers.day_on
{% for part in [
    'signals', 'study', 'attendance', 'homework', 'tests', 'purchases', 'money', 'complaints', 'refund_requests',
    'referrals', 'answers',
] %}
    left join {{ part }}
        on
            {{ part }}.customer_id = customers.customer_id
            and {{ part }}.day_on = customers.day_on
            {{ 'and answers.answer_no = 1' if part == 'answers' }}
{% endfor %}
{% if before %}
    union all
    select
        customer_id,
        day_on,
        campus_id,
        base_stage,
        due_on,
        {{ customer_features().split(',') | join(',
        ') }}
    from kept
{% endif %}

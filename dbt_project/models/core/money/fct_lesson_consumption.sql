-- One row per lesson outcome and lot that covers hours of it; hours that no lot covers are a row without a lot.
with

taken as (
    select * from {{ ref('int_lesson_lot') }}
),

lessons as (
    select * from {{ ref('int_lesson_use') }}
),

lots as (
    select * from {{ ref('fct_lot') }}
),

lot_money as (
    select * from {{ ref('int_lot_money') }}
),

consumed as (
    select
        taken.consumption_id,
        taken.customer_id,
        -- Revenue is the campus's that sold; hours that nobody sold are the campus's that taught.
        coalesce(lots.campus_id, lessons.lesson_campus_id) as campus_id,
        lessons.lesson_campus_id,
        taken.attendance_id,
        lessons.lesson_id,
        lessons.course_id,
        coalesce(lots.product_line, lessons.product_line) as product_line,
        lessons.outcome,
        taken.lot_id,
        coalesce(lots.kind, 'none') as coverage,
        taken.hours,
        lots.currency,
        lots.total_units,
        -- What the lot had brought by the end of the lesson's day.
        coalesce(lot_money.value_after_amount, 0) as value_amount,
        sum(taken.hours) over (partition by taken.lot_id order by lessons.lesson_no) as hours_so_far,
        lessons.lesson_on,
        lessons.lesson_at
    from taken
    inner join lessons on lessons.attendance_id = taken.attendance_id
    left join lots on lots.lot_id = taken.lot_id
    left join lot_money
        on
            lot_money.lot_id = taken.lot_id
            and lot_money.day_on <= lessons.lesson_on
            and (lot_money.next_change_on is null or lot_money.next_change_on > lessons.lesson_on)
)

select
    consumption_id,
    customer_id,
    campus_id,
    lesson_campus_id,
    attendance_id,
    lesson_id,
    course_id,
    product_line,
    outcome,
    lot_id,
    coverage,
    hours,
    cast(
        case
            when coverage = 'package'
                then
                    {{ earned_amount('value_amount', 'hours_so_far', 'total_units') }}
                    - {{ earned_amount('value_amount', '(hours_so_far - hours)', 'total_units') }}
            else 0
        end as numeric(18, 2)
    ) as revenue_amount,
    currency,
    lesson_on,
    lesson_at
from consumed

-- One row per right to learn that was granted by the day of the build, with its first cut.
with

changed as (
    select * from {{ ref('changed_customer') }}
),

enrolments as (
    select fct_enrolment.*
    from changed
    inner join {{ ref('fct_enrolment') }} as fct_enrolment on fct_enrolment.customer_id = changed.customer_id
),

{% if var('purchase_event') == 'enrolment' %}

    -- No payment system is connected: an enrolment is the purchase, its teaching period the line.
    lines as (
        select
            enrolment_id as line_id,
            customer_id,
            campus_id,
            enrolment_id as order_id,
            false as is_gift,
            'period' as kind,
            enrolled_on as granted_on,
            starts_on,
            ends_on,
            cast(null as numeric(10, 2)) as lessons,
            delivery
        from enrolments
    ),

    cuts as (
        select
            enrolment_id as line_id,
            withdrawn_on as cut_on,
            'withdrew' as cut_by,
            1 as place,
            'enrolments' as cut_cause_table,
            enrolment_id as cut_cause_id
        from enrolments
        where withdrawn_on is not null
    ),

{% else %}

    order_lines as (
        select fct_order_line.*
        from changed
        inner join {{ ref('fct_order_line') }} as fct_order_line on fct_order_line.customer_id = changed.customer_id
    ),

    refunds as (
        select fct_refund.*
        from changed
        inner join {{ ref('fct_refund') }} as fct_refund on fct_refund.customer_id = changed.customer_id
    ),

    -- An order that was not paid yet, or a gift cancelled or still to come, has granted nothing.
    lines as (
        select
            order_line_id as line_id,
            customer_id,
            campus_id,
            order_id,
            is_gift,
            kind,
            granted_on,
            starts_on,
            ends_on,
            case when kind = 'package' then coalesce(paid_hours, 0) + coalesce(gift_hours, 0) end as lessons,
            delivery
        from order_lines
        where granted_on is not null
    ),

    -- Leaving one class of several that a line pays for (a change of class, say) is no farewell: the line is cut
    -- by the withdrawal after which none of its enrolments goes on.
    withdrawals as (
        select leaving.*
        from enrolments as leaving
        left join enrolments as staying
            on
                staying.order_line_id = leaving.order_line_id
                and staying.enrolment_id <> leaving.enrolment_id
                and staying.enrolled_on <= leaving.withdrawn_on
                and (staying.withdrawn_on is null or staying.withdrawn_on > leaving.withdrawn_on)
                and (staying.completed_on is null or staying.completed_on > leaving.withdrawn_on)
        where
            leaving.withdrawn_on is not null
            and staying.enrolment_id is null
    ),

    cuts as (
        select
            order_line_id as line_id,
            withdrawn_on as cut_on,
            'withdrew' as cut_by,
            1 as place,
            'enrolments' as cut_cause_table,
            enrolment_id as cut_cause_id
        from withdrawals
        where order_line_id is not null
        union all
        -- A refund of a whole line cuts it on the day it is paid; one that names no line gives up the whole order.
        select
            lines.line_id,
            refunds.resolved_on as cut_on,
            'refunded' as cut_by,
            2 as place,
            'refunds' as cut_cause_table,
            refunds.refund_id as cut_cause_id
        from refunds
        inner join lines
            on
                lines.order_id = refunds.order_id
                and lines.line_id = coalesce(refunds.order_line_id, lines.line_id)
        where
            refunds.is_whole_line
            and refunds.resolution = 'paid'
    ),

{% endif %}

first_cuts as (
    select
        cuts.*,
        -- Both on one day: the withdrawal counts.
        row_number() over (
            partition by cuts.line_id
            order by cuts.cut_on, cuts.place, cuts.cut_cause_id
        ) as cut_no
    from cuts
)

select
    lines.line_id,
    lines.customer_id,
    lines.campus_id,
    lines.order_id,
    lines.is_gift,
    lines.kind,
    lines.granted_on,
    lines.starts_on,
    lines.ends_on,
    lines.lessons,
    lines.delivery,
    first_cuts.cut_on,
    first_cuts.cut_by,
    first_cuts.cut_cause_table,
    first_cuts.cut_cause_id
from lines
left join first_cuts
    on
        first_cuts.line_id = lines.line_id
        and first_cuts.cut_no = 1

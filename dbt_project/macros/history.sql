{# What histories of attributes share. #}

{# Common table expressions, the last of them `changed`: of a customer's rows by day in `by_day` (with all attributes as one
   value `attributes`) those on which an attribute changed, numbered (version_no), with the day of the next (valid_to). #}
{% macro days_of_change(day) -%}
    compared as (
        select
            by_day.*,
            lag(attributes) over (partition by customer_id order by {{ day }}) as attributes_before,
            row_number() over (partition by customer_id order by {{ day }}) as change_no
        from by_day
    ),

    changed as (
        select
            compared.*,
            row_number() over (partition by compared.customer_id order by compared.{{ day }}) as version_no,
            lead(compared.{{ day }}) over (partition by compared.customer_id order by compared.{{ day }}) as valid_to
        from compared
        where
            change_no = 1
            or attributes <> attributes_before
    )
{%- endmacro %}

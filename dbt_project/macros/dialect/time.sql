{# The day of an instant in the institution's time zone. #}
{% macro day_of(instant) -%}
    {{ return(adapter.dispatch('day_of')(instant)) }}
{%- endmacro %}

{% macro default__day_of(instant) -%}
    cast(({{ instant }}) at time zone '{{ var("institution_timezone") }}' as date)
{%- endmacro %}

{% macro spark__day_of(instant) -%}
    to_date(from_utc_timestamp({{ instant }}, '{{ var("institution_timezone") }}'))
{%- endmacro %}

{# A day some days later (earlier when negative). `days` may be a column or a number. #}
{% macro add_days(day, days) -%}
    {{ return(adapter.dispatch('add_days')(day, days)) }}
{%- endmacro %}

{% macro default__add_days(day, days) -%}
    ({{ day }} + cast({{ days }} as integer))
{%- endmacro %}

{% macro spark__add_days(day, days) -%}
    date_add({{ day }}, cast({{ days }} as int))
{%- endmacro %}

{# Whole days from one day to another: positive when `later` is later. #}
{% macro days_between(earlier, later) -%}
    {{ return(adapter.dispatch('days_between')(earlier, later)) }}
{%- endmacro %}

{% macro default__days_between(earlier, later) -%}
    ({{ later }} - {{ earlier }})
{%- endmacro %}

{% macro spark__days_between(earlier, later) -%}
    datediff({{ later }}, {{ earlier }})
{%- endmacro %}

{# First day of the period that holds a day; a week begins on Monday. period: week, month, quarter or year. #}
{% macro start_of(period, day) -%}
    {{ return(adapter.dispatch('start_of')(period, day)) }}
{%- endmacro %}

{# The cast to timestamp keeps the session's time zone out of it. #}
{% macro default__start_of(period, day) -%}
    cast(date_trunc('{{ period }}', cast({{ day }} as timestamp)) as date)
{%- endmacro %}

{% macro spark__start_of(period, day) -%}
    cast(date_trunc('{{ period }}', {{ day }}) as date)
{%- endmacro %}

{# ISO number of a day's weekday, 1 for Monday to 7 for Sunday. #}
{% macro weekday_of(day) -%}
    {{ return(adapter.dispatch('weekday_of')(day)) }}
{%- endmacro %}

{% macro default__weekday_of(day) -%}
    cast(extract(isodow from {{ day }}) as integer)
{%- endmacro %}

{% macro spark__weekday_of(day) -%}
    (weekday({{ day }}) + 1)
{%- endmacro %}

{# A table of days, `day_on`, from the first to the last given (both in it). #}
{% macro days(first, last) -%}
    {{ return(adapter.dispatch('days')(first, last)) }}
{%- endmacro %}

{% macro default__days(first, last) -%}
    select cast(day_at as date) as day_on
    from generate_series(cast({{ first }} as timestamp), cast({{ last }} as timestamp), interval '1 day') as series (day_at)
{%- endmacro %}

{% macro spark__days(first, last) -%}
    select explode(sequence({{ first }}, {{ last }}, interval 1 day)) as day_on
{%- endmacro %}

{# Hours from one instant to another, with their fraction. #}
{% macro hours_between(earlier, later) -%}
    {{ return(adapter.dispatch('hours_between')(earlier, later)) }}
{%- endmacro %}

{% macro default__hours_between(earlier, later) -%}
    (extract(epoch from ({{ later }} - {{ earlier }})) / 3600)
{%- endmacro %}

{% macro spark__hours_between(earlier, later) -%}
    ((unix_timestamp({{ later }}) - unix_timestamp({{ earlier }})) / 3600)
{%- endmacro %}

{# The ISO week of a day as text, 2026-W10. #}
{% macro iso_week(day) -%}
    {{ return(adapter.dispatch('iso_week')(day)) }}
{%- endmacro %}

{% macro default__iso_week(day) -%}
    to_char({{ day }}, 'IYYY"-W"IW')
{%- endmacro %}

{# The week belongs to the year of its Thursday. #}
{% macro spark__iso_week(day) -%}
    concat(extract(yearofweek from {{ day }}), '-W', lpad(cast(weekofyear({{ day }}) as string), 2, '0'))
{%- endmacro %}

{# An instant on the clock of the institution. #}
{% macro local_time(instant) -%}
    {{ return(adapter.dispatch('local_time')(instant)) }}
{%- endmacro %}

{% macro default__local_time(instant) -%}
    (({{ instant }}) at time zone '{{ var("institution_timezone") }}')
{%- endmacro %}

{% macro spark__local_time(instant) -%}
    from_utc_timestamp({{ instant }}, '{{ var("institution_timezone") }}')
{%- endmacro %}

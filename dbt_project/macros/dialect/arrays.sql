{# A lateral table of one row: what is left of each lot, and what is taken from it, after `wanted` hours are taken from
   `hours_left` in the order of `preferences` (the lower first, then the earlier lot; null: not to be used). All three
   are arrays in the order of the lots: hours_left and hours_taken come out. #}
{% macro take_hours(hours_left, preferences, wanted) -%}
    {{ return(adapter.dispatch('take_hours')(hours_left, preferences, wanted)) }}
{%- endmacro %}

{% macro default__take_hours(hours_left, preferences, wanted) -%}
    lateral (
        select
            array_agg(shared.hours_left - shared.hours_taken order by shared.lot_no) as hours_left,
            array_agg(shared.hours_taken order by shared.lot_no) as hours_taken
        from (
            select
                lots.lot_no,
                lots.hours_left,
                case
                    when lots.preference is null then 0
                    else
                        least(lots.hours_left, greatest({{ wanted }} - coalesce(
                            sum(case when lots.preference is not null then lots.hours_left end) over (
                                order by lots.preference asc nulls last, lots.lot_no asc
                                rows between unbounded preceding and 1 preceding
                            ), 0
                        ), 0))
                end as hours_taken
            from unnest({{ hours_left }}, {{ preferences }})
                with ordinality as lots (hours_left, preference, lot_no)
        ) as shared
    )
{%- endmacro %}

{# A lateral table of the elements of an array with their place from 1. #}
{% macro elements(items) -%}
    {{ return(adapter.dispatch('elements')(items)) }}
{%- endmacro %}

{% macro default__elements(items) -%}
    lateral (
        select
            listed.element,
            listed.place
        from unnest({{ items }}) with ordinality as listed (element, place)
    )
{%- endmacro %}

{# The points of a number by a scale of bands: they begin at `<scale>_values` (ascending, the first below every number) and
   give `<scale>_points`. #}
{% macro points_of(number, scale) -%}
    {{ return(adapter.dispatch('points_of')(number, scale)) }}
{%- endmacro %}

{% macro default__points_of(number, scale) -%}
    {{ scale }}_points[width_bucket({{ number }}, {{ scale }}_values)]
{%- endmacro %}

{% test refers_to(model, column, to, field) %}
-- What: a row names something that the other table does not hold.
-- Why it matters: a join with that table loses the row, and totals differ between two ways of asking.
-- What to do: see whether the row it names was deleted in its source while this one stayed.
with

tested as (
    select * from {{ model }}
)

select tested.{{ column }}
from tested
left join {{ to }} as named on named.{{ field }} = tested.{{ column }}
where
    tested.{{ column }} is not null
    and named.{{ field }} is null

{% endtest %}

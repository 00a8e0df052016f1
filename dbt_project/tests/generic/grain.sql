{% test grain(model, columns) %}
-- What: two rows share a key, or a key column is empty.
-- Why it matters: every join on the key multiplies or loses rows, and every count after it is wrong.
-- What to do: look at the staging rows of one such key; two source systems mapped to one canonical table may
-- use the same ids.
select
    {{ columns | join(', ') }},
    count(*) as rows_found
from {{ model }}
group by {{ columns | join(', ') }}
having
    count(*) > 1
    {% for column in columns %}
        or {{ column }} is null
    {% endfor %}

{% endtest %}

{% test accepts(model, column, values) %}
-- What: a column holds a code that the definition does not know.
-- Why it matters: such rows fall out of every count that goes by the codes.
-- What to do: see which source value it comes from, and whether the gate of that table should have kept it.
select {{ column }}
from {{ model }}
where {{ column }} is null or {{ column }} not in ({% for value in values %}'{{ value }}'{{ ', ' if not loop.last }}{% endfor %})

{% endtest %}

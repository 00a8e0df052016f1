{% test no_small_cell(model, column) %}
-- What: a table that branches may read whole counts fewer than five customers in a cell, but not none.
-- Why it matters: whoever knows one of the few learns what the cell says of the others, at any campus.
-- What to do: leave such cells empty in the model, and the next smallest beside them if a total would give them away.
select {{ column }}
from {{ model }}
where {{ column }} between 1 and 4

{% endtest %}

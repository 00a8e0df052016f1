"""Who is who across the systems: records become accounts (households, companies) and, within them, persons.

`resolve` runs before dbt. What it finds is state in schema core (migration 0006), which the models read as they
read a source; the registry gives every person a customer id and every account an account id, and never takes one back.
"""

from lifecourse.identity.resolve import register_only, resolve

__all__ = ["register_only", "resolve"]

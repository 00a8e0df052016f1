"""Pages of OULAD's learning environment: one row per page."""

from lifecourse.quality.rules import Suite, parent, period, required, table_suite


def suite() -> Suite:
    """The row rules of the table `vle` of `sources/oulad/`."""
    return table_suite(
        "oulad_vle",
        required("id_site", "code_module", "code_presentation", "activity_type"),
        period("week_from", "week_to"),
        parent(("code_module", "code_presentation"), "courses"),
    )

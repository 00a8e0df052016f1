"""Clicks of OULAD: one row per row of the file; equal rows are real."""

from lifecourse.quality.rules import Suite, at_least, parent, required, table_suite


def suite() -> Suite:
    """The row rules of the table `student_vle` of `sources/oulad/`."""
    return table_suite(
        "oulad_student_vle",
        required("code_module", "code_presentation", "id_student", "id_site", "day", "sum_click"),
        at_least("negative_count", "sum_click"),
        parent("id_site", "vle"),
        parent(("code_module", "code_presentation", "id_student"), "student_registration"),
    )

"""Registrations of OULAD: one row per student and presentation."""

from lifecourse.quality.rules import Suite, parent, required, table_suite


def suite() -> Suite:
    """The row rules of the table `student_registration` of `sources/oulad/`."""
    return table_suite(
        "oulad_student_registration",
        required("code_module", "code_presentation", "id_student"),
        # No order of the two days: who unregisters before the first day says no, and days may be unknown.
        parent(("code_module", "code_presentation"), "courses"),
        parent(("code_module", "code_presentation", "id_student"), "student_info"),
    )

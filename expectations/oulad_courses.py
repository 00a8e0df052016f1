"""Presentations of OULAD: one row per module and presentation."""

from lifecourse.quality.rules import Suite, at_least, required, table_suite


def suite() -> Suite:
    """The row rules of the table `courses` of `sources/oulad/`."""
    return table_suite(
        "oulad_courses",
        required("code_module", "code_presentation", "module_presentation_length"),
        at_least("negative_count", "module_presentation_length", minimum=1),
    )

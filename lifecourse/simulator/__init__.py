"""A make-believe institution with three source systems, served for real."""

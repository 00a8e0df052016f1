"""Lifecourse: a warehouse of customer lifecycles for education and training institutions."""

__version__ = "0.1.0"

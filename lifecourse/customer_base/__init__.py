"""Probability models of a customer base: how often customers will buy again, for how much, and whether they renew."""

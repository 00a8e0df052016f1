"""Measurements, as ratios inside one run. `scripts/bench` runs them; no test asserts on them."""

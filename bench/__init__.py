"""Measurements, each beside a bare baseline in the same run. `make bench` runs them all; machines are noisy, ratios are not."""

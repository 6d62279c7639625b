"""Benchmarks: `python -m benchmarks`. Each prints ratios against a baseline of the same run."""

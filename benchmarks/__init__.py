"""Benchmarks: ratios against a baseline and a limit measured in the same run.

`python -m benchmarks.run [stream|serving|quality]`; each bench ends with one
flat line of JSON on standard output, also written to `benchmarks/results/`.
"""

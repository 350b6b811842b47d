"""The core of hemostat: what the features are, and the one code that computes them.

The pure modules (definitions, fold, vector, ...) do no input or output. The
ports and their adapters live in `features.log` (event log) and `features.store`
(online store); the pure modules may not import them.
"""

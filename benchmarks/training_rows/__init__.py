"""Training rows as a good analyst would make them: one DuckDB script over the Parquet log.

The baseline that `features.bulk` is timed against, for the same features and the same
questions: each case of the log at its own event time. Set-based throughout: window
functions over events, ASOF joins to the newest few, no row-by-row subquery.

Two things are made easy for it. It takes an event as known when it happens, so it is
exact only on logs without late events (imports; simulations with `late_share=0`), where
window frames by event time say all. And the hashes that break ties come ready-made.

Reading order: `questions`, `history` (windows of a customer), `newest` (the last few of
something), `entities` (products, places, shared identities), `query` (runs them).
"""

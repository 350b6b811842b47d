"""The slow, obviously right twin: every feature again, in plain SQL over the raw events.

It shares nothing with the compiled core but the hash that breaks ties between
events of one instant (`compute_event_key`). It folds nothing and keeps no state:
for each question it joins all events that were known at that time and counts
them in double precision. Where the two disagree, one of them misreads the
definition.

Reading order: `schema` (what is asked), `facts` (raw events to facts), `history`
and `request` (one SQL per feature family), `twin` (runs them), `comparison`.
`sampling` draws the questions of the parity tests and of the benchmarks.
"""

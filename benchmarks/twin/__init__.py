"""The slow, obviously right twin: every feature again, in plain SQL over the raw events.

It shares nothing with the compiled core but the hashes that decide between equals:
the event key (ties of one instant) and the member hash (which 16 customers a shared
identity keeps). It folds nothing and keeps no state: for each question it joins all
events that were known at that time and counts them in double precision. Where the two
disagree, one of them misreads the definition.

Reading order: `schema` (what is asked), `facts` (raw events to facts), then one module
per family: `history` and `returns`, `activity`, `tallies` (products, regions, stores),
`identities`, `request`; `twin` (runs them), `comparison`. `random_log` and `sampling`
draw the logs and the questions; `python -m benchmarks.twin` is the whole proof.
"""

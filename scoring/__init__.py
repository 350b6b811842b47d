"""The scorer: a gRPC call in; probabilities, a hint, reasons and a budget out.

Reading order: `server` (the wiring), `servicer` (the wire), `conversion`,
`scorer` (the core), `decide`, `budget`, `reasons`. Decisions are pure; the store,
the model, the log and the port stand at the edges.
"""

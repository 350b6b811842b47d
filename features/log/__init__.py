"""The event log: how facts are written, read, checked and turned into rows.

Reading order: `schema` (columns, derived from the protos), `structs` and `jsonl`
(one event a line), `writer` and `reader` (the directory on disk), `validation`
(what is accepted), `columns` (rows for fold and vector).
"""

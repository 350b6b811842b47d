"""The online store: the port (`port`), its adapters (LMDB, Redis, memory) and how to open one.

`opening.open_store` takes a folder or a `redis://` address. A store has generations
(`generations`), so that one can be rebuilt while another is in use.
"""

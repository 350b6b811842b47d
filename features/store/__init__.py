"""The online store: the port (`port`), the embedded LMDB adapter and the in-memory fake."""

"""hemostat's features as a Feast repository: the contract with everybody else's tools.

Feast is never on a request's path. Its repository is generated from the table of
definitions (`repository`), its online reads come from hemostat's own records
(`online_store`, which alone needs the extra `feast`), its history is the feature log.
"""

"""Importers: one package per source, each turning its files into an event log."""

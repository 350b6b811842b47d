"""How events get in: importers of retailers' files and the dataflow into the store."""

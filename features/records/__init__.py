"""The packed records: what the store keeps of one entity, one module per layout."""

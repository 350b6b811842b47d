"""The folds: one row brings one record up to date, one module per layout."""

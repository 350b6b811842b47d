"""The report of a model: one HTML page in English and Chinese that loads nothing, and its card.

`page` puts it together from what `training.head_evaluation` found; `plots` draws, with `svg`;
`words` holds the words of both languages; `card` writes the model card.
"""

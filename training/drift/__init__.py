"""Whether the cases of today still look like those that a model was trained on.

`reference` is what training keeps of its cases (counts over bins, nobody's values);
`stability` compares two spreads; `logged_cases` reads today's; `report` is the page to
read first.
"""

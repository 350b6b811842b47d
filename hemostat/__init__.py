"""What a user of hemostat touches: the command line, the typed client, the messages.

`hemostat.client` and `hemostat.v1` import nothing outside this package, so a
caller may own packages named `features` or `scoring`. `hemostat.cli` is the
exception: it drives all parts of the project and imports them inside its commands.
"""

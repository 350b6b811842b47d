"""Facts: all that any column could want of one record or request, in double precision.

One module per record layout, and one for the request. Each numbers its facts (an
enumeration and a block of window sums) and writes them to its slice of the array
that `features.plan` lays out; `features.vector` then picks columns from it.
"""

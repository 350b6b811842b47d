"""How good a head is, on cases that taught it nothing.

`figures` judges a head as a whole; each of the other modules holds one kind of
figure. Everything is pure: arrays in, numbers with bounds out.
"""

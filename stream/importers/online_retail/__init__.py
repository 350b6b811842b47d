"""UCI Online Retail (Chen 2015): a real shop's invoice lines as hemostat events."""

"""The simulated shop: is it honest, does it resemble published rates, is it fast?"""

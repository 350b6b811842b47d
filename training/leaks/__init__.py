"""Finds columns and labels that know what nobody could have known, and refuses them."""

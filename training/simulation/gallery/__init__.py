"""A gallery of a simulated world: one HTML page in English and Chinese that loads nothing."""

from training.simulation.gallery.page import write_gallery

__all__ = ["write_gallery"]

"""Variants as data: the cards, and the image sizes they allow."""

"""Improved WGAN: convolutions and a gradient penalty (chapter 5)."""

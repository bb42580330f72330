"""WGAN on ABC characters, with the tricks that let it train without likelihood (chapter 8)."""

"""Sequential autoencoders: windows of music as codes, songs as walks among codes (chapter 10)."""

"""One file a system of the original report: networks in, logits or rolls out."""

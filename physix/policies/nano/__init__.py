"""The embedded toy model: codec, tokenizer, forward pass."""

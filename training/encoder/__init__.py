"""Training the encoder: batches of sub-mixes, the contrastive loss, validation."""

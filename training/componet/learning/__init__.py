"""Training CompoNet on AudioLDM2, and training the small CompoNet from random weights."""

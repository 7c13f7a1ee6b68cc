"""Training CompoNet, and the small one from nothing."""

"""How well a metric's scores order accompaniments as people who listened to them did."""

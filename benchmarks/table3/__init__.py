"""Table 3: answers scored, compared and shown."""

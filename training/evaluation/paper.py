"""What the paper published, as data, to stand beside what is measured here."""

PUBLISHED_TABLE_2: dict[str, dict[str, float]] = {
    "MoisesDB": {"MUSDB18-HQ": 52.56, "MoisesDB": 53.01, "Slakh2100": 51.22, "CocoChorales": 60.32},
    "Slakh2100": {"MUSDB18-HQ": 53.06, "MoisesDB": 53.58, "Slakh2100": 53.78, "CocoChorales": 59.35},
    "CocoChorales": {"MUSDB18-HQ": 70.10, "MoisesDB": 61.48, "Slakh2100": 67.50, "CocoChorales": 99.78},
    "All": {"MUSDB18-HQ": 90.43, "MoisesDB": 93.06, "Slakh2100": 90.06, "CocoChorales": 99.89},
}
"""Table 2: accuracy (Eq. 8, K = 2) in percent by training data, then by test data; MUSDB18-HQ was held out."""

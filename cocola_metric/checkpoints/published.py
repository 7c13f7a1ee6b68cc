"""The published accuracies of the family's encoders among K windows, which stand beside measured ones."""

_PLACES = (
    *(("MoisesDB", size) for size in (8, 16, 64)),
    *(("Slakh2100", size) for size in (8, 16, 64)),
    ("CocoChorales", 64),
)
PUBLISHED_ACCURACIES: dict[str, dict[tuple[str, int], float]] = {
    name: dict(zip(_PLACES, values, strict=True))
    for name, values in {
        "PHALAR": (86.8, 81.5, 70.9, 87.7, 83.3, 72.4, 98.6),
        "COCOLA, retrained": (75.8, 64.4, 41.8, 79.3, 71.6, 55.8, 89.3),
    }.items()
}
"""PHALAR (arXiv 2605.03929): accuracy among K windows in percent, by encoder, then by test data and K."""

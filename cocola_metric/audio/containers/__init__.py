"""File formats: the positions of the samples in a file, as the file states them, found before a decoder reads it."""

"""File formats: where the samples lie in a file, by what the file itself states, before any decoder is asked."""

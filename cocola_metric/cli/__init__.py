"""The commands of a shell: their options, their files of results, and their output."""

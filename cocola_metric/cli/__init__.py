"""The commands of a shell: options, files of results, what is printed."""

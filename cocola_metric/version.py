"""The version, which signatures name; the build reads it here, since asking what is installed takes 0.05 s a start."""

VERSION = "0.1.0"

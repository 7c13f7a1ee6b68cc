"""How Fréchet distances behave on real music: their bias, and their rise with known damage to the sound."""

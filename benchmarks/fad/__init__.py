"""How Fréchet distances behave on real music: bias, and answers made worse by degrees."""

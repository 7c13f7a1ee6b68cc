"""The score inside other toolkits for evaluation: Hugging Face evaluate, and VERSA."""

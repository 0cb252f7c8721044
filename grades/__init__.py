"""Differentiability grades: what is proved, refuted or unknown of lowered programs."""

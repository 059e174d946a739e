"""Predictions of a trained recognizer, and their comparison with labels."""

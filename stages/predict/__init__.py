"""Predictions of a trained recognizer, compared with labels (evaluate) or written as a table (recognitions)."""

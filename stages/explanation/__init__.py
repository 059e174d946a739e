"""Explain: pictures of what a trained recognizer attends to."""

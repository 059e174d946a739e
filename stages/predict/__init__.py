"""What a trained recognizer says of clips, compared with their labels (evaluate) or written out (recognitions)."""

"""What a trained recognizer saw in new videos: segments of time with labels, as tables, a page, and subtitles."""

"""Showing slides in browsers: the page, a small server for one's own screen, and one for other programs."""

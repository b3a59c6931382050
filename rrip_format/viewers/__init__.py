"""Interfaces for other programs: OpenSlide's API, and a module for each program that has readers of its own."""

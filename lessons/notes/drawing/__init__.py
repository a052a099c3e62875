"""The figures of the notes, one file a lesson: its ``WORDS`` in both languages and its ``figure(words)``."""

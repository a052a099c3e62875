"""What is behind ``lessons practice``: where exercises and answers lie; how one is run, judged and shown.

The way of a check: ``desk`` reads the learner's file; ``checker`` starts a judge in a process of its own;
``judge`` starts another one for the learner's code (``bench``), sends it cases and compares what comes back.
Nothing here imports torch before an exercise is opened.
"""

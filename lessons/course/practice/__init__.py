"""What is behind ``lessons practice``: where exercises and answers lie; how one is run, judged and shown.

The way of a check, which is the way to read these files:

- ``verbs`` and ``watch`` are what a learner types; ``report`` is what they see.
- ``shelf`` finds the exercises, ``sheet`` writes the learner's file, ``desk`` keeps it and the progress.
- ``checker`` starts a judge in a process of its own, which starts another one for the learner's file.
  ``bench`` is where a file runs, under ``limits``; ``warm`` is what the process has imported that both are
  forked from.
- ``judge`` sends it cases and compares what comes back, as ``plain`` values, with what is right and with what
  the known wrong answers give. A Predict has ``questions``; cases are drawn with ``strategies``; ``grids``
  draws numbers and curves.
- ``lint`` holds an exercise to its form.

Nothing here imports torch before an exercise is opened.
"""

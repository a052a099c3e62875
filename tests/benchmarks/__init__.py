"""The course's loops against the notes' loops, measured in one run.

    python -m tests.benchmarks                          everything, about half an hour on 2 cores
    python -m tests.benchmarks --quick                  the same cases on little work, two or three minutes
    python -m tests.benchmarks train data               only these cases
    python -m tests.benchmarks --pictures cifar10       on other pictures (or a folder with train/ and test/)
    python -m tests.benchmarks recipes --pictures ...   lesson 8's recipes, half an hour on real pictures

``measure`` is the instrument, ``ways`` holds each way of doing a thing, ``cases`` says what is compared with
what and what is to be reached, ``report`` prints and draws. No part of the test suite.
"""

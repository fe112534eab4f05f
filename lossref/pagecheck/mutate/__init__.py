"""Is the checker awake?  Change one thing on a page or in a loss, run what checks it, and see whether anything fails.

    python -m lossref.pagecheck.mutate                          every mutant of every page (an hour; may be stopped)
    python -m lossref.pagecheck.mutate docs/losses/bce.md       of a page
    python -m lossref.pagecheck.mutate --losses                 of the loss files, judged by their pages and tests
    python -m lossref.pagecheck.mutate --sample 100 --seed 3    100 mutants of all pages

A mutant that no check notices survives.  Survivors are printed as a diff and make the command fail, unless
docs/data/mutants.yml says why the changed page is as true as the old one:

    - page: docs/losses/bce.md
      old: 其中 $a + b$ 与 $b + a$ 相等
      new: 其中 $b + b$ 与 $b + a$ 相等
      reason: …

Whole files are saved in .cache/mutants.json as they are done: a run that was stopped goes on where it stood, and
`python run.py test --pagecheck-report` tells the score.
"""

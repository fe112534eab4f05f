r"""Formulas of a page as tests.

tokens      characters of LaTeX -> tokens
syntax      what a formula is made of
parser      tokens -> expressions
statements  rows, chains, definitions, conditions
scope       the page's symbols
domains     where a symbol lives
points      where a claim is tried
values      100-digit numbers, dual numbers, matrices
evaluate    an expression at a point
claims      is a relation true?
slips       if not, what may have gone wrong
checks      a page -> its checks
"""

from .checks import formula_checks, page_scope

__all__ = ["formula_checks", "page_scope"]

"""Figures with sliders.

`draw.py` makes one from lossref: a chart as in tools/charts.py that also carries, for every setting of its sliders,
the curves and the numbers. `page.py` puts the controls below it when the site is built, `fetched.py` the curves into
files of their own. A script of one kilobyte, docs/assets/javascripts/explorer.js, shows the curves of the setting a
reader chose. It computes nothing.
"""

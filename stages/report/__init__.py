"""Report: the results of a run on one page, and the comparison of its variants as a table and a plot."""

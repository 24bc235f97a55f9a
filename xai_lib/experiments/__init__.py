"""The experiments of the papers: what the notebooks run, one module for each paper."""

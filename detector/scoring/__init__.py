"""Hypotheses about a client's behaviour, the evidence for each, and when it is enough."""

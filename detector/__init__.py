"""querywatch: finds clients of a prediction API that steal the model or its training data."""

__version__ = "0.1.0"

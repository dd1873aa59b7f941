"""The frozen picture of one model's benign traffic, and how it is learnt and stored."""

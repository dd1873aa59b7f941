"""Working stand-ins that pass the same conformance suites as the real parts."""

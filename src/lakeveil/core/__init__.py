"""Names, geometry, policies and rules: pure functions on frozen values. No I/O, no clock."""

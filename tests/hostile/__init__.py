"""The proof that governed SQL holds: hostile statements, a fuzzer, and mutants of the guard."""

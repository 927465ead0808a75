"""Photos as arrays and bytes: sniff, limit, decode, detect, redact, encode. No I/O."""

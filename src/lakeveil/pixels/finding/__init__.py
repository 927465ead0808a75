"""Looking for faces: networks, tiles, calibration. Arithmetic only; sessions are adapters."""

"""Photo files: limits before decoding, decoders, encoders, metadata, per format."""
